//! The tags of RDS, and what is allowed by them.

use aws::failed;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::Tag;
use statemachine::Result;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Data, DataPolicy, Name};

/// Tag with the version of the password that a cluster or URL was given.
pub(crate) const PASSWORD_VERSION: &str = "stepstack:password-version";
/// Tag with the run that asked for the secret's newest version.
pub(crate) const ROTATION: &str = "stepstack:rotation";
/// Tag of a cluster that a restore replaced: kept until the user lets go of it.
pub(crate) const KEPT: &str = "stepstack:kept";

/// Ours, for a create call.
pub(crate) fn tags(ctx: &Context, name: &Name, more: &[(&str, &str)]) -> Vec<Tag> {
    let more = more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let all = ctx.tags(name).into_iter().chain(more);
    all.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Puts our tags on something of somebody else's: `kind` as in its ARN.
pub(crate) async fn put_on(client: &Client, kind: &str, id: &str, ctx: &Context, name: &Name) -> Result<()> {
    let arn = ctx.scope().arn("rds", &format!("{kind}:{id}"));
    let add =
        client.add_tags_to_resource().resource_name(arn).set_tags(Some(tags(ctx, name, &[]))).send().await;
    add.map_err(failed("rds:AddTagsToResource"))?;
    Ok(())
}

/// The name that tags give a resource, if they are ours.
pub(crate) fn owned(ctx: &Context, tags: &[Tag]) -> Option<Name> {
    ctx.owned(tags.iter().map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default())))
}

/// A tag's value.
pub(crate) fn value<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value())
}

/// What is lost with a part of the cluster: nothing, but a cluster that is kept needs its parts.
pub(crate) fn data_of_part(ctx: &Context) -> Data {
    match ctx.options.data {
        DataPolicy::Keep => Data::Snapshot,
        DataPolicy::Refuse | DataPolicy::Snapshot | DataPolicy::Delete => Data::None,
    }
}

/// RDS ARNs of the app's own: `owns(scope, "cluster")`. The pattern also fits an app `{app}-admin`; see
/// [`change`].
pub(crate) fn owns(scope: &Scope, kind: &str) -> String {
    scope.arn("rds", &format!("{kind}:{}", scope.every_stack().prefix()))
}

/// Changing or deleting what carries our tag: names alone would also fit an app `{app}-admin`.
pub(crate) fn change(scope: &Scope, actions: &[&'static str], kinds: &[&str]) -> Permission {
    Permission::on(actions, kinds.iter().map(|kind| owns(scope, kind))).when(
        "StringLike",
        "aws:ResourceTag/stepstack:stack",
        [scope.every_stack().stack()],
    )
}
