//! Subnets: two public, two private.

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{ResourceType, Subnet as RawSubnet, SubnetState};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::permissions::{DESCRIBE, owned_by_app, tagged_create};
use crate::tags::{ours, owned, specification};
use crate::vpc;

/// A subnet. None gives public addresses by itself: tasks ask for theirs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Subnet {
    /// `public-a`, `public-b`, `private-a`, `private-b`.
    pub what: String,
    /// Cannot change.
    pub cidr: String,
    /// Availability zone, `us-east-1a`. Cannot change.
    pub zone: String,
    /// The VPC it is in.
    pub vpc: Name,
}

/// `subnet/public-a`.
pub fn name(what: &str) -> Name {
    Name::new(Subnet::KIND, what)
}

impl Resource for Subnet {
    type Client = Client;
    type Raw = RawSubnet;

    const KIND: &'static str = "subnet";
    const TOKENLESS: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let subnet = scope.arn("ec2", "subnet/*");
        let mut permissions = tagged_create(scope, "ec2:CreateSubnet", "CreateSubnet", &subnet);
        permissions.push(Permission::unscoped(&["ec2:DescribeSubnets"], DESCRIBE));
        permissions.push(owned_by_app(scope, &["ec2:CreateSubnet"], [scope.arn("ec2", "vpc/*")]));
        permissions.push(owned_by_app(scope, &["ec2:DeleteSubnet"], [subnet]));
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
        let field = |value: Option<&str>, field| value.map(str::to_owned).ok_or_else(|| Error::missing_field("subnet", field));
        let id = field(raw.subnet_id(), "an id")?;
        let found = Self {
            what: names.name_of(&id).what().to_owned(),
            cidr: field(raw.cidr_block(), "a CIDR block")?,
            zone: field(raw.availability_zone(), "a zone")?,
            vpc: names.name_of(&field(raw.vpc_id(), "a VPC")?),
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
        (self != now).then(|| {
            format!(
                "Subnet {} is {} in {} and cannot change to {} in {}. Put the old addresses back into the file, or make a new environment.",
                self.what, now.cidr, now.zone, self.cidr, self.zone
            )
        })
    }

    async fn create(self, ctx: Context, client: Client, ids: Names) -> Result<Made> {
        let create = client
            .create_subnet()
            .vpc_id(ids.need(&vpc::name())?)
            .cidr_block(&self.cidr)
            .availability_zone(&self.zone)
            .tag_specifications(specification(&ctx, ResourceType::Subnet, &self.name()));
        let subnet = create.send().await.map_err(failed("ec2:CreateSubnet"))?;
        let id = subnet.subnet().and_then(RawSubnet::subnet_id).ok_or_else(|| Error::missing_field("subnet", "an id"))?;
        // Usable at once: what is put into it does not wait for `available`.
        Ok(Made::settled(id))
    }

    async fn update(self, _: Self, _: String, _: Context, _: Client, _: Names) -> Result<Made> {
        Err(Error::internal("a subnet never changes"))
    }

    async fn delete(id: String, _: Option<Self>, _: Context, client: Client, _: Names) -> Result<Gone> {
        gone(client.delete_subnet().subnet_id(id).send().await.map_err(failed("ec2:DeleteSubnet")), Gone::Now)
    }
}
