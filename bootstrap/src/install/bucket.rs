//! The provisioner's bucket: configurations, locks, run records, releases (design.md section 6).

use foundation::bucket::{Bucket, Buckets, Lifecycle, PROVISIONER, Untagged, policy};
use statemachine::permission::{Permission, Scope};

/// Days for which run records stay.
const RUNS_DAYS: i32 = 90;
/// Days for which old versions of configurations, intents and locks stay.
const OLD_VERSIONS_DAYS: i32 = 90;
/// Days after which an upload that was never completed goes.
const UNFINISHED_UPLOADS_DAYS: i32 = 7;

/// The bucket of an app's engine.
pub fn wanted(scope: &Scope) -> Bucket {
    Bucket {
        what: PROVISIONER.to_owned(),
        bucket_name: scope.bucket(),
        versioned: true,
        blocks_public_access: true,
        policy: Some(policy(&scope.bucket(), Vec::new())),
        cors: None,
        lifecycle: Some(Lifecycle {
            expire_after_days: None,
            old_versions_days: Some(OLD_VERSIONS_DAYS),
            unfinished_uploads_days: Some(UNFINISHED_UPLOADS_DAYS),
            runs_days: Some(RUNS_DAYS),
            other_rules: Vec::new(),
        }),
        access_logs: None,
        sends_events: Some(true),
        tagged: Some(true),
    }
}

/// Where it is looked for.
pub(super) fn place(s3: &aws_sdk_s3::Client, scope: &Scope, wanted: Option<&Bucket>) -> Buckets {
    Buckets {
        s3: s3.clone(),
        candidates: vec![scope.bucket()],
        described: wanted.map(|bucket| (bucket.bucket_name.clone(), PROVISIONER)).into_iter().collect(),
        // S3 takes the tags by a call of its own, and the name holds account and region.
        untagged: Untagged::Ours(PROVISIONER),
        if_taken: "Bucket names are unique in the whole of AWS: give the app another name.",
    }
}

/// What making it, changing it and removing it with all that it holds needs.
pub(super) fn permissions(scope: &Scope) -> Vec<Permission> {
    let objects = [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:GetObject",
        "s3:PutObject",
    ];
    let settings = [
        "s3:CreateBucket",
        "s3:DeleteBucket",
        "s3:GetBucketNotification",
        "s3:GetBucketPolicy",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketTagging",
        "s3:GetBucketVersioning",
        "s3:GetLifecycleConfiguration",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions",
        "s3:PutBucketNotification",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:PutBucketVersioning",
        "s3:PutLifecycleConfiguration",
    ];
    let bucket = scope.bucket_arn();
    vec![Permission::on(&objects, [format!("{bucket}/*")]), Permission::on(&settings, [bucket])]
}
