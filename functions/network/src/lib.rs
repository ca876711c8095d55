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
use statemachine::owner::Owner as _;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Names};
use statemachine::tick::Resources;
use statemachine::{Error, Part, Result, Stage, owns};

use crate::address::Address;
use crate::default_security_group::DefaultSecurityGroup;
use crate::flow_log::FlowLog;
use crate::internet_gateway::InternetGateway;
use crate::nat_gateway::NatGateway;
use crate::network_acl::NetworkAcl;
use crate::route::Route;
use crate::route_table::RouteTable;
use crate::security_group::SecurityGroup;
use crate::security_group_rule::SecurityGroupRule;
use crate::seen::Seen;
use crate::subnet::Subnet;
use crate::vpc::Vpc;
use crate::vpc_endpoint::VpcEndpoint;

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

    async fn resources(&self, ctx: &Context, document: &Document, names: &Names) -> Result<Resources<Self>> {
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
                let paused = document.intent.paused.as_ref();
                Ok(resources::egress(ctx, &self.ec2, names, stack, paused))
            }
            (other, _) => {
                Err(Error::internal(format!("the network function does not serve the stage {other}")))
            }
        }
    }

    fn permissions(scope: &Scope) -> Vec<Permission> {
        permissions::merged(Self::permissions_of_kinds(scope))
    }
}

owns!(
    Clients:
    Vpc, InternetGateway, DefaultSecurityGroup, NetworkAcl, RouteTable, Subnet, VpcEndpoint, SecurityGroup,
    SecurityGroupRule, Address, NatGateway, Route, FlowLog,
);
