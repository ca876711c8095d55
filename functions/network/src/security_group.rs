//! Security groups, without their rules.

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, ResourceType, SecurityGroup as RawGroup};
use serde::Serialize;
use statemachine::error::required;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{ErrorKind, Result};

use crate::permissions::{change, create, describe};
use crate::route_table::EVERYWHERE;
use crate::tags::{ours, owned, specification};
use crate::vpc;

/// A security group. Its rules are a kind of their own: they join groups that need one another, and go before
/// the groups do. Its description only says whose it is; AWS cannot change it, so it is no part of this.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SecurityGroup {
    /// `load-balancer`, `database`, `endpoints`, `service-api`.
    pub what: String,
    /// The VPC it is in.
    pub vpc: Name,
}

/// `security-group/load-balancer`.
pub fn name(what: &str) -> Name {
    resource::security_group(what)
}

/// `security-group/service-api`.
pub fn of_service(service: &str) -> Name {
    resource::security_group_of_service(service)
}

impl SecurityGroup {
    fn aws_name(ctx: &Context, name: &Name) -> String {
        ctx.aws_names().security_group(name.what())
    }
}

impl Resource for SecurityGroup {
    type Client = Client;
    type Raw = RawGroup;

    const KIND: &'static str = resource::kind::SECURITY_GROUP;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let mut permissions = create(scope, "ec2:CreateSecurityGroup", "security-group");
        permissions.push(describe(&["ec2:DescribeSecurityGroups"]));
        permissions.push(change(scope, &["ec2:CreateSecurityGroup"], &["vpc"]));
        let actions = ["ec2:RevokeSecurityGroupEgress", "ec2:DeleteSecurityGroup"];
        permissions.push(change(scope, &actions, &["security-group"]));
        permissions
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(self.vpc.clone())]
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<RawGroup>> {
        list(client, ours(ctx)).await
    }

    fn identify(ctx: &Context, raw: &RawGroup, _: &Names) -> Option<Identity> {
        let name = owned(ctx, raw.tags())?;
        // Copying a group in the console copies its tags.
        (raw.group_name()? == Self::aws_name(ctx, &name)).then_some(())?;
        Some(Identity::ours(name, raw.group_id()?))
    }

    fn read(raw: RawGroup, names: &Names) -> Result<State<Self>> {
        let id = required(raw.group_id(), "security group", "an id")?;
        let vpc = required(raw.vpc_id(), "security group", "a VPC")?;
        Ok(State::Settled(Self { what: names.name_of(id).what().to_owned(), vpc: names.name_of(vpc) }))
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        (self.vpc != now.vpc).then(|| {
            format!(
                "{} is in {}, and a security group cannot move. Delete it, then apply again.",
                self.name(),
                now.vpc
            )
        })
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let vpc = names.need(&vpc::name())?;
        let aws_name = Self::aws_name(&ctx, &self.name());
        let create = client
            .create_security_group()
            .group_name(&aws_name)
            .description(format!("{} of the stack {}, managed by Stepstack", self.what, ctx.stack()))
            .vpc_id(&vpc)
            .tag_specifications(specification(&ctx, ResourceType::SecurityGroup, &self.name()));
        let id = match create.send().await.map_err(failed("ec2:CreateSecurityGroup")) {
            Ok(group) => required(group.group_id(), "security group", "an id")?.to_owned(),
            // Perhaps ours, from a call whose answer was lost.
            Err(error) if error.kind == ErrorKind::Exists => {
                find(&ctx, &client, &vpc, &aws_name, &self.name()).await?.ok_or(error)?
            }
            Err(error) => return Err(error),
        };
        revoke_default(&client, &id).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        gone(
            client
                .delete_security_group()
                .group_id(id)
                .send()
                .await
                .map_err(failed("ec2:DeleteSecurityGroup")),
            Gone::Now,
        )
    }
}

/// All groups that a filter lets through.
pub(crate) async fn list(client: &Client, filter: Filter) -> Result<Vec<RawGroup>> {
    let pages = client.describe_security_groups().filters(filter).into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeSecurityGroups"))
}

/// The group of that name in the VPC, if it is ours.
async fn find(
    ctx: &Context,
    client: &Client,
    vpc: &str,
    aws_name: &str,
    name: &Name,
) -> Result<Option<String>> {
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let describe = client
        .describe_security_groups()
        .filters(filter("vpc-id", vpc))
        .filters(filter("group-name", aws_name));
    let groups = describe.send().await.map_err(failed("ec2:DescribeSecurityGroups"))?;
    let ours = groups.security_groups().iter().find(|group| owned(ctx, group.tags()).as_ref() == Some(name));
    Ok(ours.and_then(RawGroup::group_id).map(str::to_owned))
}

/// AWS gives every new group a way out to everywhere. Where that is left (the function died just before this
/// call), the rules find it and take it away.
async fn revoke_default(client: &Client, id: &str) -> Result<()> {
    let everywhere = IpRange::builder().cidr_ip(EVERYWHERE).build();
    let permission = IpPermission::builder().ip_protocol("-1").ip_ranges(everywhere).build();
    let revoke = client.revoke_security_group_egress().group_id(id).ip_permissions(permission);
    gone(revoke.send().await.map_err(failed("ec2:RevokeSecurityGroupEgress")), Gone::Now)?;
    Ok(())
}
