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
    /// A service's name, `vpc.flow`, `aurora.postgresql`; of the engine a part's.
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

/// What a group of this name would be for; `None` when its name is not one of the stack's.
fn what_of(ctx: &Context, group: &str) -> Option<String> {
    let names = ctx.aws_names();
    if group == names.flow_log_group() {
        return Some(resource::flow_log_group().what().to_owned());
    }
    if let Some(service) = names.service_of_log_group(group) {
        return Some(service.to_owned());
    }
    names.generation_of_log_group(group).map(database_what)
}

/// CloudWatch Logs, and which groups may be ours.
#[derive(Clone, Debug)]
pub struct LogGroups {
    /// The client.
    pub logs: Client,
    /// What all of their names hold somewhere, so that one listing shows them.
    pub pattern: String,
    /// What a group of this name would be for; `None` when its name is not one of ours.
    pub what_of: fn(&Context, &str) -> Option<String>,
}

impl LogGroups {
    /// The groups of a stack.
    pub fn of_stack(logs: &Client, ctx: &Context) -> Self {
        Self { logs: logs.clone(), pattern: ctx.aws_names().prefix(), what_of }
    }
}

/// A group, what it is for, and the name that its tags give it.
pub struct Raw {
    what: String,
    group: RawGroup,
    owned: Option<Name>,
}

impl Resource for LogGroup {
    type Client = LogGroups;
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

    async fn fetch(ctx: &Context, client: &LogGroups, _: &Names) -> Result<Vec<Raw>> {
        let LogGroups { logs, pattern, what_of } = client;
        let pages = logs.describe_log_groups().log_group_name_pattern(pattern);
        let pages = pages.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let groups = pages.map_err(failed("logs:DescribeLogGroups"))?;
        let ours =
            groups.into_iter().filter_map(|group| Some((what_of(ctx, group.log_group_name()?)?, group)));
        // The prefix also fits another environment (`prod` and `prod-eu`): only the tags tell.
        let all = ours.map(|(what, group)| async move {
            let owned = tags(ctx, logs, &group).await?;
            Ok(Raw { what, group, owned })
        });
        futures_util::future::try_join_all(all).await
    }

    fn identify(_: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.group.log_group_name()?;
        match &raw.owned {
            Some(owned) if owned.what() == raw.what => Some(Identity::ours(owned.clone(), id)),
            _ => Some(Identity::theirs(name(&raw.what), id)),
        }
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        Ok(State::Settled(Self {
            what: raw.what,
            log_group_name: raw.group.log_group_name().unwrap_or_default().to_owned(),
            retention_days: raw.group.retention_in_days(),
        }))
    }

    async fn create(self, Call { ctx, client, .. }: Call<LogGroups>) -> Result<Made> {
        let create = client.logs.create_log_group().log_group_name(&self.log_group_name);
        let create = create.set_tags(Some(ctx.tags(&self.name()).into_iter().collect())).send().await;
        match create.map_err(failed("logs:CreateLogGroup")) {
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::Exists => return Ok(Made::started(self.log_group_name)),
            Err(error) => return Err(error),
        }
        match put_retention(&client.logs, &self).await {
            Ok(()) => Ok(Made::settled(self.log_group_name)),
            // The next look finds the difference.
            Err(_) => Ok(Made::started(self.log_group_name)),
        }
    }

    async fn adopt(&self, id: String, Call { ctx, client, .. }: Call<LogGroups>) -> Result<()> {
        let arn = ctx.scope().log_group_arn(&id);
        let tags = ctx.tags(&self.name()).into_iter().collect();
        let tag = client.logs.tag_resource().resource_arn(arn).set_tags(Some(tags)).send().await;
        tag.map_err(failed("logs:TagResource"))?;
        Ok(())
    }

    async fn update(self, _: Self, id: String, Call { client, .. }: Call<LogGroups>) -> Result<Made> {
        put_retention(&client.logs, &self).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<LogGroups>) -> Result<Gone> {
        let delete = client.logs.delete_log_group().log_group_name(id).send().await;
        gone(delete.map_err(failed("logs:DeleteLogGroup")), Gone::Now)
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
