//! Emptying a bucket: versions, delete markers and unfinished uploads, in batches, resumable.

use aws::failed;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use statemachine::error::Optional as _;
use statemachine::resource::Context;
use statemachine::{Error, Result};

/// The most that DeleteObjects takes.
const BATCH: i32 = 1_000;

/// Whether there is anything in it that deleting it would lose: versions, delete markers, unfinished uploads.
pub(super) async fn holds_objects(s3: &Client, bucket: &str) -> Result<bool> {
    let versions = s3.list_object_versions().bucket(bucket).max_keys(1).send().await;
    let Some(versions) = versions.map_err(failed("s3:ListBucketVersions")).optional()? else {
        return Ok(false);
    };
    if !versions.versions().is_empty() || !versions.delete_markers().is_empty() {
        return Ok(true);
    }
    let uploads = s3.list_multipart_uploads().bucket(bucket).max_uploads(1).send().await;
    let uploads = uploads.map_err(failed("s3:ListBucketMultipartUploads")).optional()?;
    Ok(uploads.is_some_and(|uploads| !uploads.uploads().is_empty()))
}

/// Deletes everything in it. Without time left it says how far it got: the next tick goes on.
pub async fn empty(s3: &Client, bucket: &str, ctx: &Context) -> Result<()> {
    let mut gone = 0;
    loop {
        let versions = s3.list_object_versions().bucket(bucket).max_keys(BATCH).send().await;
        let Some(versions) = versions.map_err(failed("s3:ListBucketVersions")).optional()? else {
            return Ok(());
        };
        let objects = versions.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = versions.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        let all: Vec<ObjectIdentifier> = objects
            .chain(markers)
            .filter_map(|(key, version)| {
                ObjectIdentifier::builder().key(key?).set_version_id(version.map(str::to_owned)).build().ok()
            })
            .collect();
        if all.is_empty() {
            break;
        }
        if !ctx.has_time() {
            return Err(Error::not_ready(format!("{bucket} is being emptied: {gone} objects went just now")));
        }
        gone += all.len();
        let delete = Delete::builder().set_objects(Some(all)).quiet(true).build();
        let delete = delete.map_err(|error| Error::internal(error.to_string()))?;
        let deleted = s3
            .delete_objects()
            .bucket(bucket)
            .delete(delete)
            .send()
            .await
            .map_err(failed("s3:DeleteObjectVersion"))?;
        if let Some(error) = deleted.errors().first() {
            let (code, message) =
                (error.code().unwrap_or_default(), error.message().unwrap_or("no reason given"));
            let text =
                format!("DeleteObjects left {}: {message} ({code})", error.key().unwrap_or("an object"));
            return Err(Error {
                action: Some("s3:DeleteObjectVersion"),
                ..Error::new(aws::kind_of(code, message, 400), text)
            });
        }
    }
    let uploads = s3
        .list_multipart_uploads()
        .bucket(bucket)
        .send()
        .await
        .map_err(failed("s3:ListBucketMultipartUploads"))?;
    for upload in uploads.uploads() {
        let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
        let abort = s3.abort_multipart_upload().bucket(bucket).key(key).upload_id(id).send().await;
        abort.map_err(failed("s3:AbortMultipartUpload")).optional()?;
    }
    if uploads.is_truncated() == Some(true) {
        return Err(Error::not_ready(format!("{bucket} still has unfinished uploads")));
    }
    Ok(())
}
