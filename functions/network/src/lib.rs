//! The network function: the stages `network` and `egress`.

mod tags;
pub mod subnet;
pub mod vpc;

use aws::Function;
use aws_sdk_ec2::Client;
use aws_types::SdkConfig;
use statemachine::Result;
use statemachine::message::Document;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Names, Resource as _};
use statemachine::tick::Stage;

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

    async fn stage(&self, _ctx: &Context, document: &Document, _names: &Names) -> Result<Stage> {
        let Some(stack) = &document.stack else {
            return Ok(Stage::new().owns::<vpc::Vpc>(&self.ec2, vec![]).owns::<subnet::Subnet>(&self.ec2, vec![]));
        };
        let vpc = vpc::Vpc { cidr: stack.network.cidr.to_string(), dns_hostnames: true };
        Ok(Stage::new().owns(&self.ec2, vec![vpc]).owns::<subnet::Subnet>(&self.ec2, vec![]))
    }

    fn permissions(scope: &Scope) -> Vec<Permission> {
        [vpc::Vpc::permissions(scope), subnet::Subnet::permissions(scope)].concat()
    }
}
