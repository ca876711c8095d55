//! Whose a bucket is, and making it ours.

use aws::failed;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Tag, Tagging};
use statemachine::resource::{Context, Name, STACK_TAG};
use statemachine::{Error, Result};

/// Whose a bucket of some name is.
pub(super) enum Owner {
    /// There is none.
    Nobody,
    /// This stack's, under this name.
    Ours(Name),
    /// It is in this account and has no tags at all.
    Untagged,
    /// Somebody else's; why it can never be taken over, where it cannot.
    Theirs(Option<String>),
}

/// Asks S3 for the bucket's tags.
pub(super) async fn of(s3: &Client, bucket: &str, ctx: &Context) -> Result<Owner> {
    let tags = match tags_of(s3, bucket).await {
        Ok(tags) => tags,
        Err(error) => {
            return match error.code.as_deref() {
                Some("NoSuchBucket") => Ok(Owner::Nobody),
                Some("NoSuchTagSet") => Ok(Owner::Untagged),
                // Our own leave is lacking: S3 says more to its own account than to another's.
                Some("AccessDenied") if error.message.contains("is not authorized to perform") => Err(error),
                // Another account's, which says no more than that it is there; or in another region.
                Some(
                    "AccessDenied"
                    | "PermanentRedirect"
                    | "TemporaryRedirect"
                    | "AuthorizationHeaderMalformed"
                    | "IllegalLocationConstraintException",
                ) => Ok(Owner::Theirs(Some(format!(
                    "The bucket {bucket} is another account's or in another region, and cannot be taken over. Choose another name."
                )))),
                _ => Err(error),
            };
        }
    };
    if let Some(name) = ctx.owned(tags.iter().map(|tag| (tag.key(), tag.value()))) {
        return Ok(Owner::Ours(name));
    }
    let other = tags.iter().find(|tag| tag.key() == STACK_TAG && tag.value() != ctx.stack());
    Ok(Owner::Theirs(other.map(|tag| {
        format!(
            "The bucket {bucket} belongs to the stack {}, and is not taken from it. Choose another name.",
            tag.value()
        )
    })))
}

/// Puts our tags on a bucket of somebody else's. S3 takes all of its tags at once: the others stay.
pub(super) async fn take_over(s3: &Client, bucket: &str, ctx: &Context, name: &Name) -> Result<()> {
    let mut all = tags(ctx, name)?;
    let theirs = match tags_of(s3, bucket).await {
        Err(error) if error.code.as_deref() == Some("NoSuchTagSet") => Vec::new(),
        other => other?,
    };
    let is_new = |tag: &Tag| !all.iter().any(|ours| ours.key() == tag.key());
    let others: Vec<Tag> = theirs.into_iter().filter(is_new).collect();
    all.extend(others);
    put(s3, bucket, all).await
}

/// Puts these tags on a bucket, in place of all that it has.
pub(super) async fn put(s3: &Client, bucket: &str, tags: Vec<Tag>) -> Result<()> {
    let tagging = Tagging::builder().set_tag_set(Some(tags)).build();
    let tagging = tagging.map_err(|error| Error::internal(error.to_string()))?;
    let put = s3.put_bucket_tagging().bucket(bucket).tagging(tagging).send().await;
    put.map_err(failed("s3:PutBucketTagging"))?;
    Ok(())
}

/// Our tags, in S3's form.
pub(super) fn tags(ctx: &Context, name: &Name) -> Result<Vec<Tag>> {
    let tags = ctx.tags(name).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>().map_err(|error| Error::internal(error.to_string()))
}

async fn tags_of(s3: &Client, bucket: &str) -> Result<Vec<Tag>> {
    let tags = s3.get_bucket_tagging().bucket(bucket).send().await;
    tags.map(|tags| tags.tag_set).map_err(failed("s3:GetBucketTagging"))
}
