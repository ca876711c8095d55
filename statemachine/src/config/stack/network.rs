//! `[network]`: the one table whose text becomes something else, networks.

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The VPC's addresses in a file that names none.
const DEFAULT_CIDR: &str = "10.0.0.0/16";

/// Addresses and the way out, as a person writes them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::config) struct NetworkTable {
    /// The VPC's addresses: a private range, /16 to /26.
    #[serde(default = "default_cidr")]
    pub(in crate::config) cidr: String,
    /// Two subnets for the load balancer, one in each zone. Default: 10.0.1.0/24 and 10.0.2.0/24 of 10.0.0.0/16.
    pub(in crate::config) public_subnets: Option<[String; 2]>,
    /// Two subnets for tasks and database, one in each zone. Default: 10.0.11.0/24 and 10.0.12.0/24 of 10.0.0.0/16.
    pub(in crate::config) private_subnets: Option<[String; 2]>,
    /// How tasks reach the internet and AWS. Default: `nat` in production, else `public`.
    #[schemars(with = "Option<Egress>")]
    pub(in crate::config) egress: Egress,
}

fn default_cidr() -> String {
    DEFAULT_CIDR.to_owned()
}

/// Addresses and the way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Of the VPC, in a private range (RFC 1918), large enough for four subnets.
    pub cidr: Ipv4Net,
    /// One per zone.
    pub public_subnets: [Ipv4Net; 2],
    /// One per zone.
    pub private_subnets: [Ipv4Net; 2],
    /// How tasks reach the internet and AWS.
    pub egress: Egress,
}

/// How tasks reach ECR, Secrets Manager, CloudWatch and the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Egress {
    /// One NAT gateway, in the first zone; tasks in the private subnets.
    Nat,
    /// A NAT gateway in each zone; tasks in the private subnets.
    NatPerZone,
    /// Interface endpoints only, no internet; tasks in the private subnets.
    Endpoints,
    /// Tasks in the public subnets, each with a public address and no way in.
    Public,
}
