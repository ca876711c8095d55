//! What is wanted of a stack's two buckets.

use serde_json::{Value, json};
use statemachine::config::Uploads;
use statemachine::naming::bucket_arn;
use statemachine::resource::Context;

use super::{Bucket, Cors, LOGS, Lifecycle, UPLOADS};
use crate::policy::normalized;

/// The bucket for uploads.
pub fn uploads(ctx: &Context, uploads: &Uploads) -> Bucket {
    let cors = (!uploads.cors_origins.is_empty()).then(|| Cors {
        origins: uploads.cors_origins.clone(),
        methods: uploads.cors_methods.iter().map(|method| method.as_str().to_owned()).collect(),
        headers: vec!["*".to_owned()],
        exposed_headers: vec!["ETag".to_owned()],
        max_age_s: i32::try_from(uploads.cors_max_age_s).unwrap_or(i32::MAX),
    });
    Bucket {
        what: UPLOADS.to_owned(),
        bucket_name: uploads.bucket.clone(),
        versioned: true,
        blocks_public_access: true,
        policy: Some(policy(&uploads.bucket, vec![])),
        cors: Some(cors.into_iter().collect()),
        lifecycle: Some(Lifecycle {
            expire_after_days: uploads.expire_after_days.and_then(|days| i32::try_from(days).ok()),
            old_versions_days: Some(90),
            unfinished_uploads_days: Some(7),
            runs_days: None,
            other_rules: Vec::new(),
        }),
        access_logs: Some((ctx.aws_names().logs_bucket(&ctx.account), format!("s3/{}/", uploads.bucket))),
        sends_events: None,
        tagged: None,
    }
}

/// The bucket that the load balancer and S3 write access logs into.
pub fn logs(ctx: &Context) -> Bucket {
    let bucket_name = ctx.aws_names().logs_bucket(&ctx.account);
    let write = |service: &str| {
        json!({
            "Effect": "Allow",
            "Principal": { "Service": service },
            "Action": "s3:PutObject",
            "Resource": format!("{}/*", bucket_arn(&bucket_name)),
            "Condition": { "StringEquals": { "aws:SourceAccount": ctx.account } },
        })
    };
    let writers =
        vec![write("logdelivery.elasticloadbalancing.amazonaws.com"), write("logging.s3.amazonaws.com")];
    Bucket {
        what: LOGS.to_owned(),
        policy: Some(policy(&bucket_name, writers)),
        bucket_name,
        versioned: true,
        blocks_public_access: true,
        cors: None,
        lifecycle: Some(Lifecycle {
            expire_after_days: Some(90),
            old_versions_days: Some(30),
            unfinished_uploads_days: Some(7),
            runs_days: None,
            other_rules: Vec::new(),
        }),
        access_logs: None,
        sends_events: None,
        tagged: None,
    }
}

/// The policy of a bucket: TLS only, and these statements more.
pub fn policy(bucket: &str, more: Vec<Value>) -> Value {
    let tls_only = json!({
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn(bucket), format!("{}/*", bucket_arn(bucket))],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    });
    let statements: Vec<Value> = std::iter::once(tls_only).chain(more).collect();
    normalized(json!({ "Version": "2012-10-17", "Statement": statements }))
}
