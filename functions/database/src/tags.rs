//! The tags of RDS and Secrets Manager.

use aws_sdk_rds::types::Tag;
use statemachine::resource::{Context, Name};

/// Tag with the version of the password that a cluster or URL was given.
pub(crate) const PASSWORD_VERSION: &str = "stepstack:password-version";
/// Tag of a cluster that a restore replaced: kept until the user lets go of it.
pub(crate) const KEPT: &str = "stepstack:kept";

/// Ours, for a create call.
pub(crate) fn tags(ctx: &Context, name: &Name, more: &[(&str, &str)]) -> Vec<Tag> {
    let more = more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    ctx.tags(name).into_iter().chain(more).map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The name that tags give a resource, if they are ours.
pub(crate) fn owned(ctx: &Context, tags: &[Tag]) -> Option<Name> {
    ctx.owned(tags.iter().map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default())))
}

/// A tag's value.
pub(crate) fn value<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value())
}
