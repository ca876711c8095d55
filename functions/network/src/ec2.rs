//! EC2 as the kinds call it: with what the description of a stage had to look at already, so that nothing is
//! listed twice in a tick, and nothing is listed that cannot be there.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws::{SentOnce, failed};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    AvailabilityZoneState, Filter, SecurityGroup as RawGroup, Subnet as RawSubnet, Vpc as RawVpc,
    VpcEndpoint as RawEndpoint,
};
use futures_util::future::try_join3;
use statemachine::resource::{Context, Name, Names};
use statemachine::{Error, ErrorKind, Result, Stage};

use crate::tags::{ours, owned};
use crate::{subnet, vpc};

/// The client, and what is known before the first fetch of each kind. Later fetches always ask EC2.
#[derive(Clone, Debug)]
pub struct Ec2 {
    client: Client,
    before: Arc<Mutex<Before>>,
}

/// What a create is sent with that neither a token nor a name makes repeatable.
pub(crate) fn sent_once() -> aws_sdk_ec2::config::Builder {
    aws_sdk_ec2::config::Builder::new().retry_classifier(SentOnce)
}

impl std::ops::Deref for Ec2 {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// What was seen before the first fetch. Each listing is handed out once.
#[derive(Debug, Default)]
struct Before {
    vpcs: Option<Vec<RawVpc>>,
    subnets: Option<Vec<RawSubnet>>,
    endpoints: Option<Vec<RawEndpoint>>,
    default_groups: Option<Vec<RawGroup>>,
    /// Of the VPCs that were seen.
    vpc_ids: Vec<String>,
    /// There is neither a VPC nor a subnet of ours, so there is nothing of ours that lies in one.
    nowhere: bool,
    /// Kinds that were spared a listing.
    spared: BTreeSet<&'static str>,
}

impl Ec2 {
    /// Nothing is known: every kind is listed.
    pub fn new(client: &Client) -> Self {
        Self { client: client.clone(), before: Arc::default() }
    }

    /// Looks at what the stage `network` is described by: VPCs, subnets and endpoints of the stack, at once.
    pub async fn look(ctx: &Context, client: &Client) -> Result<Self> {
        let (vpcs, subnets, endpoints) =
            try_join3(list_vpcs(ctx, client), list_subnets(ctx, client), list_endpoints(ctx, client)).await?;
        let vpc_ids: Vec<String> = vpcs.iter().filter_map(|vpc| vpc.vpc_id().map(str::to_owned)).collect();
        // A VPC that lost its tags by hand still has its subnets: then everything is listed.
        let nowhere = vpcs.is_empty() && subnets.is_empty();
        let before = Before {
            vpcs: Some(vpcs),
            subnets: Some(subnets),
            endpoints: Some(endpoints),
            vpc_ids,
            nowhere,
            ..Before::default()
        };
        Ok(Self { client: client.clone(), before: Arc::new(Mutex::new(before)) })
    }

    /// For the stage `egress` of a described stack, by what the stage `network` has found. `interfaces` says
    /// whether endpoints of this stage are wanted.
    pub fn after(names: &Names, client: &Client, interfaces: bool) -> Self {
        let subnets = names.of_kind("subnet").next();
        let nowhere = names.id(&vpc::name()).is_none() && subnets.is_none();
        // Only this stage makes such endpoints: where it wants none and none was seen, there is none.
        let none = !interfaces && names.attribute(&Self::interfaces(), COUNT) == Some("0");
        let before = Before { endpoints: none.then(Vec::new), nowhere, ..Before::default() };
        Self { client: client.clone(), before: Arc::new(Mutex::new(before)) }
    }

    /// Under which name the stage `network` tells how many endpoints of the stage `egress` it has seen.
    fn interfaces() -> Name {
        Name::new("vpc-endpoint", "egress")
    }

    /// What the stage `network` tells `egress`: how many endpoints of that stage it has seen.
    pub(crate) fn count_of_interfaces(&self, ctx: &Context) -> Option<(Name, String)> {
        let egress = Context { stage: Stage::Egress.into(), ..ctx.clone() };
        let before = self.before();
        let of_egress = before.endpoints.as_ref()?.iter().filter(|raw| owned(&egress, raw.tags()).is_some());
        Some((Self::interfaces().attribute(COUNT), of_egress.count().to_string()))
    }

    /// The zones of the subnets `-a` and `-b`: those that they are in; for subnets that do not exist yet what
    /// this run has `chosen` before, else the first available zones of the region, by name. Zones once chosen
    /// stay, whatever AWS adds or closes.
    ///
    /// Fails where the region offers fewer than two zones.
    pub async fn zones(&self, ctx: &Context, chosen: &Names) -> Result<[String; 2]> {
        let zone_of = |letter: &str| {
            let in_it = |subnet: &&RawSubnet| {
                owned(ctx, subnet.tags()).is_some_and(|name| name.what().ends_with(letter))
            };
            let before = self.before();
            let subnet = before.subnets.as_ref().and_then(|subnets| subnets.iter().find(in_it));
            subnet.and_then(RawSubnet::availability_zone).map(str::to_owned)
        };
        let chosen = |letter| chosen.id(&subnet::zone(letter)).map(str::to_owned);
        let first = zone_of("-a").or_else(|| chosen("a"));
        let second = zone_of("-b").or_else(|| chosen("b"));
        if let (Some(first), Some(second)) = (&first, &second) {
            return Ok([first.clone(), second.clone()]);
        }
        let taken: Vec<String> = [&first, &second].into_iter().flatten().cloned().collect();
        let mut free = available(&self.client).await?.into_iter().filter(|zone| !taken.contains(zone));
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

    /// Whether the first listing of a kind that lies in a VPC can be spared: none of ours is there to hold it.
    pub(crate) fn spares(&self, kind: &'static str) -> bool {
        let mut before = self.before();
        before.nowhere && before.spared.insert(kind)
    }

    pub(crate) async fn vpcs(&self, ctx: &Context) -> Result<Vec<RawVpc>> {
        let seen = self.before().vpcs.take();
        match seen {
            Some(seen) => Ok(seen),
            None => list_vpcs(ctx, &self.client).await,
        }
    }

    pub(crate) async fn subnets(&self, ctx: &Context) -> Result<Vec<RawSubnet>> {
        let seen = self.before().subnets.take();
        match seen {
            Some(seen) => Ok(seen),
            None => list_subnets(ctx, &self.client).await,
        }
    }

    pub(crate) async fn endpoints(&self, ctx: &Context) -> Result<Vec<RawEndpoint>> {
        let seen = self.before().endpoints.take();
        match seen {
            Some(seen) => Ok(seen),
            None => list_endpoints(ctx, &self.client).await,
        }
    }

    /// The security groups that may be ours. Where the VPC is known they are listed by it: one listing then
    /// holds its default group too.
    pub(crate) async fn groups(&self, ctx: &Context) -> Result<Vec<RawGroup>> {
        let vpcs = self.before().vpc_ids.clone();
        if vpcs.is_empty() {
            return list_groups(&self.client, [ours(ctx)]).await;
        }
        let in_vpcs = Filter::builder().name("vpc-id").set_values(Some(vpcs)).build();
        let groups = list_groups(&self.client, [in_vpcs]).await?;
        let default = groups.iter().filter(|group| group.group_name() == Some("default"));
        self.before().default_groups = Some(default.cloned().collect());
        Ok(groups)
    }

    /// The default security group of a VPC, in a list of one.
    pub(crate) async fn default_group(&self, vpc: &str) -> Result<Vec<RawGroup>> {
        let seen = self.before().default_groups.take();
        if let Some(seen) = seen {
            return Ok(seen);
        }
        let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        list_groups(&self.client, [filter("vpc-id", vpc), filter("group-name", "default")]).await
    }

    fn before(&self) -> MutexGuard<'_, Before> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const COUNT: &str = "count";

async fn list_vpcs(ctx: &Context, client: &Client) -> Result<Vec<RawVpc>> {
    let pages = client.describe_vpcs().filters(ours(ctx)).into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeVpcs"))
}

async fn list_subnets(ctx: &Context, client: &Client) -> Result<Vec<RawSubnet>> {
    let pages = client.describe_subnets().filters(ours(ctx)).into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeSubnets"))
}

async fn list_endpoints(ctx: &Context, client: &Client) -> Result<Vec<RawEndpoint>> {
    let pages = client.describe_vpc_endpoints().filters(ours(ctx)).into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeVpcEndpoints"))
}

async fn list_groups(client: &Client, filters: impl IntoIterator<Item = Filter>) -> Result<Vec<RawGroup>> {
    let describe = client.describe_security_groups().set_filters(Some(filters.into_iter().collect()));
    let pages = describe.into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeSecurityGroups"))
}

/// The region's zones that are up, by name.
async fn available(client: &Client) -> Result<Vec<String>> {
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let describe = client
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
