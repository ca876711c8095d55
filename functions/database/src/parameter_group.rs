//! The cluster parameter group: TLS is forced.

use aws::{failed, gone};
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{ApplyMethod, DbClusterParameterGroup as RawGroup, Parameter, Tag};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State, short_hash};
use statemachine::{ErrorKind, Result};

use crate::tags::{owned, tags};

/// A parameter group of the engine's major version, which is its identity: another major is another group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParameterGroup {
    /// `aurora-postgresql15`.
    pub family: String,
    /// `rds.force_ssl`: whether the server refuses connections without TLS.
    pub force_ssl: bool,
}

impl ParameterGroup {
    /// The group for a major version.
    pub fn of(major: &str) -> Self {
        Self { family: format!("aurora-postgresql{major}"), force_ssl: true }
    }

    fn group_name(&self, ctx: &Context) -> String {
        format!("{}-{}", ctx.prefix(), short_hash(&self.family))
    }
}

/// A group with its tags and the parameters that were set.
pub struct Raw {
    group: RawGroup,
    tags: Vec<Tag>,
    force_ssl: bool,
}

impl Resource for ParameterGroup {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "db-parameter-group";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let groups = scope.arn("rds", &format!("cluster-pg:{}-*", scope.app));
        let actions = [
            "rds:AddTagsToResource",
            "rds:CreateDBClusterParameterGroup",
            "rds:DeleteDBClusterParameterGroup",
            "rds:DescribeDBClusterParameters",
            "rds:ListTagsForResource",
            "rds:ModifyDBClusterParameterGroup",
        ];
        vec![
            Permission::on(&actions, [groups]),
            Permission::on(&["rds:DescribeDBClusterParameterGroups"], [scope.arn("rds", "cluster-pg:*")]),
        ]
    }

    fn name(&self) -> Name {
        Name::hashed(Self::KIND, "main", &self.family)
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let pages = client.describe_db_cluster_parameter_groups().into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("rds:DescribeDBClusterParameterGroups"))?;
        let prefix = format!("{}-", ctx.prefix());
        let may_be_ours = |group: &RawGroup| group.db_cluster_parameter_group_name().is_some_and(|name| name.starts_with(&prefix));
        let raws = all.into_iter().filter(may_be_ours).map(|group| async move {
            let tags = async {
                let arn = group.db_cluster_parameter_group_arn().unwrap_or_default();
                let tags = client.list_tags_for_resource().resource_name(arn).send().await.map_err(failed("rds:ListTagsForResource"))?;
                Ok(tags.tag_list.unwrap_or_default())
            };
            let (tags, force_ssl) = futures_util::future::try_join(tags, forces_ssl(client, &group)).await?;
            Ok(Raw { group, tags, force_ssl })
        });
        futures_util::future::try_join_all(raws).await
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.group.db_cluster_parameter_group_name()?;
        let name = Name::hashed(Self::KIND, "main", &raw.group.db_parameter_group_family().unwrap_or_default());
        Some(if owned(ctx, &raw.tags)? == name { Identity::ours(name, id) } else { Identity::theirs(name, id) })
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        let family = raw.group.db_parameter_group_family().unwrap_or_default().to_owned();
        Ok(State::Settled(Self { family, force_ssl: raw.force_ssl }))
    }

    async fn create(self, ctx: Context, client: Client, _: Names) -> Result<Made> {
        let group_name = self.group_name(&ctx);
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
        match force_ssl(&client, &group_name).await {
            Ok(()) => Ok(Made::settled(group_name)),
            // The next look finds the difference.
            Err(_) => Ok(Made::started(group_name)),
        }
    }

    async fn update(self, _: Self, id: String, _: Context, client: Client, _: Names) -> Result<Made> {
        force_ssl(&client, &id).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, _: Context, client: Client, _: Names) -> Result<Gone> {
        let delete = client.delete_db_cluster_parameter_group().db_cluster_parameter_group_name(id).send().await;
        gone(delete.map_err(failed("rds:DeleteDBClusterParameterGroup")), Gone::Now)
    }
}

async fn forces_ssl(client: &Client, group: &RawGroup) -> Result<bool> {
    let name = group.db_cluster_parameter_group_name().unwrap_or_default();
    // Only what was set by hand: all parameters are hundreds, on several pages.
    let pages = client.describe_db_cluster_parameters().db_cluster_parameter_group_name(name).source("user");
    let set = pages.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let set = set.map_err(failed("rds:DescribeDBClusterParameters"))?;
    Ok(set.iter().any(|parameter| parameter.parameter_name() == Some("rds.force_ssl") && parameter.parameter_value() == Some("1")))
}

async fn force_ssl(client: &Client, group_name: &str) -> Result<()> {
    let parameter = Parameter::builder().parameter_name("rds.force_ssl").parameter_value("1").apply_method(ApplyMethod::Immediate);
    let modify = client.modify_db_cluster_parameter_group().db_cluster_parameter_group_name(group_name);
    modify.parameters(parameter.build()).send().await.map_err(failed("rds:ModifyDBClusterParameterGroup"))?;
    Ok(())
}
