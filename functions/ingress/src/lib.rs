//! The ingress function: the load balancer and its HTTP listener.

pub mod listener;
pub mod load_balancer;
pub mod tags;

use aws::Function;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_types::SdkConfig;
use statemachine::config::Stack;
use statemachine::message::Document;
use statemachine::resource::{Context, Names};
use statemachine::tick::Resources;
use statemachine::{Result, owns};

use crate::listener::{Action, Listener};
use crate::load_balancer::LoadBalancer;

/// The function's clients.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Elastic Load Balancing.
    pub elb: Client,
}

impl Function for Clients {
    fn new(config: &SdkConfig) -> Self {
        Self { elb: Client::new(config) }
    }

    async fn resources(&self, ctx: &Context, document: &Document, _: &Names) -> Result<Resources<Self>> {
        Ok(self.owned(ctx, document.stack.as_ref()))
    }
}

owns!(Clients: LoadBalancer, Listener);

impl Clients {
    /// What the stage owns: nothing, unless a service is public.
    fn owned(&self, ctx: &Context, stack: Option<&Stack>) -> Resources<Clients> {
        let stack = stack.filter(|stack| stack.has_public_service());
        let balancer = stack.map(|_| LoadBalancer::of(ctx));
        // With a domain, port 80 only redirects. Without one it is the way in, and the services add rules.
        let http = stack.map(|stack| {
            Listener::http(if stack.domain.is_some() { Action::RedirectToHttps } else { Action::NotFound })
        });
        Resources::new()
            .owns(&self.elb, balancer.into_iter().collect())
            .owns(&self.elb, http.into_iter().collect())
    }
}
