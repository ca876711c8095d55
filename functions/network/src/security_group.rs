//! Security groups, without their rules: those are a kind of their own.

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, ResourceType, SecurityGroup as Raw};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

use crate::permissions::{DESCRIBE, owned_by_app, tagged_create};
use crate::tags::{ours, owned, specification};
use crate::vpc;

/// A security group. A new one lets everything out; that rule is taken away when it is made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SecurityGroup {
    /// `load-balancer`, `service-api`, `database`, `endpoints`.
    pub what: String,
    /// Cannot change.
    pub description: String,
}

/// `security-group/service-api`.
pub fn name(what: &str) -> Name {
    Name::new(SecurityGroup::KIND, what)
}

/// The group of a service's tasks.
pub fn of_service(service: &str) -> Name {
    name(&format!("service-{service}"))
}

impl Resource for SecurityGroup {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "security-group";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let group = scope.arn("ec2", "security-group/*");
        let mut permissions = tagged_create(scope, "ec2:CreateSecurityGroup", "CreateSecurityGroup", &group);
        permissions.push(Permission::unscoped(&["ec2:DescribeSecurityGroups"], DESCRIBE));
        permissions.push(owned_by_app(scope, &["ec2:CreateSecurityGroup"], [scope.arn("ec2", "vpc/*")]));
        permissions.push(owned_by_app(scope, &["ec2:DeleteSecurityGroup", "ec2:RevokeSecurityGroupEgress"], [group]));
        permissions
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(vpc::name())]
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let pages = client.describe_security_groups().filters(ours(ctx)).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeSecurityGroups"))
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        Some(Identity::ours(owned(ctx, raw.tags())?, raw.group_id()?))
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let id = raw.group_id().ok_or_else(|| Error::missing_field("security group", "an id"))?;
        let description = raw.description().unwrap_or_default().to_owned();
        Ok(State::Settled(Self { what: names.name_of(id).what().to_owned(), description }))
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        (self != now).then(|| {
            format!("The security group {} is described as {:?}, which AWS does not let us change.", now.what, now.description)
        })
    }

    async fn create(self, ctx: Context, client: Client, ids: Names) -> Result<Made> {
        let (vpc, group_name) = (ids.need(&vpc::name())?, format!("{}-{}", ctx.prefix(), self.what));
        let create = client
            .create_security_group()
            .vpc_id(&vpc)
            .group_name(&group_name)
            .description(&self.description)
            .tag_specifications(specification(&ctx, ResourceType::SecurityGroup, &self.name()))
            .send()
            .await
            .map_err(failed("ec2:CreateSecurityGroup"));
        let id = match create {
            Ok(created) => created.group_id().map(str::to_owned),
            // Its name is unique in the VPC: an earlier call made it, and its answer was lost.
            Err(error) if error.kind == ErrorKind::Exists => find(&client, &ctx, &vpc, &group_name).await?,
            Err(error) => return Err(error),
        };
        let id = id.ok_or_else(|| Error::missing_field("security group", "an id"))?;
        let everywhere = IpPermission::builder().ip_protocol("-1").ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build()).build();
        let revoke = client.revoke_security_group_egress().group_id(&id).ip_permissions(everywhere).send().await;
        match revoke.map_err(failed("ec2:RevokeSecurityGroupEgress")) {
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::Missing => {}
            // The rule is then seen as one that nobody describes, and goes in the removing pass.
            Err(error) if error.kind == ErrorKind::Transient => {}
            Err(error) => return Err(error),
        }
        Ok(Made::settled(id))
    }

    async fn update(self, _: Self, _: String, _: Context, _: Client, _: Names) -> Result<Made> {
        Err(Error::internal("a security group never changes"))
    }

    async fn delete(id: String, _: Option<Self>, _: Context, client: Client, _: Names) -> Result<Gone> {
        gone(client.delete_security_group().group_id(id).send().await.map_err(failed("ec2:DeleteSecurityGroup")), Gone::Now)
    }
}

async fn find(client: &Client, ctx: &Context, vpc: &str, group_name: &str) -> Result<Option<String>> {
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let groups = client.describe_security_groups().filters(filter("vpc-id", vpc)).filters(filter("group-name", group_name));
    let groups = groups.filters(ours(ctx)).send().await.map_err(failed("ec2:DescribeSecurityGroups"))?;
    Ok(groups.security_groups().first().and_then(Raw::group_id).map(str::to_owned))
}
