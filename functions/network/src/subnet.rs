//! Subnets: two public, two private, in two zones.

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, Subnet as RawSubnet, SubnetState};
use serde::Serialize;
use statemachine::error::required;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::permissions::{change, create, describe};
use crate::sent_once::sent_once;
use crate::tags::{ours, owned, specification};
use crate::vpc;

/// A subnet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Subnet {
    /// `public-a`, `public-b`, `private-a`, `private-b`.
    pub what: String,
    /// Cannot change.
    pub cidr: String,
    /// Availability zone, `us-east-1a`. Cannot change.
    pub zone: String,
    /// Whether whatever starts in it gets a public address unasked: never. Tasks ask for theirs.
    pub gives_public_addresses: bool,
    /// The VPC it is in.
    pub vpc: Name,
}

/// `subnet/public-a`.
pub fn name(what: &str) -> Name {
    resource::subnet(what)
}

/// Under which name a run tells the zone that it has chosen for the subnets `-a` or `-b`.
pub(crate) fn zone(letter: &str) -> Name {
    Name::new("zone", letter).attribute("name")
}

impl Resource for Subnet {
    type Client = Client;
    type Raw = RawSubnet;

    const KIND: &'static str = resource::kind::SUBNET;
    const TOKENLESS: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let mut permissions = create(scope, "ec2:CreateSubnet", "subnet");
        permissions.push(describe(&["ec2:DescribeSubnets", "ec2:DescribeAvailabilityZones"]));
        permissions.push(change(scope, &["ec2:CreateSubnet"], &["vpc"]));
        permissions.push(change(scope, &["ec2:ModifySubnetAttribute", "ec2:DeleteSubnet"], &["subnet"]));
        permissions
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(self.vpc.clone())]
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<RawSubnet>> {
        let pages = client.describe_subnets().filters(ours(ctx)).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeSubnets"))
    }

    fn identify(ctx: &Context, raw: &RawSubnet, _: &Names) -> Option<Identity> {
        Some(Identity::ours(owned(ctx, raw.tags())?, raw.subnet_id()?))
    }

    fn read(raw: RawSubnet, names: &Names) -> Result<State<Self>> {
        let id = required(raw.subnet_id(), "subnet", "an id")?;
        let found = Self {
            what: names.name_of(id).what().to_owned(),
            cidr: required(raw.cidr_block(), "subnet", "a CIDR block")?.to_owned(),
            zone: required(raw.availability_zone(), "subnet", "a zone")?.to_owned(),
            gives_public_addresses: raw.map_public_ip_on_launch().unwrap_or(false),
            vpc: names.name_of(required(raw.vpc_id(), "subnet", "a VPC")?),
        };
        match raw.state() {
            Some(SubnetState::Available) => Ok(State::Settled(found)),
            Some(SubnetState::Pending) => Ok(State::Changing(Some(found))),
            Some(SubnetState::Failed | SubnetState::FailedInsufficientCapacity) => {
                Ok(State::Failed("AWS could not make the subnet".to_owned()))
            }
            other => Err(Error::unknown_status("subnet", other.map_or("none", SubnetState::as_str))),
        }
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        let Self { what, cidr, zone, gives_public_addresses: _, vpc } = self;
        ((cidr, zone, vpc) != (&now.cidr, &now.zone, &now.vpc)).then(|| {
            format!(
                "Subnet {what} is {} in {} and cannot change to {cidr} in {zone}. Put the old addresses back into the file, or make a new environment.",
                now.cidr, now.zone
            )
        })
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let create = client
            .create_subnet()
            .vpc_id(names.need(&vpc::name())?)
            .cidr_block(&self.cidr)
            .availability_zone(&self.zone)
            .tag_specifications(specification(&ctx, ResourceType::Subnet, &self.name()));
        let subnet = create
            .customize()
            .config_override(sent_once())
            .send()
            .await
            .map_err(failed("ec2:CreateSubnet"))?;
        let id = required(subnet.subnet().and_then(RawSubnet::subnet_id), "subnet", "an id")?;
        // A new one gives no public addresses, and is usable at once: what is put into it does not wait for
        // `available`.
        Ok(Made::settled(id))
    }

    async fn update(self, _: Self, id: String, Call { client, .. }: Call<Client>) -> Result<Made> {
        let value = AttributeBooleanValue::builder().value(self.gives_public_addresses).build();
        let modify = client.modify_subnet_attribute().subnet_id(&id).map_public_ip_on_launch(value);
        modify.send().await.map_err(failed("ec2:ModifySubnetAttribute"))?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        gone(client.delete_subnet().subnet_id(id).send().await.map_err(failed("ec2:DeleteSubnet")), Gone::Now)
    }
}
