//! NAT gateways: the way out for tasks in private subnets.

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{ConnectivityType, NatGateway as RawGateway, NatGatewayState, ResourceType};
use serde::Serialize;
use statemachine::error::required;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

use crate::permissions::{change, create, describe};
use crate::tags::{ours, owned, specification};
use crate::{address, internet_gateway, subnet};

/// A NAT gateway. Nothing of it can change; making one takes AWS about two minutes, deleting it one
/// (aws-facts.md section 3).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NatGateway {
    /// `a` or `b`: its zone.
    pub what: String,
    /// A public one.
    pub subnet: Name,
    /// From which the tasks come, for others.
    pub address: Name,
}

/// `nat-gateway/a`.
pub fn name(what: &str) -> Name {
    Name::new(NatGateway::KIND, what)
}

impl NatGateway {
    /// The gateway in the public subnet of a zone, `a` or `b`.
    pub fn in_zone(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            subnet: subnet::name(&format!("public-{what}")),
            address: address::name(what),
        }
    }
}

impl Resource for NatGateway {
    type Client = Client;
    type Raw = RawGateway;

    const KIND: &'static str = "nat-gateway";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let mut permissions = create(scope, "ec2:CreateNatGateway", "natgateway");
        permissions.push(describe(&["ec2:DescribeNatGateways"]));
        permissions.push(change(scope, &["ec2:CreateNatGateway"], &["subnet", "elastic-ip"]));
        permissions.push(change(scope, &["ec2:DeleteNatGateway"], &["natgateway"]));
        permissions
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        // Without an attached internet gateway it fails.
        let gateway = Need::Settled(internet_gateway::name());
        vec![Need::Exists(self.subnet.clone()), Need::Exists(self.address.clone()), gateway]
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<RawGateway>> {
        let pages = client.describe_nat_gateways().filter(ours(ctx)).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeNatGateways"))
    }

    fn identify(ctx: &Context, raw: &RawGateway, _: &Names) -> Option<Identity> {
        let mut identity = Identity::ours(owned(ctx, raw.tags())?, raw.nat_gateway_id()?);
        identity.created = raw.create_time().map(aws_sdk_ec2::primitives::DateTime::secs);
        // A deleted one stays in the listing for about an hour.
        (raw.state() != Some(&NatGatewayState::Deleted)).then_some(identity)
    }

    fn read(raw: RawGateway, names: &Names) -> Result<State<Self>> {
        let addresses = raw.nat_gateway_addresses();
        let main = addresses.iter().find(|address| address.is_primary() == Some(true)).or(addresses.first());
        let address = main.and_then(|address| address.allocation_id());
        let found = || -> Result<Self> {
            Ok(Self {
                what: names
                    .name_of(required(raw.nat_gateway_id(), "NAT gateway", "an id")?)
                    .what()
                    .to_owned(),
                subnet: names.name_of(required(raw.subnet_id(), "NAT gateway", "a subnet")?),
                address: names.name_of(required(address, "NAT gateway", "an address")?),
            })
        };
        match raw.state() {
            Some(NatGatewayState::Available) => Ok(State::Settled(found()?)),
            // Its address may not be shown yet.
            Some(NatGatewayState::Pending) => Ok(State::Changing(found().ok())),
            Some(NatGatewayState::Deleting | NatGatewayState::Deleted) => Ok(State::Deleting),
            Some(NatGatewayState::Failed) => Ok(State::Failed(failure_of(&raw))),
            other => Err(Error::unknown_status("NAT gateway", other.map_or("none", NatGatewayState::as_str))),
        }
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        (self != now).then(|| {
            format!(
                "{} is in {} with {}, and cannot change to {} with {}. Delete it, then apply again.",
                self.name(),
                now.subnet,
                now.address,
                self.subnet,
                self.address
            )
        })
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let create = client
            .create_nat_gateway()
            .connectivity_type(ConnectivityType::Public)
            .subnet_id(names.need(&self.subnet)?)
            .allocation_id(names.need(&self.address)?)
            .client_token(ctx.token(&self.name()))
            .tag_specifications(specification(&ctx, ResourceType::Natgateway, &self.name()));
        let answer = create.send().await.map_err(failed("ec2:CreateNatGateway"))?;
        let gateway = required(answer.nat_gateway(), "NAT gateway", "anything")?;
        let id = required(gateway.nat_gateway_id(), "NAT gateway", "an id")?;
        match gateway.state() {
            Some(NatGatewayState::Available) => Ok(Made::settled(id)),
            // The token is the run's: AWS hands out this run's first one again, even when it has failed and
            // was deleted. Another run has another token.
            Some(NatGatewayState::Failed | NatGatewayState::Deleting | NatGatewayState::Deleted) => {
                let message = format!("CreateNatGateway failed: {}", failure_of(gateway));
                let code = gateway.failure_code().map(str::to_owned);
                Err(Error { kind: ErrorKind::Invalid, message, action: Some("ec2:CreateNatGateway"), code })
            }
            _ => Ok(Made::started(id)),
        }
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let delete = client.delete_nat_gateway().nat_gateway_id(id);
        gone(delete.send().await.map_err(failed("ec2:DeleteNatGateway")), Gone::Going)
    }
}

fn failure_of(raw: &RawGateway) -> String {
    let code = raw.failure_code().unwrap_or("no code");
    format!("{} ({code})", raw.failure_message().unwrap_or("AWS gives no reason"))
}
