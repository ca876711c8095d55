//! What is there of a stack's network, looked up to find out what is wanted of it. The stages' resources hand it on
//! to the kinds, so that nothing is listed twice in a tick, and nothing that cannot be there.

use aws::failed;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    AvailabilityZoneState, Filter, SecurityGroup as RawGroup, Subnet as RawSubnet, VpcEndpoint as RawEndpoint,
};
use futures_util::future::{OptionFuture, try_join3};
use statemachine::resource::{Context, Name, Names, Resource as _};
use statemachine::{Error, ErrorKind, Result, Stage};

use crate::security_group;
use crate::subnet::{self, Subnet};
use crate::tags::owned;
use crate::vpc::{self, Vpc};
use crate::vpc_endpoint::VpcEndpoint;

/// Attribute that holds how many there are of something.
const COUNT: &str = "count";

/// What was seen for the stage `network`.
pub struct Seen {
    pub(crate) vpcs: Vec<vpc::Raw>,
    pub(crate) subnets: Vec<RawSubnet>,
    pub(crate) endpoints: Vec<RawEndpoint>,
    /// All security groups of the VPCs that were seen, the default ones too; `None` without a VPC.
    pub(crate) groups: Option<Vec<RawGroup>>,
}

impl Seen {
    /// Looks at VPCs, subnets and endpoints of the stack, and at the security groups of its VPC.
    pub async fn look(ctx: &Context, client: &Client) -> Result<Self> {
        let none = Names::default();
        let vpcs = async {
            let vpcs = Vpc::fetch(ctx, client, &none).await?;
            let ids: Vec<String> =
                vpcs.iter().filter_map(|raw| raw.vpc.vpc_id().map(str::to_owned)).collect();
            let in_vpcs = Filter::builder().name("vpc-id").set_values(Some(ids.clone())).build();
            let groups = (!ids.is_empty()).then(|| security_group::list(client, in_vpcs));
            Ok((vpcs, OptionFuture::from(groups).await.transpose()?))
        };
        let ((vpcs, groups), subnets, endpoints) =
            try_join3(vpcs, Subnet::fetch(ctx, client, &none), VpcEndpoint::fetch(ctx, client, &none))
                .await?;
        Ok(Self { vpcs, subnets, endpoints, groups })
    }

    /// Whether nothing of ours lies in a VPC: there is neither a VPC nor a subnet of ours. A VPC that lost its tags
    /// by hand still has its subnets.
    pub(crate) fn nowhere(&self) -> bool {
        self.vpcs.is_empty() && self.subnets.is_empty()
    }

    /// The zones of the subnets `-a` and `-b`: those that they are in; for subnets that do not exist yet what
    /// this run has `chosen` before, else the first available zones of the region, by name. Zones once chosen
    /// stay, whatever AWS adds or closes.
    ///
    /// # Errors
    ///
    /// The region offers fewer than two zones.
    pub async fn zones(&self, ctx: &Context, client: &Client, chosen: &Names) -> Result<[String; 2]> {
        let zone_of = |letter: &str| {
            let in_it = |subnet: &&RawSubnet| {
                owned(ctx, subnet.tags()).is_some_and(|name| name.what().ends_with(letter))
            };
            self.subnets.iter().find(in_it).and_then(RawSubnet::availability_zone).map(str::to_owned)
        };
        let chosen = |letter| chosen.id(&subnet::zone(letter)).map(str::to_owned);
        let first = zone_of("-a").or_else(|| chosen("a"));
        let second = zone_of("-b").or_else(|| chosen("b"));
        if let (Some(first), Some(second)) = (&first, &second) {
            return Ok([first.clone(), second.clone()]);
        }
        let taken: Vec<String> = [&first, &second].into_iter().flatten().cloned().collect();
        let mut free = available_zones(client).await?.into_iter().filter(|zone| !taken.contains(zone));
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

    /// What the stage `network` tells `egress`: how many endpoints of that stage it has seen.
    pub(crate) fn count_of_interfaces(&self, ctx: &Context) -> (Name, String) {
        let egress = Context { stage: Stage::Egress.into(), ..ctx.clone() };
        let of_egress = self.endpoints.iter().filter(|raw| owned(&egress, raw.tags()).is_some());
        (interfaces().attribute(COUNT), of_egress.count().to_string())
    }
}

/// By what the stage `network` has told in `names`: whether there is neither a VPC nor a subnet of ours.
pub(crate) fn told_nowhere(names: &Names) -> bool {
    names.id(&vpc::name()).is_none() && names.of_kind(Subnet::KIND).next().is_none()
}

/// By what the stage `network` has told in `names`: whether it has seen no endpoint of the stage `egress`.
pub(crate) fn told_no_interfaces(names: &Names) -> bool {
    names.attribute(&interfaces(), COUNT) == Some("0")
}

/// Under which name the stage `network` tells how many endpoints of the stage `egress` it has seen.
fn interfaces() -> Name {
    Name::new(VpcEndpoint::KIND, "egress")
}

/// The region's zones that are up, by name.
async fn available_zones(client: &Client) -> Result<Vec<String>> {
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
