//! Subnets: two public, two private, in two zones.

use std::sync::{Arc, Mutex, PoisonError};

use aws::{failed, gone};
use aws_sdk_ec2::types::{
    AttributeBooleanValue, AvailabilityZoneState, Filter, ResourceType, Subnet as RawSubnet, SubnetState,
};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

use crate::permissions::{change, create, describe};
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
    Name::new(Subnet::KIND, what)
}

/// EC2, and the listing that the choice of zones has made already: the first look takes it, so that subnets
/// are not listed twice in a tick.
#[derive(Clone, Debug)]
pub struct Client {
    ec2: aws_sdk_ec2::Client,
    listed: Arc<Mutex<Option<Vec<RawSubnet>>>>,
}

impl Client {
    /// Without a listing.
    pub fn new(ec2: &aws_sdk_ec2::Client) -> Self {
        Self { ec2: ec2.clone(), listed: Arc::default() }
    }

    /// The zones of the subnets `-a` and `-b`: those that they are in; for subnets that do not exist yet the
    /// first available zones of the region, by name. Zones once chosen stay, whatever AWS adds or closes.
    ///
    /// Fails where the region offers fewer than two zones.
    pub async fn zones(&self, ctx: &Context) -> Result<[String; 2]> {
        let subnets = list(ctx, &self.ec2).await?;
        let zone_of = |letter: &str| {
            let in_it = |subnet: &&RawSubnet| {
                owned(ctx, subnet.tags()).is_some_and(|name| name.what().ends_with(letter))
            };
            subnets.iter().find(in_it).and_then(RawSubnet::availability_zone).map(str::to_owned)
        };
        let (first, second) = (zone_of("-a"), zone_of("-b"));
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = Some(subnets);
        if let (Some(first), Some(second)) = (&first, &second) {
            return Ok([first.clone(), second.clone()]);
        }
        let taken: Vec<String> = [&first, &second].into_iter().flatten().cloned().collect();
        let mut free = available(&self.ec2).await?.into_iter().filter(|zone| !taken.contains(zone));
        let mut or_free = |zone: Option<String>| {
            let none = || {
                let message = format!(
                    "The region {} offers this account fewer than two zones. Choose another region.",
                    ctx.region
                );
                Error::new(ErrorKind::Invalid, message)
            };
            zone.or_else(|| free.next()).ok_or_else(none)
        };
        Ok([or_free(first)?, or_free(second)?])
    }
}

/// The region's zones that are up, by name.
async fn available(ec2: &aws_sdk_ec2::Client) -> Result<Vec<String>> {
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let describe = ec2
        .describe_availability_zones()
        .filters(filter("state", "available"))
        .filters(filter("zone-type", "availability-zone"));
    let answer = describe.send().await.map_err(failed("ec2:DescribeAvailabilityZones"))?;
    let up = answer
        .availability_zones()
        .iter()
        .filter(|zone| zone.state() == Some(&AvailabilityZoneState::Available));
    let mut zones: Vec<String> = up.filter_map(|zone| zone.zone_name()).map(str::to_owned).collect();
    zones.sort();
    Ok(zones)
}

async fn list(ctx: &Context, ec2: &aws_sdk_ec2::Client) -> Result<Vec<RawSubnet>> {
    let pages = ec2.describe_subnets().filters(ours(ctx)).into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeSubnets"))
}

impl Resource for Subnet {
    type Client = Client;
    type Raw = RawSubnet;

    const KIND: &'static str = "subnet";
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
        let listed = client.listed.lock().unwrap_or_else(PoisonError::into_inner).take();
        match listed {
            Some(subnets) => Ok(subnets),
            None => list(ctx, &client.ec2).await,
        }
    }

    fn identify(ctx: &Context, raw: &RawSubnet, _: &Names) -> Option<Identity> {
        Some(Identity::ours(owned(ctx, raw.tags())?, raw.subnet_id()?))
    }

    fn read(raw: RawSubnet, names: &Names) -> Result<State<Self>> {
        let field = |value: Option<&str>, field| {
            value.map(str::to_owned).ok_or_else(|| Error::missing_field("subnet", field))
        };
        let id = field(raw.subnet_id(), "an id")?;
        let found = Self {
            what: names.name_of(&id).what().to_owned(),
            cidr: field(raw.cidr_block(), "a CIDR block")?,
            zone: field(raw.availability_zone(), "a zone")?,
            gives_public_addresses: raw.map_public_ip_on_launch().unwrap_or(false),
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
        let Self { what, cidr, zone, gives_public_addresses: _, vpc } = self;
        ((cidr, zone, vpc) != (&now.cidr, &now.zone, &now.vpc)).then(|| {
            format!(
                "Subnet {what} is {} in {} and cannot change to {cidr} in {zone}. Put the old addresses back into the file, or make a new environment.",
                now.cidr, now.zone
            )
        })
    }

    async fn create(self, ctx: Context, client: Client, ids: Names) -> Result<Made> {
        let create = client
            .ec2
            .create_subnet()
            .vpc_id(ids.need(&vpc::name())?)
            .cidr_block(&self.cidr)
            .availability_zone(&self.zone)
            .tag_specifications(specification(&ctx, ResourceType::Subnet, &self.name()));
        let subnet = create.send().await.map_err(failed("ec2:CreateSubnet"))?;
        let id = subnet
            .subnet()
            .and_then(RawSubnet::subnet_id)
            .ok_or_else(|| Error::missing_field("subnet", "an id"))?;
        // A new one gives no public addresses, and is usable at once: what is put into it does not wait for
        // `available`.
        Ok(Made::settled(id))
    }

    async fn update(self, _: Self, id: String, _: Context, client: Client, _: Names) -> Result<Made> {
        let value = AttributeBooleanValue::builder().value(self.gives_public_addresses).build();
        let modify = client.ec2.modify_subnet_attribute().subnet_id(&id).map_public_ip_on_launch(value);
        modify.send().await.map_err(failed("ec2:ModifySubnetAttribute"))?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, _: Context, client: Client, _: Names) -> Result<Gone> {
        gone(
            client.ec2.delete_subnet().subnet_id(id).send().await.map_err(failed("ec2:DeleteSubnet")),
            Gone::Now,
        )
    }
}
