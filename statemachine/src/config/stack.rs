//! The configuration as the engine uses it: checked, with every default filled in.
//!
//! These types travel in the state machine's document, so they are plain data. What a person writes is
//! [`super::file`]; what turns one into the other, with every check, is `check` beside it.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// One environment of one app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    /// 1 to 20 lower-case letters, digits and single hyphens, a letter first.
    pub app: String,
    /// 1 to 12 characters of the same kind: `production`, `staging`.
    pub environment: String,
    /// The AWS region that the file asks for; the engine refuses to run in another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The domain whose hosted zone is used, or made when there is none. Without it: HTTP on the load
    /// balancer's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Addresses and the way out.
    pub network: Network,
    /// Aurora PostgreSQL Serverless v2, where the stack has a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// The bucket for uploads, where the stack has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploads: Option<Uploads>,
    /// The one image that every service runs.
    pub image: Image,
    /// What a new image runs once before traffic moves to it, where the file asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseCommand>,
    /// By name, each 1 to 20 characters.
    pub services: BTreeMap<String, Service>,
    /// Where logs go and how long they stay.
    pub logs: Logs,
}

/// The VPC's addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Of the VPC, /16 to /28, in a private range (RFC 1918).
    pub cidr: Ipv4Net,
    /// One per zone.
    pub public_subnets: [Ipv4Net; 2],
    /// One per zone.
    pub private_subnets: [Ipv4Net; 2],
    /// How tasks reach the internet and AWS.
    pub egress: Egress,
}

/// How tasks reach ECR, Secrets Manager, CloudWatch and the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
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

/// Aurora PostgreSQL Serverless v2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Database {
    /// A major (`15`), resolved to its newest live minor, or a minor (`15.12`), which must be live.
    pub engine_version: String,
    /// Aurora capacity units, in halves, 0 to 256; 0 lets it sleep.
    pub min_acu: f64,
    /// Aurora capacity units, in halves, 1 to 256.
    pub max_acu: f64,
    /// Of the database inside the cluster.
    pub name: String,
    /// Of the master user.
    pub username: String,
    /// 1 to 35.
    pub backup_retention_days: u32,
    /// Whether AWS refuses to delete the cluster (destroy turns it off first).
    pub deletion_protection: bool,
    /// The password is replaced every so many days, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_every_days: Option<u32>,
}

impl Database {
    /// `15` of `15.12`. Only majors are compared: AWS moves the minor by itself.
    pub fn major(&self) -> &str {
        self.engine_version.split('.').next().unwrap_or(&self.engine_version)
    }
}

/// The uploads bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uploads {
    /// The bucket's name, unique in the whole of AWS.
    pub bucket: String,
    /// Origins that browsers may upload from; none: no CORS configuration.
    pub cors_origins: Vec<String>,
    /// Such as `GET`, `PUT`, `POST`.
    pub cors_methods: Vec<String>,
    /// How long browsers may cache a preflight answer.
    pub cors_max_age_s: u32,
    /// Current objects expire after so many days, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_after_days: Option<u32>,
}

/// The image repository and what a push to it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// A push of one of these tags deploys its digest; they are the repository's only mutable tags.
    pub deploy_on_push: Vec<String>,
}

/// What a new image runs once, as a task of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseCommand {
    /// Word by word; not empty.
    pub command: Vec<String>,
    /// The service whose task definition and network it has.
    pub service: String,
}

/// One ECS service on Fargate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Empty: the image's own.
    pub command: Vec<String>,
    /// Present: the service is public, behind the load balancer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The host it answers on. Present for every public service of a stack with a domain, absent else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Path of the target group's health check.
    pub health_check_path: String,
    /// CPU units: 256 is a quarter of a core.
    pub cpu: u32,
    /// MB; must pair with `cpu` as Fargate has it.
    pub memory: u32,
    /// Tasks that should run (the lower bound's start, where `scale` is given).
    pub count: u32,
    /// Target tracking, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// Plain environment beside what every task gets. Not for secrets.
    pub environment: BTreeMap<String, String>,
    /// Read-only root file system, with a tmpfs at `/tmp`.
    pub read_only_root: bool,
    /// `uid`, `uid:gid` or a name; absent: the image's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether ECS Exec may open a shell in its tasks.
    pub exec: bool,
}

/// Target tracking of a service's CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Fewest tasks.
    pub min: u32,
    /// Most tasks.
    pub max: u32,
    /// Percent of CPU to hold, 1 to 100.
    pub cpu: u32,
}

/// Log groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// One of the values CloudWatch Logs takes: 1, 3, 5, 7, 14, 30, …
    pub retention_days: u32,
}

impl Stack {
    /// `{app}-{env}`: begins every AWS name.
    pub fn prefix(&self) -> String {
        format!("{}-{}", self.app, self.environment)
    }

    /// The services behind the load balancer, by name.
    pub fn public_services(&self) -> impl Iterator<Item = (&str, &Service)> {
        self.services.iter().filter(|(_, s)| s.port.is_some()).map(|(n, s)| (n.as_str(), s))
    }

    /// Whether anything needs a load balancer.
    pub fn has_public_service(&self) -> bool {
        self.public_services().next().is_some()
    }
}
