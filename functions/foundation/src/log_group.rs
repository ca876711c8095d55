//! Log groups, made before their first use so that nobody else makes them without a retention.

use aws::{failed, gone};
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::LogGroup as RawGroup;
use serde::Serialize;
use statemachine::error::Optional as _;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{ErrorKind, Result};

/// How long the flow log stays, in days (security.md).
const FLOW_RETENTION_DAYS: i32 = 365;

/// A log group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogGroup {
    /// A service's name, or `flow`.
    pub what: String,
    /// Its name in AWS.
    pub log_group_name: String,
    /// `None`: for ever.
    pub retention_days: Option<i32>,
}

/// `log-group/api`.
pub fn name(what: &str) -> Name {
    resource::log_group(what)
}

/// The log group of a service.
pub fn of_service(ctx: &Context, service: &str, retention_days: u32) -> LogGroup {
    LogGroup {
        what: service.to_owned(),
        log_group_name: ctx.aws_names().service_log_group(service),
        retention_days: i32::try_from(retention_days).ok(),
    }
}

/// The log group of the VPC's flow log.
pub fn of_flow(ctx: &Context) -> LogGroup {
    LogGroup {
        what: resource::flow_log_group().what().to_owned(),
        log_group_name: ctx.aws_names().flow_log_group(),
        retention_days: Some(FLOW_RETENTION_DAYS),
    }
}

/// The log group that the database's log is exported to. RDS would make it by itself, without a retention,
/// and leave it behind.
///
/// Each generation of the cluster (a restore makes the next) has a group of its own.
pub fn of_database(ctx: &Context, generation: u32, retention_days: u32) -> LogGroup {
    LogGroup {
        what: database_what(generation),
        log_group_name: ctx.aws_names().database_log_group(generation),
        retention_days: i32::try_from(retention_days).ok(),
    }
}

/// No service can have this name: it has a dot.
const DATABASE: &str = "aurora.postgresql";

fn database_what(generation: u32) -> String {
    if generation == 1 { DATABASE.to_owned() } else { format!("{DATABASE}.{generation}") }
}

/// What a group of this name would be for; `None` when its name is none of the stack's.
fn what_of(ctx: &Context, group: Option<&str>) -> Option<String> {
    let (group, names) = (group?, ctx.aws_names());
    if group == names.flow_log_group() {
        return Some(resource::flow_log_group().what().to_owned());
    }
    if let Some(service) = names.service_of_log_group(group) {
        return Some(service.to_owned());
    }
    names.generation_of_log_group(group).map(database_what)
}

/// A group and the name that its tags give it.
pub struct Raw {
    group: RawGroup,
    owned: Option<Name>,
}

impl Resource for LogGroup {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = resource::kind::LOG_GROUP;
    const ADOPTABLE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let every = scope.every_stack();
        let groups = [every.service_log_groups(), every.flow_log_groups(), every.database_log_groups()];
        let groups = groups.map(|group| scope.log_group_arn(&group)).to_vec();
        vec![
            Permission::unscoped(&["logs:DescribeLogGroups"], "the listing takes no resource"),
            Permission::on(
                &[
                    "logs:CreateLogGroup",
                    "logs:ListTagsForResource",
                    "logs:PutRetentionPolicy",
                    "logs:TagResource",
                ],
                groups.clone(),
            ),
            // The name alone would also be that of an app `{app}-admin`: tags tell them apart.
            Permission::on(&["logs:DeleteLogGroup"], groups).when(
                "StringLike",
                "aws:ResourceTag/stepstack:stack",
                [scope.every_stack().stack()],
            ),
        ]
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        // All of the stack's groups have its prefix somewhere in their names: one listing shows them.
        let pages = client.describe_log_groups().log_group_name_pattern(ctx.aws_names().prefix());
        let pages = pages.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let groups = pages.map_err(failed("logs:DescribeLogGroups"))?;
        let ours = groups.into_iter().filter(|group| what_of(ctx, group.log_group_name()).is_some());
        // The prefix also fits another environment (`prod` and `prod-eu`): only the tags tell.
        let all = ours.map(|group| async move {
            let owned = tags(ctx, client, &group).await?;
            Ok(Raw { group, owned })
        });
        futures_util::future::try_join_all(all).await
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.group.log_group_name()?;
        let what = what_of(ctx, Some(id))?;
        match &raw.owned {
            Some(owned) if owned.what() == what => Some(Identity::ours(owned.clone(), id)),
            _ => Some(Identity::theirs(name(&what), id)),
        }
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let id = raw.group.log_group_name().unwrap_or_default().to_owned();
        Ok(State::Settled(Self {
            what: names.name_of(&id).what().to_owned(),
            log_group_name: id,
            retention_days: raw.group.retention_in_days(),
        }))
    }

    async fn create(self, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        let create = client.create_log_group().log_group_name(&self.log_group_name);
        let create = create.set_tags(Some(ctx.tags(&self.name()).into_iter().collect())).send().await;
        match create.map_err(failed("logs:CreateLogGroup")) {
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::Exists => return Ok(Made::started(self.log_group_name)),
            Err(error) => return Err(error),
        }
        match put_retention(&client, &self).await {
            Ok(()) => Ok(Made::settled(self.log_group_name)),
            // The next look finds the difference.
            Err(_) => Ok(Made::started(self.log_group_name)),
        }
    }

    async fn adopt(&self, id: String, Call { ctx, client, .. }: Call<Client>) -> Result<()> {
        let arn = ctx.scope().log_group_arn(&id);
        let tags = ctx.tags(&self.name()).into_iter().collect();
        let tag = client.tag_resource().resource_arn(arn).set_tags(Some(tags)).send().await;
        tag.map_err(failed("logs:TagResource"))?;
        Ok(())
    }

    async fn update(self, _: Self, id: String, Call { client, .. }: Call<Client>) -> Result<Made> {
        put_retention(&client, &self).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        gone(
            client.delete_log_group().log_group_name(id).send().await.map_err(failed("logs:DeleteLogGroup")),
            Gone::Now,
        )
    }
}

async fn put_retention(client: &Client, want: &LogGroup) -> Result<()> {
    let Some(days) = want.retention_days else { return Ok(()) };
    let put = client
        .put_retention_policy()
        .log_group_name(&want.log_group_name)
        .retention_in_days(days)
        .send()
        .await;
    put.map_err(failed("logs:PutRetentionPolicy"))?;
    Ok(())
}

async fn tags(ctx: &Context, client: &Client, group: &RawGroup) -> Result<Option<Name>> {
    // The ARN of a listing ends in `:*`; tags belong to the one without.
    let arn = group.arn().unwrap_or_default().trim_end_matches(":*");
    let tags = client.list_tags_for_resource().resource_arn(arn).send().await;
    let tags = tags
        .map_err(failed("logs:ListTagsForResource"))
        .optional()?
        .and_then(|answer| answer.tags)
        .unwrap_or_default();
    Ok(ctx.owned(tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))))
}
