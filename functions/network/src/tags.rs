//! EC2's form of our tags.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use statemachine::resource::{Context, Name, STACK_TAG};

/// The filter that finds what is this stack's.
pub(crate) fn ours(ctx: &Context) -> Filter {
    Filter::builder().name(format!("tag:{STACK_TAG}")).values(ctx.stack()).build()
}

/// The tags of a create call.
pub(crate) fn specification(ctx: &Context, kind: ResourceType, name: &Name) -> TagSpecification {
    let tags = ctx.tags(name).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags.collect())).build()
}

/// The name that tags give a resource, if they are ours.
pub(crate) fn owned(ctx: &Context, tags: &[Tag]) -> Option<Name> {
    ctx.owned(tags.iter().map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default())))
}
