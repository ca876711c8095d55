//! What goes when out of a bucket.

use aws::failed;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration,
    LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration,
};
use serde::Serialize;
use statemachine::{Error, Result};

/// Under which the provisioner's bucket holds run records.
const RUNS: &str = "runs/";

/// What goes when, in days. Each field is a rule of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Lifecycle {
    /// Current objects.
    pub expire_after_days: Option<i32>,
    /// Old versions.
    pub old_versions_days: Option<i32>,
    /// Parts of uploads that were never completed.
    pub unfinished_uploads_days: Option<i32>,
    /// Run records, under `runs/`, of the provisioner's bucket alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs_days: Option<i32>,
    /// Rules of another form, by their ids, which nobody described.
    pub other_rules: Vec<String>,
}

/// Rules that are on, for the whole bucket, and say one thing each are ours to read; any other is only named.
pub(super) fn from_rules(rules: &[LifecycleRule], reads_runs: bool) -> Lifecycle {
    let mut found = Lifecycle::default();
    for rule in rules {
        let objects = rule.expiration().and_then(LifecycleExpiration::days);
        let old = rule.noncurrent_version_expiration();
        let old = old.and_then(NoncurrentVersionExpiration::noncurrent_days);
        let unfinished = rule.abort_incomplete_multipart_upload();
        let unfinished = unfinished.and_then(AbortIncompleteMultipartUpload::days_after_initiation);
        let prefix = prefix(rule);
        let is_of_runs = reads_runs && prefix == Some(RUNS);
        let moves = !rule.transitions().is_empty() || !rule.noncurrent_version_transitions().is_empty();
        let slot = match (objects, old, unfinished) {
            _ if moves || rule.status() != &ExpirationStatus::Enabled => None,
            (Some(days), None, None) if is_of_runs => Some((&mut found.runs_days, days)),
            _ if prefix != Some("") => None,
            (Some(days), None, None) => Some((&mut found.expire_after_days, days)),
            (None, Some(days), None) => Some((&mut found.old_versions_days, days)),
            (None, None, Some(days)) => Some((&mut found.unfinished_uploads_days, days)),
            _ => None,
        };
        match slot {
            Some((slot, days)) if slot.is_none() => *slot = Some(days),
            Some(_) | None => found.other_rules.push(rule.id().unwrap_or("without an id").to_owned()),
        }
    }
    found
}

/// The prefix of the objects that a rule is for, empty for all of them; `None` where anything else chooses them.
fn prefix(rule: &LifecycleRule) -> Option<&str> {
    let Some(filter) = rule.filter() else { return Some("") };
    let is_plain = filter.tag().is_none()
        && filter.and().is_none()
        && filter.object_size_greater_than().is_none()
        && filter.object_size_less_than().is_none();
    is_plain.then(|| filter.prefix().unwrap_or_default())
}

pub(super) async fn put(s3: &Client, bucket: &str, want: &Lifecycle) -> Result<()> {
    let internal = |error: aws_sdk_s3::error::BuildError| Error::internal(error.to_string());
    let under = |id: &str, prefix: &str| {
        let filter = LifecycleRuleFilter::builder().prefix(prefix).build();
        LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled).filter(filter)
    };
    let rule = |id: &str| under(id, "");
    let expires = |days: i32| LifecycleExpiration::builder().days(days).build();
    let Lifecycle {
        expire_after_days,
        old_versions_days,
        unfinished_uploads_days,
        runs_days,
        other_rules: _,
    } = want;
    let rules = [
        expire_after_days.map(|days| rule("objects").expiration(expires(days))),
        runs_days.map(|days| under("runs", RUNS).expiration(expires(days))),
        old_versions_days.map(|days| {
            let expiration = NoncurrentVersionExpiration::builder().noncurrent_days(days).build();
            rule("old-versions").noncurrent_version_expiration(expiration)
        }),
        unfinished_uploads_days.map(|days| {
            let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build();
            rule("unfinished-uploads").abort_incomplete_multipart_upload(abort)
        }),
    ];
    let rules = rules.into_iter().flatten().map(aws_sdk_s3::types::builders::LifecycleRuleBuilder::build);
    let rules = rules.collect::<Result<Vec<_>, _>>().map_err(internal)?;
    let configuration =
        BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().map_err(internal)?;
    let put = s3
        .put_bucket_lifecycle_configuration()
        .bucket(bucket)
        .lifecycle_configuration(configuration)
        .send()
        .await;
    put.map_err(failed("s3:PutLifecycleConfiguration"))?;
    Ok(())
}
