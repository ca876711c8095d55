//! NAT gateways: the private tasks' way to the internet.

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{NatGateway as Raw, NatGatewayState, ResourceType};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::permissions::{DESCRIBE, owned_by_app, tagged_create};
use crate::tags::{ours, owned, specification};
use crate::{address, subnet};

/// A NAT gateway in a zone's public subnet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NatGateway {
    /// The zone's letter: `a`.
    pub what: String,
    /// The public subnet it is in.
    pub subnet: Name,
    /// Its public address.
    pub address: Name,
}

/// `nat-gateway/a`.
pub fn name(zone: &str) -> Name {
    Name::new(NatGateway::KIND, zone)
}

/// The NAT gateway of a zone.
pub fn of_zone(zone: &str) -> NatGateway {
    NatGateway { what: zone.to_owned(), subnet: subnet::name(&format!("public-{zone}")), address: address::name(zone) }
}

impl Resource for NatGateway {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "nat-gateway";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let gateway = scope.arn("ec2", "natgateway/*");
        let mut permissions = tagged_create(scope, "ec2:CreateNatGateway", "CreateNatGateway", &gateway);
        permissions.push(Permission::unscoped(&["ec2:DescribeNatGateways"], DESCRIBE));
        let parts = ["subnet/*", "elastic-ip/*"].map(|part| scope.arn("ec2", part));
        permissions.push(owned_by_app(scope, &["ec2:CreateNatGateway"], parts));
        permissions.push(owned_by_app(scope, &["ec2:DeleteNatGateway"], [gateway]));
        permissions
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(self.subnet.clone()), Need::Exists(self.address.clone())]
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let pages = client.describe_nat_gateways().filter(ours(ctx)).into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeNatGateways"))?;
        // A deleted one is listed for an hour.
        Ok(all.into_iter().filter(|one| one.state() != Some(&NatGatewayState::Deleted)).collect())
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let address = raw.nat_gateway_addresses().first().and_then(|address| address.public_ip()).unwrap_or_default();
        let identity = Identity::ours(owned(ctx, raw.tags())?, raw.nat_gateway_id()?);
        Some(identity.with("public_ip", address))
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let id = raw.nat_gateway_id().ok_or_else(|| Error::missing_field("NAT gateway", "an id"))?;
        let address = raw.nat_gateway_addresses().first().and_then(|address| address.allocation_id()).unwrap_or_default();
        let found = Self {
            what: names.name_of(id).what().to_owned(),
            subnet: names.name_of(raw.subnet_id().unwrap_or_default()),
            address: names.name_of(address),
        };
        match raw.state() {
            Some(NatGatewayState::Available) => Ok(State::Settled(found)),
            Some(NatGatewayState::Pending) => Ok(State::Changing(Some(found))),
            Some(NatGatewayState::Deleting) => Ok(State::Deleting),
            Some(NatGatewayState::Failed) => {
                Ok(State::Failed(raw.failure_message().or(raw.failure_code()).unwrap_or("no reason given").to_owned()))
            }
            other => Err(Error::unknown_status("NAT gateway", other.map_or("none", NatGatewayState::as_str))),
        }
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        (self != now).then(|| {
            format!(
                "The NAT gateway {} stands in {} with {} and cannot move. Delete it in the console; the next apply makes it anew.",
                self.what, now.subnet, now.address
            )
        })
    }

    async fn create(self, ctx: Context, client: Client, ids: Names) -> Result<Made> {
        let create = client
            .create_nat_gateway()
            .subnet_id(ids.need(&self.subnet)?)
            .allocation_id(ids.need(&self.address)?)
            .client_token(ctx.token(&self.name()))
            .tag_specifications(specification(&ctx, ResourceType::Natgateway, &self.name()));
        let gateway = create.send().await.map_err(failed("ec2:CreateNatGateway"))?;
        let id = gateway.nat_gateway().and_then(Raw::nat_gateway_id).ok_or_else(|| Error::missing_field("NAT gateway", "an id"))?;
        Ok(Made::started(id))
    }

    async fn update(self, _: Self, _: String, _: Context, _: Client, _: Names) -> Result<Made> {
        Err(Error::internal("a NAT gateway never changes"))
    }

    async fn delete(id: String, _: Option<Self>, _: Context, client: Client, _: Names) -> Result<Gone> {
        gone(client.delete_nat_gateway().nat_gateway_id(id).send().await.map_err(failed("ec2:DeleteNatGateway")), Gone::Going)
    }
}
