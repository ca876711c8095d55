//! The cluster parameter group: TLS is forced.

use std::collections::BTreeMap;

use aws::{failed, gone};
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{ApplyMethod, DbClusterParameterGroup as RawGroup, Parameter, Tag};
use futures_util::future::{try_join, try_join_all};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State, short_hash,
};
use statemachine::{ErrorKind, Result};

use crate::tags::{change, data_of_part, owned, owns, put_on, tags};

/// What is set, and why. The rest are AWS's defaults, and what somebody else sets is left alone. Statements
/// are not logged: their text can hold personal data.
const PARAMETERS: [(&str, &str); 2] = [
    // Connections without TLS are refused.
    ("rds.force_ssl", "1"),
    // Who waits longer than a second for a lock stands in the log.
    ("log_lock_waits", "1"),
];

/// A parameter group of the engine's major version, which is its identity: another major is another group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParameterGroup {
    /// `aurora-postgresql15`.
    pub family: String,
    /// The parameters that are ours to set, with their values.
    pub parameters: BTreeMap<String, String>,
}

impl ParameterGroup {
    /// The group for a major version.
    pub fn of(major: &str) -> Self {
        let parameters = PARAMETERS.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Self { family: format!("aurora-postgresql{major}"), parameters: parameters.into() }
    }
}

fn name_of(family: &str) -> Name {
    Name::hashed(ParameterGroup::KIND, "main", &family)
}

/// `{app}-{env}-{hash}`.
fn group_name(ctx: &Context, family: &str) -> String {
    ctx.aws_names().db_parameter_group(&short_hash(&family))
}

/// A group with its tags and the parameters that were set.
pub struct Raw {
    group: RawGroup,
    tags: Vec<Tag>,
    set: Vec<Parameter>,
}

impl Resource for ParameterGroup {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "db-parameter-group";
    const ADOPTABLE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let look_and_make = [
            "rds:AddTagsToResource",
            "rds:CreateDBClusterParameterGroup",
            "rds:DescribeDBClusterParameters",
            "rds:ListTagsForResource",
        ];
        vec![
            Permission::on(&look_and_make, [owns(scope, "cluster-pg")]),
            // The groups of former majors are found by a listing of all.
            Permission::on(&["rds:DescribeDBClusterParameterGroups"], [scope.arn("rds", "cluster-pg:*")]),
            change(
                scope,
                &["rds:DeleteDBClusterParameterGroup", "rds:ModifyDBClusterParameterGroup"],
                &["cluster-pg"],
            ),
        ]
    }

    fn name(&self) -> Name {
        name_of(&self.family)
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let pages = client.describe_db_cluster_parameter_groups().into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await;
        let all = all.map_err(failed("rds:DescribeDBClusterParameterGroups"))?;
        // Whatever the family, so that the group of a former major is a left-over.
        let in_our_place = |group: &RawGroup| {
            let family = group.db_parameter_group_family().unwrap_or_default();
            group.db_cluster_parameter_group_name() == Some(group_name(ctx, family).as_str())
        };
        let raws = all.into_iter().filter(in_our_place).map(|group| async move {
            let (tags, set) = try_join(tags_of(client, &group), set_parameters(client, &group)).await?;
            Ok(Raw { group, tags, set })
        });
        try_join_all(raws).await
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.group.db_cluster_parameter_group_name()?;
        let name = name_of(raw.group.db_parameter_group_family()?);
        let ours = owned(ctx, &raw.tags).as_ref() == Some(&name);
        let identity = if ours { Identity::ours(name, id) } else { Identity::theirs(name, id) };
        Some(Identity { data: data_of_part(ctx), ..identity })
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        let is_ours_to_set = |key: &str| PARAMETERS.iter().any(|(ours, _)| *ours == key);
        let set = raw
            .set
            .iter()
            .filter_map(|parameter| Some((parameter.parameter_name()?, parameter.parameter_value()?)));
        Ok(State::Settled(Self {
            family: raw.group.db_parameter_group_family().unwrap_or_default().to_owned(),
            parameters: set
                .filter(|(key, _)| is_ours_to_set(key))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        }))
    }

    async fn create(self, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        let group_name = group_name(&ctx, &self.family);
        let create = client
            .create_db_cluster_parameter_group()
            .db_cluster_parameter_group_name(&group_name)
            .db_parameter_group_family(&self.family)
            .description(format!("Parameters of {}", ctx.stack()))
            .set_tags(Some(tags(&ctx, &self.name(), &[])));
        match create.send().await.map_err(failed("rds:CreateDBClusterParameterGroup")) {
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::Exists => return Ok(Made::started(group_name)),
            Err(error) => return Err(error),
        }
        match self.set(&client, &group_name).await {
            Ok(()) => Ok(Made::settled(group_name)),
            // The next look finds the difference.
            Err(_) => Ok(Made::started(group_name)),
        }
    }

    async fn adopt(&self, id: String, Call { ctx, client, .. }: Call<Client>) -> Result<()> {
        put_on(&client, "cluster-pg", &id, &ctx, &self.name()).await
    }

    async fn update(self, _: Self, id: String, Call { client, .. }: Call<Client>) -> Result<Made> {
        self.set(&client, &id).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let delete =
            client.delete_db_cluster_parameter_group().db_cluster_parameter_group_name(id).send().await;
        gone(delete.map_err(failed("rds:DeleteDBClusterParameterGroup")), Gone::Now)
    }
}

impl ParameterGroup {
    async fn set(&self, client: &Client, group_name: &str) -> Result<()> {
        // Both take effect on a running server; nothing waits for a restart.
        let parameter = |(key, value): (&String, &String)| {
            let parameter = Parameter::builder().parameter_name(key).parameter_value(value);
            parameter.apply_method(ApplyMethod::Immediate).build()
        };
        let modify = client.modify_db_cluster_parameter_group().db_cluster_parameter_group_name(group_name);
        let modify = modify.set_parameters(Some(self.parameters.iter().map(parameter).collect()));
        modify.send().await.map_err(failed("rds:ModifyDBClusterParameterGroup"))?;
        Ok(())
    }
}

async fn tags_of(client: &Client, group: &RawGroup) -> Result<Vec<Tag>> {
    let arn = group.db_cluster_parameter_group_arn().unwrap_or_default();
    let tags = client.list_tags_for_resource().resource_name(arn).send().await;
    Ok(tags.map_err(failed("rds:ListTagsForResource"))?.tag_list.unwrap_or_default())
}

/// Only what was set: all parameters are hundreds, on several pages.
async fn set_parameters(client: &Client, group: &RawGroup) -> Result<Vec<Parameter>> {
    let name = group.db_cluster_parameter_group_name().unwrap_or_default();
    let pages = client.describe_db_cluster_parameters().db_cluster_parameter_group_name(name).source("user");
    let set = pages.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    set.map_err(failed("rds:DescribeDBClusterParameters"))
}
