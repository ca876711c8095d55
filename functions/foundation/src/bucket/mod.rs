//! The stack's buckets: uploads, and the log bucket that access logs go to.

mod empty;

pub use empty::empty;
mod settings;

use aws::{failed, gone};
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectOwnership};
use serde::Serialize;
use serde_json::{Value, json};
use statemachine::config::{Stack, Uploads};
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Context, Data, DataPolicy, Gone, Identity, Made, Name, Names, Need, Resource, State,
};
use statemachine::{Error, ErrorKind, Result, naming};

pub use settings::{Cors, Lifecycle};

/// A bucket with its settings. All of them block public access, refuse plain HTTP and are versioned. Their
/// objects are encrypted and their owner enforced by S3 itself, since 2023, for every new bucket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bucket {
    /// `uploads` or `logs`.
    pub what: String,
    /// Its name, unique in the whole of AWS: part of its identity.
    pub bucket_name: String,
    /// Old versions are kept.
    pub versioned: bool,
    /// All four settings of the public access block are on.
    pub blocks_public_access: bool,
    /// The bucket policy.
    pub policy: Option<Value>,
    /// What browsers may do.
    pub cors: Option<Cors>,
    /// What goes when.
    pub lifecycle: Option<Lifecycle>,
    /// Bucket and prefix of its access logs.
    pub access_logs: Option<(String, String)>,
}

/// `bucket/uploads`.
pub fn name(what: &str) -> Name {
    Name::new(Bucket::KIND, what)
}

/// The name of the log bucket.
pub fn logs_name(ctx: &Context) -> String {
    naming::fit(&[&ctx.prefix(), "logs", &ctx.account], 63)
}

/// The bucket for uploads.
pub fn uploads(ctx: &Context, uploads: &Uploads) -> Bucket {
    let cors = (!uploads.cors_origins.is_empty()).then(|| Cors {
        origins: uploads.cors_origins.clone(),
        methods: uploads.cors_methods.clone(),
        max_age_s: i32::try_from(uploads.cors_max_age_s).unwrap_or(i32::MAX),
    });
    Bucket {
        what: "uploads".to_owned(),
        bucket_name: uploads.bucket.clone(),
        versioned: true,
        blocks_public_access: true,
        policy: Some(policy(&uploads.bucket, vec![])),
        cors,
        lifecycle: Some(Lifecycle {
            expire_after_days: uploads.expire_after_days.and_then(|days| i32::try_from(days).ok()),
            old_versions_days: Some(90),
            unfinished_uploads_days: Some(7),
        }),
        access_logs: Some((logs_name(ctx), format!("s3/{}/", uploads.bucket))),
    }
}

/// The bucket that the load balancer and S3 write access logs into.
pub fn logs(ctx: &Context) -> Bucket {
    let bucket_name = logs_name(ctx);
    let write = |service: &str| {
        json!({
            "Effect": "Allow",
            "Principal": { "Service": service },
            "Action": "s3:PutObject",
            "Resource": format!("arn:aws:s3:::{bucket_name}/*"),
            "Condition": { "StringEquals": { "aws:SourceAccount": ctx.account } },
        })
    };
    let writers =
        vec![write("logdelivery.elasticloadbalancing.amazonaws.com"), write("logging.s3.amazonaws.com")];
    Bucket {
        what: "logs".to_owned(),
        policy: Some(policy(&bucket_name, writers)),
        bucket_name,
        versioned: true,
        blocks_public_access: true,
        cors: None,
        lifecycle: Some(Lifecycle {
            expire_after_days: Some(90),
            old_versions_days: Some(30),
            unfinished_uploads_days: Some(7),
        }),
        access_logs: None,
    }
}

fn policy(bucket: &str, more: Vec<Value>) -> Value {
    let tls_only = json!({
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    });
    let statements: Vec<Value> = std::iter::once(tls_only).chain(more).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// S3, and the buckets that may be ours: those of the file, and those of earlier files. S3 has no listing by
/// tag, and an account may have a thousand buckets.
#[derive(Clone, Debug)]
pub struct Buckets {
    s3: Client,
    candidates: Vec<String>,
    described: Vec<String>,
}

impl Buckets {
    /// For one run.
    pub fn new(s3: Client, ctx: &Context, stack: Option<&Stack>, known: &[String]) -> Self {
        let uploads = stack.and_then(|stack| stack.uploads.as_ref()).map(|uploads| uploads.bucket.clone());
        let described: Vec<String> = stack.map(|_| logs_name(ctx)).into_iter().chain(uploads).collect();
        let usual = [logs_name(ctx), format!("{}-uploads-{}", ctx.app, ctx.environment)];
        let mut candidates: Vec<String> =
            usual.into_iter().chain(described.iter().cloned()).chain(known.iter().cloned()).collect();
        candidates.sort();
        candidates.dedup();
        Self { s3, candidates, described }
    }
}

/// A bucket as found.
pub struct Raw {
    found: Bucket,
    owned: Option<Name>,
    holds_objects: bool,
}

impl Resource for Bucket {
    type Client = Buckets;
    type Raw = Raw;

    const KIND: &'static str = "bucket";

    fn permissions(_: &Scope) -> Vec<Permission> {
        let actions = [
            "s3:CreateBucket",
            "s3:DeleteBucket",
            "s3:GetBucketCORS",
            "s3:GetBucketLogging",
            "s3:GetBucketPolicy",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
            "s3:GetLifecycleConfiguration",
            "s3:ListBucket",
            "s3:ListBucketMultipartUploads",
            "s3:ListBucketVersions",
            "s3:PutBucketCORS",
            "s3:PutBucketLogging",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPolicy",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutLifecycleConfiguration",
        ];
        let objects = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion"];
        let reason =
            "the file names the uploads bucket freely; ownership is checked by tag before each change";
        vec![
            Permission { reason: Some(reason), ..Permission::on(&actions, ["arn:aws:s3:::*".to_owned()]) },
            Permission { reason: Some(reason), ..Permission::on(&objects, ["arn:aws:s3:::*/*".to_owned()]) },
        ]
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        // Access logs need their bucket, with its policy.
        self.access_logs.iter().map(|_| Need::Settled(name("logs"))).collect()
    }

    async fn fetch(ctx: &Context, client: &Buckets, _: &Names) -> Result<Vec<Raw>> {
        let all = client.candidates.iter().map(|bucket| fetch(ctx, client, bucket));
        Ok(futures_util::future::try_join_all(all).await?.into_iter().flatten().collect())
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = &raw.found.bucket_name;
        let Some(owned) = &raw.owned else {
            let what = if *id == logs_name(ctx) { "logs" } else { "uploads" };
            return Some(Identity::theirs(name(what), id));
        };
        // Logs are nobody's data: they go with what they are about.
        let data = if raw.holds_objects && owned.what() != "logs" { Data::Held } else { Data::None };
        Some(Identity { data, ..Identity::ours(owned.clone(), id) })
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let what = names.name_of(&raw.found.bucket_name).what().to_owned();
        Ok(State::Settled(Self { what, ..raw.found }))
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        (self.bucket_name != now.bucket_name).then(|| {
            format!(
                "The bucket is {} and cannot become {}: objects do not move by themselves. Put the old name back into the file, or delete the old bucket first with --delete-data.",
                now.bucket_name, self.bucket_name
            )
        })
    }

    async fn create(self, ctx: Context, client: Buckets, _: Names) -> Result<Made> {
        let mut create = client
            .s3
            .create_bucket()
            .bucket(&self.bucket_name)
            .object_ownership(ObjectOwnership::BucketOwnerEnforced);
        // us-east-1 is the one region that must not be named.
        if ctx.region != "us-east-1" {
            let region = BucketLocationConstraint::from(ctx.region.as_str());
            create = create.create_bucket_configuration(
                CreateBucketConfiguration::builder().location_constraint(region).build(),
            );
        }
        match create.send().await.map_err(failed("s3:CreateBucket")) {
            Ok(_) => {}
            Err(error) if error.code.as_deref() == Some("BucketAlreadyOwnedByYou") => {}
            Err(error) if error.kind == ErrorKind::Exists => {
                let message = format!(
                    "The bucket name {} is taken by another account. Names are unique in the whole of AWS: choose another.",
                    self.bucket_name
                );
                return Err(Error { message, kind: ErrorKind::Invalid, ..error });
            }
            Err(error) => return Err(error),
        }
        // The tags come first: without them a bucket whose making was cut off would be a stranger's.
        settings::tag(&client.s3, &self.bucket_name, ctx.tags(&self.name())).await?;
        match settings::put(&client.s3, &self, None).await {
            Ok(()) => Ok(Made::settled(self.bucket_name)),
            Err(error) if error.kind == ErrorKind::Denied => Err(error),
            // The next look finds the difference.
            Err(_) => Ok(Made::started(self.bucket_name)),
        }
    }

    async fn update(self, now: Self, id: String, _: Context, client: Buckets, _: Names) -> Result<Made> {
        settings::put(&client.s3, &self, Some(&now)).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, now: Option<Self>, ctx: Context, client: Buckets, _: Names) -> Result<Gone> {
        let is_logs = now.is_some_and(|now| now.what == "logs");
        if is_logs || ctx.options.data == DataPolicy::Delete {
            empty::empty(&client.s3, &id, &ctx).await?;
        }
        match client.s3.delete_bucket().bucket(&id).send().await.map_err(failed("s3:DeleteBucket")) {
            Err(error) if error.code.as_deref() == Some("BucketNotEmpty") && is_logs => {
                Err(Error::not_ready(format!("{id} got new logs while it was emptied")))
            }
            other => gone(other, Gone::Now),
        }
    }
}

async fn fetch(ctx: &Context, client: &Buckets, bucket: &str) -> Result<Option<Raw>> {
    let tags =
        client.s3.get_bucket_tagging().bucket(bucket).send().await.map_err(failed("s3:GetBucketTagging"));
    let owned = match tags {
        Ok(tags) => ctx.owned(tags.tag_set().iter().map(|tag| (tag.key(), tag.value()))),
        Err(error) if error.code.as_deref() == Some("NoSuchBucket") => return Ok(None),
        Err(error) if error.kind == ErrorKind::Missing => None,
        // Another account's bucket says no more than that it is there. Nobody who is asked for is refused
        // for it: only a described bucket stands in our way.
        Err(error)
            if error.kind == ErrorKind::Denied && !client.described.iter().any(|name| name == bucket) =>
        {
            return Ok(None);
        }
        Err(error) if error.code.as_deref() == Some("AccessDenied") => None,
        Err(error) => return Err(error),
    };
    if owned.is_none() {
        let found = Bucket::unknown(bucket);
        return Ok(Some(Raw { found, owned, holds_objects: true }));
    }
    let is_described = client.described.iter().any(|name| name == bucket);
    // Only a removal has to know whether there is anything in it.
    let holds = async {
        if is_described && ctx.options.data == DataPolicy::Refuse {
            Ok(true)
        } else {
            empty::holds_objects(&client.s3, bucket).await
        }
    };
    let (found, holds_objects) =
        futures_util::future::try_join(settings::read(&client.s3, bucket), holds).await?;
    Ok(Some(Raw { found, owned, holds_objects }))
}

impl Bucket {
    fn unknown(bucket_name: &str) -> Self {
        Self {
            what: String::new(),
            bucket_name: bucket_name.to_owned(),
            versioned: false,
            blocks_public_access: false,
            policy: None,
            cors: None,
            lifecycle: None,
            access_logs: None,
        }
    }
}
