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
pub mod seen;
mod sent_once;
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
use statemachine::tick::Resources;
use statemachine::{Error, Part, Result, Stage};

use crate::seen::Seen;

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

    async fn resources(&self, ctx: &Context, document: &Document, names: &Names) -> Result<Resources> {
        match (ctx.stage, document.stack.as_ref()) {
            (Part::Stage(Stage::Network), Some(stack)) => {
                let seen = Seen::look(ctx, &self.ec2).await?;
                // What this run's look has told already.
                let told = &document.stages.network.outputs;
                let zones = seen.zones(ctx, &self.ec2, told).await?;
                Ok(resources::network(ctx, &self.ec2, stack, &zones, seen))
            }
            (Part::Stage(Stage::Network), None) => Ok(resources::no_network(&self.ec2)),
            (Part::Stage(Stage::Egress), stack) => {
                let paused = document.intent.paused.is_some();
                Ok(resources::egress(ctx, &self.ec2, names, stack, paused))
            }
            (other, _) => {
                Err(Error::internal(format!("the network function does not serve the stage {other}")))
            }
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
