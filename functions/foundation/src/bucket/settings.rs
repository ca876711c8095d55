//! A bucket's settings. S3 reads and writes each by a call of its own.

use aws::failed;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLoggingStatus, BucketVersioningStatus, CorsConfiguration, CorsRule, EventBridgeConfiguration,
    LoggingEnabled, NotificationConfiguration, PublicAccessBlockConfiguration, VersioningConfiguration,
};
use futures_util::future::{try_join, try_join3};
use serde::Serialize;
use serde_json::Value;
use statemachine::error::Optional as _;
use statemachine::{Error, Result};

use super::{Bucket, LOGS, PROVISIONER, lifecycle};
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

/// Reads, at once, all that a bucket for this purpose can have: nobody describes what browsers may do with the
/// log bucket and the provisioner's, nor logs of the access to them.
pub(super) async fn read(s3: &Client, bucket: &str, what: &str) -> Result<Bucket> {
    let is_provisioner = what == PROVISIONER;
    let is_logged = what != LOGS && !is_provisioner;
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
        if !is_logged {
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
        Ok(rules.map(|rules| lifecycle::from_rules(rules.rules(), is_provisioner)))
    };
    let access_logs = async {
        if !is_logged {
            return Ok(None);
        }
        let logging =
            s3.get_bucket_logging().bucket(bucket).send().await.map_err(failed("s3:GetBucketLogging"))?;
        Ok(logging.logging_enabled().map(|to| (to.target_bucket().to_owned(), to.target_prefix().to_owned())))
    };
    let sends_events = async {
        if !is_provisioner {
            return Ok(None);
        }
        let events = s3.get_bucket_notification_configuration().bucket(bucket).send().await;
        let events = events.map_err(failed("s3:GetBucketNotification"))?;
        Ok(Some(events.event_bridge_configuration().is_some()))
    };
    let ((versioned, blocks_public_access, policy), (cors, lifecycle), (access_logs, sends_events)) =
        try_join3(
            try_join3(versioned, blocks, policy),
            try_join(cors, lifecycle),
            try_join(access_logs, sends_events),
        )
        .await?;
    Ok(Bucket {
        what: what.to_owned(),
        bucket_name: bucket.to_owned(),
        versioned,
        blocks_public_access,
        policy,
        cors,
        lifecycle,
        access_logs,
        sends_events,
        // Which of the two is known before.
        tagged: is_provisioner.then_some(false),
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
        sends_events,
        tagged: _,
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
                lifecycle::put(s3, bucket, lifecycle).await
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
    let events = async {
        if *sends_events == Some(true) && now.sends_events != Some(true) {
            put_events(s3, bucket).await
        } else {
            Ok(())
        }
    };
    try_join(try_join3(versioning, policy, cors), try_join3(lifecycle, logging, events)).await?;
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

async fn put_events(s3: &Client, bucket: &str) -> Result<()> {
    let on = EventBridgeConfiguration::builder().build();
    let on = NotificationConfiguration::builder().event_bridge_configuration(on).build();
    let put = s3.put_bucket_notification_configuration().bucket(bucket).notification_configuration(on);
    put.send().await.map_err(failed("s3:PutBucketNotification"))?;
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
