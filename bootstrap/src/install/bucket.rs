//! The provisioner's bucket: configurations, locks, run records, releases (design.md section 6).

use aws::{failed, gone};
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint,
    BucketVersioningStatus, CreateBucketConfiguration, EventBridgeConfiguration, ExpirationStatus,
    LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration,
    NotificationConfiguration, ObjectOwnership, PublicAccessBlockConfiguration, Tag, Tagging,
    VersioningConfiguration,
};
use futures_util::future::{try_join, try_join4};
use serde::Serialize;
use serde_json::{Value, json};
use statemachine::error::Optional as _;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, Data, DataPolicy, Gone, Identity, Made, Name, Names, Need, Owner, Resource, State,
};
use statemachine::{Error, ErrorKind, Result};

use super::tags::incomplete;

/// Days for which run records stay.
const RUNS_DAYS: i32 = 90;
/// Days for which old versions of configurations, intents and locks stay.
const OLD_VERSIONS_DAYS: i32 = 90;
/// Days after which an upload that was never completed goes.
const UNFINISHED_UPLOADS_DAYS: i32 = 7;

/// The provisioner's bucket with its settings. Its objects are encrypted by S3 itself, since 2023, in every
/// bucket; owner enforced is set in the create call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bucket {
    /// `stepstack-{app}-{account}-{region}`
    pub bucket_name: String,
    /// Old versions are kept.
    pub versioned: bool,
    /// All four settings of the public access block are on.
    pub blocks_public_access: bool,
    /// The bucket policy: TLS only.
    pub policy: Option<Value>,
    /// What goes when.
    pub lifecycle: Option<Lifecycle>,
    /// Its events go to EventBridge: an upload is a trigger.
    pub sends_events: bool,
    /// It carries our tags. S3 takes them by a call of its own, before which the installer may have died.
    pub tagged: bool,
}

/// What goes when, in days. Each field is a rule of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lifecycle {
    /// Run records, under `runs/`.
    pub runs_days: Option<i32>,
    /// Old versions of anything.
    pub old_versions_days: Option<i32>,
    /// Parts of uploads that were never completed.
    pub unfinished_uploads_days: Option<i32>,
}

/// A bucket as found, and whose it is.
pub struct Raw {
    found: Bucket,
    owner: Owner,
    holds_objects: bool,
}

fn name() -> Name {
    Name::new(Bucket::KIND, "provisioner")
}

impl Bucket {
    /// The bucket of an app's engine.
    pub fn new(scope: &Scope) -> Self {
        let arn = format!("arn:aws:s3:::{}", scope.bucket());
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, format!("{arn}/*")],
            "Condition": { "Bool": { "aws:SecureTransport": "false" } },
        }]});
        Self {
            bucket_name: scope.bucket(),
            versioned: true,
            blocks_public_access: true,
            policy: Some(policy),
            lifecycle: Some(Lifecycle {
                runs_days: Some(RUNS_DAYS),
                old_versions_days: Some(OLD_VERSIONS_DAYS),
                unfinished_uploads_days: Some(UNFINISHED_UPLOADS_DAYS),
            }),
            sends_events: true,
            tagged: true,
        }
    }
}

impl Resource for Bucket {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "bucket";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let bucket = format!("arn:aws:s3:::{}", scope.bucket());
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
        vec![Permission::on(&objects, [format!("{bucket}/*")]), Permission::on(&settings, [bucket])]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let bucket = ctx.scope().bucket();
        let tags = client.get_bucket_tagging().bucket(&bucket).send().await;
        let (owner, tagged) = match tags.map_err(failed("s3:GetBucketTagging")) {
            Ok(tags) => {
                let owned = ctx.owned(tags.tag_set().iter().map(|tag| (tag.key(), tag.value())));
                if owned == Some(name()) { (Owner::Ours, true) } else { (Owner::Theirs, true) }
            }
            Err(error) if error.code.as_deref() == Some("NoSuchBucket") => return Ok(Vec::new()),
            // In this account, with our name and no tags at all: an installer died before it put them.
            Err(error) if error.kind == ErrorKind::Missing => (Owner::Ours, false),
            Err(error) => return Err(error),
        };
        let (found, holds_objects) = try_join(read(client, &bucket), holds_objects(client, &bucket)).await?;
        Ok(vec![Raw { found: Self { tagged, ..found }, owner, holds_objects }])
    }

    fn identify(_: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let data = if raw.holds_objects { Data::Held } else { Data::None };
        Some(Identity { owner: raw.owner, data, ..Identity::ours(name(), &raw.found.bucket_name) })
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        Ok(State::Settled(raw.found))
    }

    async fn create(self, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        let create = client.create_bucket().bucket(&self.bucket_name);
        let mut create = create.object_ownership(ObjectOwnership::BucketOwnerEnforced);
        // us-east-1 is the one region that must not be named.
        if ctx.region != "us-east-1" {
            let region = BucketLocationConstraint::from(ctx.region.as_str());
            let region = CreateBucketConfiguration::builder().location_constraint(region).build();
            create = create.create_bucket_configuration(region);
        }
        match create.send().await.map_err(failed("s3:CreateBucket")) {
            Ok(_) => {}
            Err(error) if error.code.as_deref() == Some("BucketAlreadyOwnedByYou") => {}
            Err(error) if error.kind == ErrorKind::Exists => {
                let message = format!(
                    "The bucket name {} is taken by another account. Bucket names are unique in the whole of \
                     AWS: give the app another name.",
                    self.bucket_name
                );
                return Err(Error { message, kind: ErrorKind::Invalid, ..error });
            }
            Err(error) => return Err(error),
        }
        // The tags come first: by them it is ours.
        tag(&ctx, &client, &self.bucket_name).await?;
        match write(&client, &self, None).await {
            Ok(()) => Ok(Made::settled(self.bucket_name)),
            // The next look finds the difference.
            Err(error) if error.kind == ErrorKind::Transient => Ok(Made::started(self.bucket_name)),
            Err(error) => Err(error),
        }
    }

    async fn update(self, now: Self, id: String, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        if !now.tagged {
            tag(&ctx, &client, &id).await?;
        }
        write(&client, &self, Some(&now)).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { ctx, client, .. }: Call<Client>) -> Result<Gone> {
        if ctx.options.data == DataPolicy::Delete {
            foundation::bucket::empty(&client, &id, &ctx).await?;
        }
        gone(client.delete_bucket().bucket(&id).send().await.map_err(failed("s3:DeleteBucket")), Gone::Now)
    }
}

async fn tag(ctx: &Context, s3: &Client, bucket: &str) -> Result<()> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().map_err(incomplete);
    let tags = ctx.tags(&name()).into_iter().map(tag).collect::<Result<Vec<_>>>()?;
    let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(incomplete)?;
    let put = s3.put_bucket_tagging().bucket(bucket).tagging(tagging).send().await;
    put.map_err(failed("s3:PutBucketTagging"))?;
    Ok(())
}

/// Whether deleting it would lose anything: one call.
async fn holds_objects(s3: &Client, bucket: &str) -> Result<bool> {
    let versions = s3.list_object_versions().bucket(bucket).max_keys(1).send().await;
    let versions = versions.map_err(failed("s3:ListBucketVersions")).optional()?;
    Ok(versions.is_some_and(|found| !found.versions().is_empty() || !found.delete_markers().is_empty()))
}

async fn read(s3: &Client, bucket: &str) -> Result<Bucket> {
    let versioned = async {
        let versioning = s3.get_bucket_versioning().bucket(bucket).send().await;
        let versioning = versioning.map_err(failed("s3:GetBucketVersioning"))?;
        Ok(versioning.status() == Some(&BucketVersioningStatus::Enabled))
    };
    let blocks = async {
        let block = s3.get_public_access_block().bucket(bucket).send().await;
        let block = block.map_err(failed("s3:GetBucketPublicAccessBlock")).optional()?;
        Ok(block.and_then(|block| block.public_access_block_configuration).is_some_and(|block| {
            let acls = [block.block_public_acls, block.ignore_public_acls];
            let policies = [block.block_public_policy, block.restrict_public_buckets];
            acls == [Some(true); 2] && policies == [Some(true); 2]
        }))
    };
    let policy = async {
        let policy = s3.get_bucket_policy().bucket(bucket).send().await;
        let policy = policy.map_err(failed("s3:GetBucketPolicy")).optional()?.and_then(|found| found.policy);
        let parsed = policy.map(|text| serde_json::from_str::<Value>(&text)).transpose();
        parsed.map_err(|error| Error::internal(format!("the policy of {bucket} is no JSON: {error}")))
    };
    let lifecycle = async {
        let rules = s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await;
        let rules = rules.map_err(failed("s3:GetLifecycleConfiguration")).optional()?;
        Ok(rules.map(|rules| from_rules(rules.rules())))
    };
    let sends_events = async {
        let events = s3.get_bucket_notification_configuration().bucket(bucket).send().await;
        let events = events.map_err(failed("s3:GetBucketNotification"))?;
        Ok(events.event_bridge_configuration().is_some())
    };
    let ((versioned, blocks_public_access, policy, lifecycle), sends_events) =
        try_join(try_join4(versioned, blocks, policy, lifecycle), sends_events).await?;
    let bucket_name = bucket.to_owned();
    // Whether it is tagged is known before.
    let tagged = false;
    Ok(Bucket { bucket_name, versioned, blocks_public_access, policy, lifecycle, sends_events, tagged })
}

/// Writes the settings that differ from `now`; all of them when there is no `now`.
async fn write(s3: &Client, want: &Bucket, now: Option<&Bucket>) -> Result<()> {
    let Bucket {
        bucket_name: bucket,
        versioned,
        blocks_public_access,
        policy,
        lifecycle,
        sends_events,
        tagged: _,
    } = want;
    // Public access is blocked before there is anything to be read.
    if now.is_none_or(|now| now.blocks_public_access != *blocks_public_access) {
        let all = PublicAccessBlockConfiguration::builder().block_public_acls(true).block_public_policy(true);
        let all = all.ignore_public_acls(true).restrict_public_buckets(true).build();
        let put = s3.put_public_access_block().bucket(bucket).public_access_block_configuration(all);
        put.send().await.map_err(failed("s3:PutBucketPublicAccessBlock"))?;
    }
    let versioning = async {
        if now.is_none_or(|now| now.versioned != *versioned) {
            let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
            let put = s3.put_bucket_versioning().bucket(bucket).versioning_configuration(on).send().await;
            put.map_err(failed("s3:PutBucketVersioning"))?;
        }
        Ok(())
    };
    let policy = async {
        if let Some(text) = policy.as_ref().filter(|_| now.is_none_or(|now| now.policy != *policy)) {
            let put = s3.put_bucket_policy().bucket(bucket).policy(text.to_string()).send().await;
            put.map_err(failed("s3:PutBucketPolicy"))?;
        }
        Ok(())
    };
    let lifecycle = async {
        if let Some(want) = lifecycle.as_ref().filter(|_| now.is_none_or(|now| now.lifecycle != *lifecycle)) {
            let rules = BucketLifecycleConfiguration::builder().set_rules(Some(rules(want)?));
            let rules = rules.build().map_err(incomplete)?;
            let put = s3.put_bucket_lifecycle_configuration().bucket(bucket).lifecycle_configuration(rules);
            put.send().await.map_err(failed("s3:PutLifecycleConfiguration"))?;
        }
        Ok(())
    };
    let events = async {
        if now.is_none_or(|now| now.sends_events != *sends_events) {
            let on = EventBridgeConfiguration::builder().build();
            let on = NotificationConfiguration::builder().event_bridge_configuration(on).build();
            let put = s3.put_bucket_notification_configuration().bucket(bucket);
            let put = put.notification_configuration(on).send().await;
            put.map_err(failed("s3:PutBucketNotification"))?;
        }
        Ok(())
    };
    try_join4(versioning, policy, lifecycle, events).await?;
    Ok(())
}

fn rules(want: &Lifecycle) -> Result<Vec<LifecycleRule>> {
    let rule = |id: &str, prefix: &str| {
        let under = LifecycleRuleFilter::builder().prefix(prefix).build();
        LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled).filter(under)
    };
    let Lifecycle { runs_days, old_versions_days, unfinished_uploads_days } = want;
    let rules = [
        runs_days
            .map(|days| rule("runs", "runs/").expiration(LifecycleExpiration::builder().days(days).build())),
        old_versions_days.map(|days| {
            let old = NoncurrentVersionExpiration::builder().noncurrent_days(days).build();
            rule("old-versions", "").noncurrent_version_expiration(old)
        }),
        unfinished_uploads_days.map(|days| {
            let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build();
            rule("unfinished-uploads", "").abort_incomplete_multipart_upload(abort)
        }),
    ];
    rules.into_iter().flatten().map(|rule| rule.build().map_err(incomplete)).collect()
}

fn from_rules(rules: &[LifecycleRule]) -> Lifecycle {
    let enabled = || rules.iter().filter(|rule| rule.status() == &ExpirationStatus::Enabled);
    Lifecycle {
        runs_days: enabled().find_map(|rule| rule.expiration()?.days()),
        old_versions_days: enabled().find_map(|rule| rule.noncurrent_version_expiration()?.noncurrent_days()),
        unfinished_uploads_days: enabled()
            .find_map(|rule| rule.abort_incomplete_multipart_upload()?.days_after_initiation()),
    }
}
