//! The network function: the stages `network` and `egress`.

pub mod address;
pub mod default_security_group;
pub mod flow_log;
pub mod internet_gateway;
pub mod nat_gateway;
pub mod network_acl;
mod permissions;
pub mod resources;
pub mod route;
pub mod route_table;
pub mod security_group;
pub mod security_group_rule;
pub mod subnet;
mod tags;
pub mod vpc;
pub mod vpc_endpoint;

use aws::{Function, failed};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::Filter;
use aws_types::SdkConfig;
use statemachine::config::Stack;
use statemachine::message::Document;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Names, Resource as _};
use statemachine::tick::Stage;
use statemachine::{Error, Result};

/// The function's clients.
#[derive(Clone, Debug)]
pub struct Clients {
    /// EC2.
    pub ec2: Client,
}

impl Function for Clients {
    fn new(config: &SdkConfig) -> Self {
        Self { ec2: Client::new(config) }
    }

    async fn stage(&self, ctx: &Context, document: &Document, _: &Names) -> Result<Stage> {
        match (ctx.stage.as_str(), &document.stack) {
            ("network", stack) => Ok(resources::network(&self.ec2, stack.as_ref(), &self.zones(ctx, stack.as_ref()).await?)),
            ("egress", stack) => Ok(resources::egress(&self.ec2, stack.as_ref())),
            (other, _) => Err(Error::internal(format!("the network function owns no stage {other:?}"))),
        }
    }

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let zones = Permission::unscoped(&["ec2:DescribeAvailabilityZones"], permissions::DESCRIBE);
        [
            vec![zones],
            vpc::Vpc::permissions(scope),
            internet_gateway::InternetGateway::permissions(scope),
            subnet::Subnet::permissions(scope),
            default_security_group::DefaultSecurityGroup::permissions(scope),
            network_acl::NetworkAcl::permissions(scope),
            route_table::RouteTable::permissions(scope),
            vpc_endpoint::VpcEndpoint::permissions(scope),
            security_group::SecurityGroup::permissions(scope),
            security_group_rule::SecurityGroupRule::permissions(scope),
            address::Address::permissions(scope),
            nat_gateway::NatGateway::permissions(scope),
            route::Route::permissions(scope),
            flow_log::FlowLog::permissions(scope),
        ]
        .concat()
    }
}

impl Clients {
    /// The two zones of the stack: the first two that the account may use. AWS keeps their order.
    async fn zones(&self, ctx: &Context, stack: Option<&Stack>) -> Result<[String; 2]> {
        let none = [String::new(), String::new()];
        if stack.is_none() {
            return Ok(none);
        }
        let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        let zones = self
            .ec2
            .describe_availability_zones()
            .filters(filter("state", "available"))
            .filters(filter("zone-type", "availability-zone"))
            .send()
            .await
            .map_err(failed("ec2:DescribeAvailabilityZones"))?;
        let mut names: Vec<String> = zones.availability_zones().iter().filter_map(|zone| zone.zone_name().map(str::to_owned)).collect();
        names.sort();
        match names.as_slice() {
            [first, second, ..] => Ok([first.clone(), second.clone()]),
            _ => Err(Error::new(
                statemachine::ErrorKind::Invalid,
                format!("The region {} offers fewer than two availability zones to this account.", ctx.region),
            )),
        }
    }
}
