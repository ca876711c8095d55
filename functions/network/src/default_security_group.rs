//! The VPC's default security group, emptied: whatever is started without a group gets no traffic at all.

use aws::failed;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, IpPermission, SecurityGroup as RawGroup};
use serde::Serialize;
use statemachine::error::required;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::permissions::describe;
use crate::vpc;

/// The default security group. AWS makes it with the VPC, without tags, and takes it with the VPC: it is ours
/// because the VPC is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DefaultSecurityGroup {
    /// Its rules in words; none are wanted.
    pub rules: Vec<String>,
}

/// What AWS calls every default group.
const NAME: &str = "default";

/// Of all groups of a VPC, its default one.
pub(crate) fn among(groups: &[RawGroup]) -> Vec<RawGroup> {
    groups.iter().filter(|group| group.group_name() == Some(NAME)).cloned().collect()
}

/// The one default group of the stack's VPC.
pub fn name() -> Name {
    Name::new(DefaultSecurityGroup::KIND, "main")
}

impl Resource for DefaultSecurityGroup {
    type Client = Client;
    type Raw = RawGroup;

    const KIND: &'static str = "default-security-group";
    /// Found by the VPC's id.
    const LATE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let revoke = ["ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress"];
        vec![
            describe(&["ec2:DescribeSecurityGroups"]),
            // The default group carries no tags: allowed on groups without ours, and only to take rules away.
            Permission::on(&revoke, [scope.arn("ec2", "security-group/*")]).when(
                "Null",
                "aws:ResourceTag/stepstack:stack",
                ["true".to_owned()],
            ),
        ]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(vpc::name())]
    }

    async fn fetch(_: &Context, client: &Client, names: &Names) -> Result<Vec<RawGroup>> {
        match names.id(&vpc::name()) {
            Some(vpc) => find(client, vpc).await,
            None => Ok(Vec::new()),
        }
    }

    fn identify(_: &Context, raw: &RawGroup, names: &Names) -> Option<Identity> {
        let ours = raw.group_name() == Some(NAME)
            && raw.vpc_id().is_some()
            && raw.vpc_id() == names.id(&vpc::name());
        ours.then(|| raw.group_id().map(|id| Identity::ours(name(), id))).flatten()
    }

    fn read(raw: RawGroup, _: &Names) -> Result<State<Self>> {
        let ways_in = raw.ip_permissions().iter().map(|permission| in_words("in", permission));
        let ways_out = raw.ip_permissions_egress().iter().map(|permission| in_words("out", permission));
        Ok(State::Settled(Self { rules: ways_in.chain(ways_out).collect() }))
    }

    /// AWS has made it with the VPC: creating it is emptying it.
    async fn create(self, Call { client, names, .. }: Call<Client>) -> Result<Made> {
        empty(&client, &names.need(&vpc::name())?).await
    }

    async fn update(self, _: Self, _: String, Call { client, names, .. }: Call<Client>) -> Result<Made> {
        empty(&client, &names.need(&vpc::name())?).await
    }

    /// It goes with the VPC.
    async fn delete(_: String, _: Option<Self>, _: Call<Client>) -> Result<Gone> {
        Ok(Gone::Now)
    }
}

/// The default group of a VPC, in a list of one.
async fn find(client: &Client, vpc: &str) -> Result<Vec<RawGroup>> {
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let describe = client.describe_security_groups().filters(filter("vpc-id", vpc));
    let pages = describe.filters(filter("group-name", NAME)).into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeSecurityGroups"))
}

async fn empty(client: &Client, vpc: &str) -> Result<Made> {
    let group = find(client, vpc).await?.into_iter().next();
    let group =
        group.ok_or_else(|| Error::not_ready("AWS does not show the VPC's default security group yet"))?;
    let id = required(group.group_id(), "security group", "an id")?;
    if !group.ip_permissions().is_empty() {
        let revoke = client
            .revoke_security_group_ingress()
            .group_id(id)
            .set_ip_permissions(group.ip_permissions.clone());
        revoke.send().await.map_err(failed("ec2:RevokeSecurityGroupIngress"))?;
    }
    if !group.ip_permissions_egress().is_empty() {
        let revoke = client
            .revoke_security_group_egress()
            .group_id(id)
            .set_ip_permissions(group.ip_permissions_egress.clone());
        revoke.send().await.map_err(failed("ec2:RevokeSecurityGroupEgress"))?;
    }
    Ok(Made::settled(id))
}

/// `in tcp 22-22 from 0.0.0.0/0`.
fn in_words(direction: &str, permission: &IpPermission) -> String {
    let protocol = match permission.ip_protocol() {
        Some("-1") | None => "everything",
        Some(protocol) => protocol,
    };
    let ports = match (permission.from_port(), permission.to_port()) {
        (Some(from), Some(to)) => format!(" {from}-{to}"),
        _ => String::new(),
    };
    let peers: Vec<&str> = (permission.ip_ranges().iter().filter_map(|range| range.cidr_ip()))
        .chain(permission.ipv6_ranges().iter().filter_map(|range| range.cidr_ipv6()))
        .chain(permission.user_id_group_pairs().iter().filter_map(|pair| pair.group_id()))
        .chain(permission.prefix_list_ids().iter().filter_map(|list| list.prefix_list_id()))
        .collect();
    let toward = if direction == "in" { "from" } else { "to" };
    format!("{direction} {protocol}{ports} {toward} {}", peers.join(", "))
}
