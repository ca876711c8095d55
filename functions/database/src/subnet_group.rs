//! The DB subnet group: the private subnets.

use std::collections::BTreeSet;

use aws::{failed, gone};
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbSubnetGroup as RawGroup, Tag};
use serde::Serialize;
use statemachine::error::Optional as _;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

use crate::tags::{change, data_of_part, owned, owns, put_on, tags};

/// Where the database's instances may stand.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SubnetGroup {
    /// `{app}-{env}`.
    pub group_name: String,
    /// The private subnets.
    pub subnets: BTreeSet<Name>,
}

/// `db-subnet-group/main`.
pub fn name() -> Name {
    Name::new(SubnetGroup::KIND, "main")
}

impl SubnetGroup {
    /// The group of a stack.
    pub fn of(ctx: &Context) -> Self {
        let subnets = ["private-a", "private-b"].map(resource::subnet);
        Self { group_name: ctx.aws_names().db_subnet_group(), subnets: subnets.into() }
    }
}

/// A group with its tags.
pub struct Raw {
    group: RawGroup,
    tags: Vec<Tag>,
}

impl Resource for SubnetGroup {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "db-subnet-group";
    const ADOPTABLE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let look_and_make = [
            "rds:AddTagsToResource",
            "rds:CreateDBSubnetGroup",
            "rds:DescribeDBSubnetGroups",
            "rds:ListTagsForResource",
        ];
        vec![
            Permission::on(&look_and_make, [owns(scope, "subgrp")]),
            change(scope, &["rds:DeleteDBSubnetGroup", "rds:ModifyDBSubnetGroup"], &["subgrp"]),
        ]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        self.subnets.iter().cloned().map(Need::Exists).collect()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let groups = client
            .describe_db_subnet_groups()
            .db_subnet_group_name(ctx.aws_names().db_subnet_group())
            .send()
            .await;
        let groups = groups.map_err(failed("rds:DescribeDBSubnetGroups")).optional()?;
        let Some(group) =
            groups.and_then(|groups| groups.db_subnet_groups.unwrap_or_default().into_iter().next())
        else {
            return Ok(Vec::new());
        };
        let tags = client
            .list_tags_for_resource()
            .resource_name(group.db_subnet_group_arn().unwrap_or_default())
            .send()
            .await;
        let tags = tags.map_err(failed("rds:ListTagsForResource"))?.tag_list.unwrap_or_default();
        Ok(vec![Raw { group, tags }])
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.group.db_subnet_group_name()?;
        let ours = owned(ctx, &raw.tags) == Some(name());
        let identity = if ours { Identity::ours(name(), id) } else { Identity::theirs(name(), id) };
        Some(Identity { data: data_of_part(ctx), ..identity })
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let subnets = raw.group.subnets().iter().filter_map(|subnet| subnet.subnet_identifier());
        let found = Self {
            group_name: raw.group.db_subnet_group_name().unwrap_or_default().to_owned(),
            subnets: subnets.map(|id| names.name_of(id)).collect(),
        };
        match raw.group.subnet_group_status() {
            Some("Complete") => Ok(State::Settled(found)),
            other => Err(Error::unknown_status("DB subnet group", other.unwrap_or("none"))),
        }
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let create = client
            .create_db_subnet_group()
            .db_subnet_group_name(&self.group_name)
            .db_subnet_group_description(format!("Private subnets of {}", ctx.stack()))
            .set_subnet_ids(Some(self.ids(&names)?))
            .set_tags(Some(tags(&ctx, &self.name(), &[])));
        match create.send().await.map_err(failed("rds:CreateDBSubnetGroup")) {
            Ok(_) => Ok(Made::settled(self.group_name)),
            // An earlier call got through without our hearing of it: the next look says whose it is.
            Err(error) if error.kind == ErrorKind::Exists => Ok(Made::started(self.group_name)),
            Err(error) => Err(error),
        }
    }

    async fn adopt(&self, id: String, Call { ctx, client, .. }: Call<Client>) -> Result<()> {
        put_on(&client, "subgrp", &id, &ctx, &self.name()).await
    }

    async fn update(self, _: Self, id: String, Call { client, names, .. }: Call<Client>) -> Result<Made> {
        let modify =
            client.modify_db_subnet_group().db_subnet_group_name(&id).set_subnet_ids(Some(self.ids(&names)?));
        modify.send().await.map_err(failed("rds:ModifyDBSubnetGroup"))?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        gone(
            client
                .delete_db_subnet_group()
                .db_subnet_group_name(id)
                .send()
                .await
                .map_err(failed("rds:DeleteDBSubnetGroup")),
            Gone::Now,
        )
    }
}

impl SubnetGroup {
    fn ids(&self, names: &Names) -> Result<Vec<String>> {
        self.subnets.iter().map(|subnet| names.need(subnet)).collect()
    }
}
