//! The engine's log groups, made before their first use so that nobody else makes them without a retention.

use aws::{failed, gone};
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::LogGroup as RawGroup;
use futures_util::future::{try_join, try_join_all};
use serde::Serialize;
use statemachine::Result;
use statemachine::definition::FUNCTIONS;
use statemachine::error::Optional as _;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};

/// How long the engine's logs stay, in days.
const RETENTION_DAYS: i32 = 30;

/// A log group of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogGroup {
    /// A function's name, or `states`.
    pub part: String,
    /// Its name in AWS.
    pub log_group_name: String,
    /// `None`: for ever.
    pub retention_days: Option<i32>,
}

/// `log-group/network`.
pub(super) fn name(part: &str) -> Name {
    Name::new(LogGroup::KIND, part)
}

/// The name in AWS of a part's log group: where Lambda writes by itself, and for `states` a name that
/// Step Functions' resource policy covers already.
pub(super) fn log_group_name(scope: &Scope, part: &str) -> String {
    if part == "states" {
        scope.state_machine_log_group()
    } else {
        format!("/aws/lambda/{}", scope.function(part))
    }
}

impl LogGroup {
    /// The log group of a function, or of `states`.
    pub fn new(scope: &Scope, part: &str) -> Self {
        let log_group_name = log_group_name(scope, part);
        Self { part: part.to_owned(), log_group_name, retention_days: Some(RETENTION_DAYS) }
    }
}

/// A group and the name that its tags give it.
pub struct Raw {
    group: RawGroup,
    owned: Option<Name>,
}

impl Resource for LogGroup {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "log-group";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let parts = FUNCTIONS.iter().chain(&["states"]);
        let groups =
            parts.map(|part| scope.arn("logs", &format!("log-group:{}", log_group_name(scope, part))));
        let actions = [
            "logs:CreateLogGroup",
            "logs:DeleteLogGroup",
            "logs:ListTagsForResource",
            "logs:PutRetentionPolicy",
            "logs:TagResource",
        ];
        vec![
            Permission::unscoped(&["logs:DescribeLogGroups"], "the listing takes no resource"),
            Permission::on(&actions, groups),
        ]
    }

    fn name(&self) -> Name {
        name(&self.part)
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let scope = ctx.scope();
        let list = |prefix: String| async move {
            let pages = client.describe_log_groups().log_group_name_prefix(prefix).into_paginator().items();
            pages.send().collect::<Result<Vec<_>, _>>().await.map_err(failed("logs:DescribeLogGroups"))
        };
        let functions = format!("/aws/lambda/{}-", scope.engine());
        let (functions, states) = try_join(list(functions), list(scope.state_machine_log_group())).await?;
        let ours = functions.into_iter().chain(states).filter(|group| part_of(&scope, group).is_some());
        try_join_all(ours.map(|group| async move {
            let owned = owned(ctx, client, &group).await?;
            Ok(Raw { group, owned })
        }))
        .await
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let (id, part) = (raw.group.log_group_name()?, part_of(&ctx.scope(), &raw.group)?);
        let ours = raw.owned.as_ref() == Some(&name(part));
        Some(if ours { Identity::ours(name(part), id) } else { Identity::theirs(name(part), id) })
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let log_group_name = raw.group.log_group_name().unwrap_or_default().to_owned();
        let part = names.name_of(&log_group_name).what().to_owned();
        Ok(State::Settled(Self { part, log_group_name, retention_days: raw.group.retention_in_days() }))
    }

    async fn create(self, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        let create = client.create_log_group().log_group_name(&self.log_group_name);
        let create = create.set_tags(Some(ctx.tags(&self.name()).into_iter().collect())).send().await;
        create.map_err(failed("logs:CreateLogGroup"))?;
        match put_retention(&client, &self).await {
            Ok(()) => Ok(Made::settled(self.log_group_name)),
            // The next look finds the difference.
            Err(_) => Ok(Made::started(self.log_group_name)),
        }
    }

    async fn update(self, _: Self, id: String, Call { client, .. }: Call<Client>) -> Result<Made> {
        put_retention(&client, &self).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let delete = client.delete_log_group().log_group_name(id).send().await;
        gone(delete.map_err(failed("logs:DeleteLogGroup")), Gone::Now)
    }
}

/// Which part of the engine a group belongs to. No part has a hyphen in its name, so that the groups of an
/// app `arive-admin` are none of `arive`'s.
fn part_of<'a>(scope: &Scope, group: &'a RawGroup) -> Option<&'a str> {
    let id = group.log_group_name()?;
    if id == scope.state_machine_log_group() {
        return Some("states");
    }
    let part = id.strip_prefix(&format!("/aws/lambda/{}-", scope.engine()))?;
    (!part.contains('-')).then_some(part)
}

async fn put_retention(client: &Client, want: &LogGroup) -> Result<()> {
    let Some(days) = want.retention_days else { return Ok(()) };
    let put = client.put_retention_policy().log_group_name(&want.log_group_name).retention_in_days(days);
    put.send().await.map_err(failed("logs:PutRetentionPolicy"))?;
    Ok(())
}

async fn owned(ctx: &Context, client: &Client, group: &RawGroup) -> Result<Option<Name>> {
    // The ARN of a listing ends in `:*`; tags belong to the one without.
    let arn = group.arn().unwrap_or_default().trim_end_matches(":*");
    let tags = client.list_tags_for_resource().resource_arn(arn).send().await;
    let tags = tags.map_err(failed("logs:ListTagsForResource")).optional()?;
    let tags = tags.and_then(|answer| answer.tags).unwrap_or_default();
    Ok(ctx.owned(tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))))
}
