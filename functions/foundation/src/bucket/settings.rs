//! A bucket's settings. S3 reads and writes each by a call of its own.

use aws::failed;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLoggingStatus,
    BucketVersioningStatus, CorsConfiguration, CorsRule, ExpirationStatus, LifecycleExpiration,
    LifecycleRule, LifecycleRuleFilter, LoggingEnabled, NoncurrentVersionExpiration,
    PublicAccessBlockConfiguration, VersioningConfiguration,
};
use futures_util::future::{try_join, try_join3};
use serde::Serialize;
use serde_json::Value;
use statemachine::error::Optional as _;
use statemachine::{Error, Result};

use super::Bucket;
use crate::policy::normalized;

/// What browsers of other origins may do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cors {
    /// `https://tryarive.com`
    pub origins: Vec<String>,
    /// `GET`
    pub methods: Vec<String>,
    /// That they may send: `*`.
    pub headers: Vec<String>,
    /// That they may read: `ETag`, which the parts of a large upload are put together by.
    pub exposed_headers: Vec<String>,
    /// Seconds for which a preflight answer is good.
    pub max_age_s: i32,
}

/// What goes when, in days. Each field is a rule of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Lifecycle {
    /// Current objects.
    pub expire_after_days: Option<i32>,
    /// Old versions.
    pub old_versions_days: Option<i32>,
    /// Parts of uploads that were never completed.
    pub unfinished_uploads_days: Option<i32>,
    /// Rules of another form, by their ids: none of ours.
    pub other_rules: Vec<String>,
}

/// Reads, at once, all that a bucket for this purpose can have: nobody describes what browsers may do with the
/// log bucket, nor logs of the access to it.
pub(super) async fn read(s3: &Client, bucket: &str, what: &str) -> Result<Bucket> {
    let is_logs = what == "logs";
    let versioned = async {
        let versioning = s3
            .get_bucket_versioning()
            .bucket(bucket)
            .send()
            .await
            .map_err(failed("s3:GetBucketVersioning"))?;
        Ok(versioning.status() == Some(&BucketVersioningStatus::Enabled))
    };
    let blocks = async {
        let block = s3.get_public_access_block().bucket(bucket).send().await;
        let block = block.map_err(failed("s3:GetBucketPublicAccessBlock")).optional()?;
        Ok(block.and_then(|block| block.public_access_block_configuration).is_some_and(|block| {
            let all = [
                block.block_public_acls,
                block.block_public_policy,
                block.ignore_public_acls,
                block.restrict_public_buckets,
            ];
            all == [Some(true); 4]
        }))
    };
    let policy = async {
        let policy = s3
            .get_bucket_policy()
            .bucket(bucket)
            .send()
            .await
            .map_err(failed("s3:GetBucketPolicy"))
            .optional()?;
        let text = policy.and_then(|policy| policy.policy);
        let parsed = text.map(|text| serde_json::from_str::<Value>(&text).map(normalized)).transpose();
        parsed.map_err(|error| Error::internal(format!("the policy of {bucket} is no JSON: {error}")))
    };
    let cors = async {
        if is_logs {
            return Ok(None);
        }
        let cors = s3
            .get_bucket_cors()
            .bucket(bucket)
            .send()
            .await
            .map_err(failed("s3:GetBucketCORS"))
            .optional()?;
        let rules = cors.map(|cors| cors.cors_rules().iter().map(from_cors).collect());
        Ok(Some(rules.unwrap_or_default()))
    };
    let lifecycle = async {
        let rules = s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await;
        let rules = rules.map_err(failed("s3:GetLifecycleConfiguration")).optional()?;
        Ok(rules.map(|rules| from_rules(rules.rules())))
    };
    let access_logs = async {
        if is_logs {
            return Ok(None);
        }
        let logging =
            s3.get_bucket_logging().bucket(bucket).send().await.map_err(failed("s3:GetBucketLogging"))?;
        Ok(logging.logging_enabled().map(|to| (to.target_bucket().to_owned(), to.target_prefix().to_owned())))
    };
    let ((versioned, blocks_public_access, policy), (cors, lifecycle, access_logs)) =
        try_join(try_join3(versioned, blocks, policy), try_join3(cors, lifecycle, access_logs)).await?;
    Ok(Bucket {
        what: String::new(),
        bucket_name: bucket.to_owned(),
        versioned,
        blocks_public_access,
        policy,
        cors,
        lifecycle,
        access_logs,
    })
}

/// Writes those that differ from `now`.
pub(super) async fn put(s3: &Client, want: &Bucket, now: &Bucket) -> Result<()> {
    let Bucket {
        what: _,
        bucket_name: bucket,
        versioned,
        blocks_public_access,
        policy,
        cors,
        lifecycle,
        access_logs,
    } = want;
    // Public access is blocked before anything else is open to be asked for.
    if *blocks_public_access && !now.blocks_public_access {
        let all = PublicAccessBlockConfiguration::builder().block_public_acls(true).block_public_policy(true);
        let all = all.ignore_public_acls(true).restrict_public_buckets(true).build();
        let put =
            s3.put_public_access_block().bucket(bucket).public_access_block_configuration(all).send().await;
        put.map_err(failed("s3:PutBucketPublicAccessBlock"))?;
    }
    let versioning = async {
        if *versioned && !now.versioned {
            let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
            let put = s3.put_bucket_versioning().bucket(bucket).versioning_configuration(on).send().await;
            put.map_err(failed("s3:PutBucketVersioning"))?;
        }
        Ok(())
    };
    let policy = async {
        if let Some(policy) = policy.as_ref().filter(|policy| now.policy.as_ref() != Some(policy)) {
            let put = s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await;
            put.map_err(failed("s3:PutBucketPolicy"))?;
        }
        Ok(())
    };
    // A bucket that was just made has no rules yet.
    let cors = async {
        match cors {
            Some(rules) if *rules != now.cors.clone().unwrap_or_default() => {
                put_cors(s3, bucket, rules).await
            }
            Some(_) | None => Ok(()),
        }
    };
    let lifecycle = async {
        match lifecycle {
            Some(lifecycle) if now.lifecycle.as_ref() != Some(lifecycle) => {
                put_lifecycle(s3, bucket, lifecycle).await
            }
            Some(_) | None => Ok(()),
        }
    };
    let logging = async {
        if *access_logs == now.access_logs {
            Ok(())
        } else {
            put_logging(s3, bucket, access_logs.as_ref()).await
        }
    };
    try_join(try_join3(versioning, policy, cors), try_join(lifecycle, logging)).await?;
    Ok(())
}

fn from_cors(rule: &CorsRule) -> Cors {
    Cors {
        origins: rule.allowed_origins().to_vec(),
        methods: rule.allowed_methods().to_vec(),
        headers: rule.allowed_headers().to_vec(),
        exposed_headers: rule.expose_headers().to_vec(),
        max_age_s: rule.max_age_seconds().unwrap_or(0),
    }
}

async fn put_cors(s3: &Client, bucket: &str, want: &[Cors]) -> Result<()> {
    // S3 takes no configuration without rules.
    if want.is_empty() {
        let delete = s3.delete_bucket_cors().bucket(bucket).send().await;
        delete.map_err(failed("s3:PutBucketCORS"))?;
        return Ok(());
    }
    let internal = |error: aws_sdk_s3::error::BuildError| Error::internal(error.to_string());
    let rule = |cors: &Cors| {
        let Cors { origins, methods, headers, exposed_headers, max_age_s } = cors.clone();
        CorsRule::builder()
            .set_allowed_origins(Some(origins))
            .set_allowed_methods(Some(methods))
            .set_allowed_headers(Some(headers))
            .set_expose_headers(Some(exposed_headers))
            .max_age_seconds(max_age_s)
            .build()
    };
    let rules = want.iter().map(rule).collect::<Result<Vec<_>, _>>().map_err(internal)?;
    let configuration = CorsConfiguration::builder().set_cors_rules(Some(rules)).build().map_err(internal)?;
    let put = s3.put_bucket_cors().bucket(bucket).cors_configuration(configuration).send().await;
    put.map_err(failed("s3:PutBucketCORS"))?;
    Ok(())
}

/// Rules that are on, for the whole bucket, and say one thing each are ours to read; any other is only named.
fn from_rules(rules: &[LifecycleRule]) -> Lifecycle {
    let mut found = Lifecycle::default();
    for rule in rules {
        let objects = rule.expiration().and_then(LifecycleExpiration::days);
        let old = rule.noncurrent_version_expiration();
        let old = old.and_then(NoncurrentVersionExpiration::noncurrent_days);
        let unfinished = rule.abort_incomplete_multipart_upload();
        let unfinished = unfinished.and_then(AbortIncompleteMultipartUpload::days_after_initiation);
        let moves = !rule.transitions().is_empty() || !rule.noncurrent_version_transitions().is_empty();
        let slot = match (objects, old, unfinished) {
            _ if moves || rule.status() != &ExpirationStatus::Enabled || !is_for_all(rule) => None,
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

fn is_for_all(rule: &LifecycleRule) -> bool {
    rule.filter().is_none_or(|filter| {
        filter.prefix().unwrap_or_default().is_empty()
            && filter.tag().is_none()
            && filter.and().is_none()
            && filter.object_size_greater_than().is_none()
            && filter.object_size_less_than().is_none()
    })
}

async fn put_lifecycle(s3: &Client, bucket: &str, want: &Lifecycle) -> Result<()> {
    let internal = |error: aws_sdk_s3::error::BuildError| Error::internal(error.to_string());
    let rule = |id: &str| {
        let all = LifecycleRuleFilter::builder().prefix("").build();
        LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled).filter(all)
    };
    let Lifecycle { expire_after_days, old_versions_days, unfinished_uploads_days, other_rules: _ } = want;
    let rules = [
        expire_after_days
            .map(|days| rule("objects").expiration(LifecycleExpiration::builder().days(days).build())),
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

async fn put_logging(s3: &Client, bucket: &str, to: Option<&(String, String)>) -> Result<()> {
    let to = to.map(|(target, prefix)| {
        LoggingEnabled::builder().target_bucket(target).target_prefix(prefix).build()
    });
    let to = to.transpose().map_err(|error| Error::internal(error.to_string()))?;
    let status = BucketLoggingStatus::builder().set_logging_enabled(to).build();
    let put = s3.put_bucket_logging().bucket(bucket).bucket_logging_status(status).send().await;
    put.map_err(failed("s3:PutBucketLogging"))?;
    Ok(())
}
