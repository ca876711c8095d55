//! The engine's log groups, made before their first use so that nobody else makes them without a retention.

use foundation::log_group::{LogGroup, LogGroups};
use statemachine::definition::FUNCTIONS;
use statemachine::permission::{Permission, Scope};

/// How long the engine's logs stay, in days.
const RETENTION_DAYS: i32 = 30;

/// The log group of a function, or of `states`.
pub fn wanted(scope: &Scope, part: &str) -> LogGroup {
    LogGroup {
        what: part.to_owned(),
        log_group_name: scope.engine_log_group(part),
        retention_days: Some(RETENTION_DAYS),
    }
}

/// Where they are looked for: all of their names hold the engine's.
pub(super) fn place(logs: &aws_sdk_cloudwatchlogs::Client, scope: &Scope) -> LogGroups {
    LogGroups {
        logs: logs.clone(),
        pattern: scope.engine(),
        what_of: |ctx, group| ctx.scope().part_of_log_group(group).map(str::to_owned),
    }
}

/// What making them, changing them and removing them needs.
pub(super) fn permissions(scope: &Scope) -> Vec<Permission> {
    let parts = FUNCTIONS.iter().chain(&["states"]);
    let groups = parts.map(|part| scope.log_group_arn(&scope.engine_log_group(part)));
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
