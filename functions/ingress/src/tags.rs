//! Elastic Load Balancing's form of our tags. Its listings show no tags, and take no filter by tag.

use std::collections::HashMap;

use aws::failed;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::Tag;
use statemachine::resource::{Context, Name};
use statemachine::{Error, ErrorKind, Result};

/// The most ARNs that DescribeTags takes.
const BATCH: usize = 20;

/// Ours, for a create call.
pub fn tags(ctx: &Context, name: &Name) -> Vec<Tag> {
    ctx.tags(name).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Of resources just listed, one that is gone fails the whole call. Taking all of them for a stranger's would
/// make them a second time: the look is repeated instead.
fn look_again(error: Error) -> Error {
    if error.kind == ErrorKind::Missing { Error { kind: ErrorKind::Transient, ..error } } else { error }
}

/// The names that their tags give these resources, by ARN; those that are not ours are left out.
pub async fn owned(client: &Client, ctx: &Context, arns: &[String]) -> Result<HashMap<String, Name>> {
    let mut owned = HashMap::new();
    for batch in arns.chunks(BATCH) {
        let described = client.describe_tags().set_resource_arns(Some(batch.to_vec())).send().await;
        let described = described.map_err(failed("elasticloadbalancing:DescribeTags")).map_err(look_again)?;
        for description in described.tag_descriptions() {
            let tags = description
                .tags()
                .iter()
                .map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default()));
            if let (Some(arn), Some(name)) = (description.resource_arn(), ctx.owned(tags)) {
                owned.insert(arn.to_owned(), name);
            }
        }
    }
    Ok(owned)
}
