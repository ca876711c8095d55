//! A bucket's settings. S3 reads and writes each by a call of its own.

use aws::failed;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLoggingStatus,
    BucketVersioningStatus, CorsConfiguration, CorsRule, ExpirationStatus, LifecycleExpiration,
    LifecycleRule, LifecycleRuleFilter, LoggingEnabled, NoncurrentVersionExpiration,
    PublicAccessBlockConfiguration, Tag, Tagging, VersioningConfiguration,
};
use futures_util::future::{try_join, try_join3};
use serde::Serialize;
use serde_json::Value;
use statemachine::error::Optional as _;
use statemachine::{Error, Result};

use super::Bucket;

/// What browsers of other origins may do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cors {
    /// `https://tryarive.com`
    pub origins: Vec<String>,
    /// `GET`
    pub methods: Vec<String>,
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
}

/// Reads them all, at once.
pub(super) async fn read(s3: &Client, bucket: &str) -> Result<Bucket> {
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
        let parsed = text.map(|text| serde_json::from_str::<Value>(&text)).transpose();
        parsed.map_err(|error| Error::internal(format!("the policy of {bucket} is no JSON: {error}")))
    };
    let cors = async {
        let cors = s3
            .get_bucket_cors()
            .bucket(bucket)
            .send()
            .await
            .map_err(failed("s3:GetBucketCORS"))
            .optional()?;
        Ok(cors.and_then(|cors| cors.cors_rules().first().map(from_cors)))
    };
    let lifecycle = async {
        let rules = s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await;
        let rules = rules.map_err(failed("s3:GetLifecycleConfiguration")).optional()?;
        Ok(rules.map(|rules| from_rules(rules.rules())))
    };
    let access_logs = async {
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

/// Writes those that differ from `now`; all of them when there is no `now`.
pub(super) async fn put(s3: &Client, want: &Bucket, now: Option<&Bucket>) -> Result<()> {
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
    if *blocks_public_access && !now.is_some_and(|now| now.blocks_public_access) {
        let all = PublicAccessBlockConfiguration::builder().block_public_acls(true).block_public_policy(true);
        let all = all.ignore_public_acls(true).restrict_public_buckets(true).build();
        let put =
            s3.put_public_access_block().bucket(bucket).public_access_block_configuration(all).send().await;
        put.map_err(failed("s3:PutBucketPublicAccessBlock"))?;
    }
    let versioning = async {
        if *versioned && !now.is_some_and(|now| now.versioned) {
            let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
            let put = s3.put_bucket_versioning().bucket(bucket).versioning_configuration(on).send().await;
            put.map_err(failed("s3:PutBucketVersioning"))?;
        }
        Ok(())
    };
    let policy = async {
        if let Some(policy) =
            policy.as_ref().filter(|policy| now.and_then(|now| now.policy.as_ref()) != Some(policy))
        {
            let put = s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await;
            put.map_err(failed("s3:PutBucketPolicy"))?;
        }
        Ok(())
    };
    let cors = async {
        match cors {
            Some(cors) if now.and_then(|now| now.cors.as_ref()) != Some(cors) => {
                put_cors(s3, bucket, cors).await
            }
            None if now.is_some_and(|now| now.cors.is_some()) => {
                let delete = s3.delete_bucket_cors().bucket(bucket).send().await;
                delete.map(|_| ()).map_err(failed("s3:PutBucketCORS"))
            }
            Some(_) | None => Ok(()),
        }
    };
    let lifecycle = async {
        match lifecycle {
            Some(lifecycle) if now.and_then(|now| now.lifecycle.as_ref()) != Some(lifecycle) => {
                put_lifecycle(s3, bucket, lifecycle).await
            }
            Some(_) | None => Ok(()),
        }
    };
    let logging = async {
        match access_logs {
            Some(to) if now.and_then(|now| now.access_logs.as_ref()) != Some(to) => {
                put_logging(s3, bucket, to).await
            }
            Some(_) | None => Ok(()),
        }
    };
    try_join(try_join3(versioning, policy, cors), try_join(lifecycle, logging)).await?;
    Ok(())
}

/// Tags a bucket. CreateBucket takes no tags in every region yet.
pub(super) async fn tag(s3: &Client, bucket: &str, tags: Vec<(String, String)>) -> Result<()> {
    let internal = |error: aws_sdk_s3::error::BuildError| Error::internal(error.to_string());
    let tags = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let tags = tags.collect::<Result<Vec<_>, _>>().map_err(internal)?;
    let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(internal)?;
    let put = s3.put_bucket_tagging().bucket(bucket).tagging(tagging).send().await;
    put.map_err(failed("s3:PutBucketTagging"))?;
    Ok(())
}

fn from_cors(rule: &CorsRule) -> Cors {
    Cors {
        origins: rule.allowed_origins().to_vec(),
        methods: rule.allowed_methods().to_vec(),
        max_age_s: rule.max_age_seconds().unwrap_or(0),
    }
}

async fn put_cors(s3: &Client, bucket: &str, cors: &Cors) -> Result<()> {
    let internal = |error: aws_sdk_s3::error::BuildError| Error::internal(error.to_string());
    let rule = CorsRule::builder()
        .set_allowed_origins(Some(cors.origins.clone()))
        .set_allowed_methods(Some(cors.methods.clone()))
        .allowed_headers("*")
        .expose_headers("ETag")
        .max_age_seconds(cors.max_age_s)
        .build()
        .map_err(internal)?;
    let configuration = CorsConfiguration::builder().cors_rules(rule).build().map_err(internal)?;
    let put = s3.put_bucket_cors().bucket(bucket).cors_configuration(configuration).send().await;
    put.map_err(failed("s3:PutBucketCORS"))?;
    Ok(())
}

fn from_rules(rules: &[LifecycleRule]) -> Lifecycle {
    let enabled = || rules.iter().filter(|rule| rule.status() == &ExpirationStatus::Enabled);
    Lifecycle {
        expire_after_days: enabled().find_map(|rule| rule.expiration()?.days()),
        old_versions_days: enabled().find_map(|rule| rule.noncurrent_version_expiration()?.noncurrent_days()),
        unfinished_uploads_days: enabled()
            .find_map(|rule| rule.abort_incomplete_multipart_upload()?.days_after_initiation()),
    }
}

async fn put_lifecycle(s3: &Client, bucket: &str, want: &Lifecycle) -> Result<()> {
    let internal = |error: aws_sdk_s3::error::BuildError| Error::internal(error.to_string());
    let rule = |id: &str| {
        let all = LifecycleRuleFilter::builder().prefix("").build();
        LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled).filter(all)
    };
    let Lifecycle { expire_after_days, old_versions_days, unfinished_uploads_days } = want;
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

async fn put_logging(s3: &Client, bucket: &str, (target, prefix): &(String, String)) -> Result<()> {
    let to = LoggingEnabled::builder().target_bucket(target).target_prefix(prefix).build();
    let to = to.map_err(|error| Error::internal(error.to_string()))?;
    let status = BucketLoggingStatus::builder().logging_enabled(to).build();
    let put = s3.put_bucket_logging().bucket(bucket).bucket_logging_status(status).send().await;
    put.map_err(failed("s3:PutBucketLogging"))?;
    Ok(())
}
