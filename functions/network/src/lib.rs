//! The network function: the stages `network` and `egress`.
//!
//! What each owns stands in [`resources`]; every other public module is one kind of resource.

pub mod address;
pub mod default_security_group;
pub mod flow_log;
pub mod internet_gateway;
mod names;
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

use aws::Function;
use aws_sdk_ec2::Client;
use aws_types::SdkConfig;
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

    async fn stage(&self, ctx: &Context, document: &Document, _names: &Names) -> Result<Stage> {
        let Self { ec2 } = self;
        let stack = document.stack.as_ref();
        match ctx.stage.as_str() {
            "network" => {
                let subnets = subnet::Client::new(ec2);
                match stack {
                    Some(stack) => {
                        let zones = subnets.zones(ctx).await?;
                        Ok(resources::network(ctx, ec2, &subnets, Some((stack, &zones))))
                    }
                    None => Ok(resources::network(ctx, ec2, &subnets, None)),
                }
            }
            "egress" => Ok(resources::egress(ctx, ec2, stack)),
            other => Err(Error::internal(format!("the network function does not serve the stage {other}"))),
        }
    }

    fn permissions(scope: &Scope) -> Vec<Permission> {
        permissions::merged(
            [
                vpc::Vpc::permissions(scope),
                internet_gateway::InternetGateway::permissions(scope),
                default_security_group::DefaultSecurityGroup::permissions(scope),
                network_acl::NetworkAcl::permissions(scope),
                route_table::RouteTable::permissions(scope),
                subnet::Subnet::permissions(scope),
                vpc_endpoint::VpcEndpoint::permissions(scope),
                security_group::SecurityGroup::permissions(scope),
                security_group_rule::SecurityGroupRule::permissions(scope),
                address::Address::permissions(scope),
                nat_gateway::NatGateway::permissions(scope),
                route::Route::permissions(scope),
                flow_log::FlowLog::permissions(scope),
            ]
            .concat(),
        )
    }
}
