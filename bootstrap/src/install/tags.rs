//! Our tags in the words of each service's SDK.

use statemachine::resource::{Context, Name};
use statemachine::{Error, Result};

/// A builder that lacks a field: ours to prevent.
pub(super) fn incomplete(error: impl std::fmt::Display) -> Error {
    Error::internal(error.to_string())
}

/// IAM's tags.
pub(super) fn iam(ctx: &Context, name: &Name) -> Result<Vec<aws_sdk_iam::types::Tag>> {
    let tag =
        |(key, value)| aws_sdk_iam::types::Tag::builder().key(key).value(value).build().map_err(incomplete);
    ctx.tags(name).into_iter().map(tag).collect()
}

/// EventBridge's tags.
pub(super) fn events(ctx: &Context, name: &Name) -> Result<Vec<aws_sdk_eventbridge::types::Tag>> {
    let tag = |(key, value)| {
        aws_sdk_eventbridge::types::Tag::builder().key(key).value(value).build().map_err(incomplete)
    };
    ctx.tags(name).into_iter().map(tag).collect()
}

/// The last part of an IAM ARN: a role's name.
pub(super) fn role_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
