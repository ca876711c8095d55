//! The stack's buckets: uploads, and the log bucket that access logs go to.

mod empty;
mod owner;
mod settings;
mod wanted;

use aws::{failed, gone};
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectOwnership};
use serde::Serialize;
use serde_json::Value;
use statemachine::config::Stack;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, Data, DataPolicy, Gone, Identity, Made, Name, Names, Need, Resource, State,
};
use statemachine::{Error, ErrorKind, Result};

use owner::Owner;

pub use empty::empty;
pub use settings::{Cors, Lifecycle};
pub use wanted::{logs, uploads};

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
    /// What browsers may do, a rule each; `None` of the log bucket, which no browser asks: it is not read.
    pub cors: Option<Vec<Cors>>,
    /// What goes when.
    pub lifecycle: Option<Lifecycle>,
    /// Bucket and prefix of its access logs; `None` of the log bucket itself: it is not read.
    pub access_logs: Option<(String, String)>,
}

/// Why the permissions name no bucket.
const REASON: &str =
    "the file names the uploads bucket freely; ownership is checked by tag before each change";

/// `bucket/uploads`.
pub fn name(what: &str) -> Name {
    resource::bucket(what)
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
        let described: Vec<String> =
            stack.map(|_| ctx.aws_names().logs_bucket(&ctx.account)).into_iter().chain(uploads).collect();
        let usual = [ctx.aws_names().logs_bucket(&ctx.account), ctx.aws_names().uploads_bucket()];
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

    const KIND: &'static str = resource::kind::BUCKET;
    const ADOPTABLE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let asks = [
            "s3:CreateBucket",
            "s3:GetBucketCORS",
            "s3:GetBucketLogging",
            "s3:GetBucketPolicy",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
            "s3:GetLifecycleConfiguration",
            "s3:ListBucketMultipartUploads",
            "s3:ListBucketVersions",
            // Both belong to CreateBucket, with an owner's rule and with tags.
            "s3:PutBucketOwnershipControls",
            "s3:TagResource",
        ];
        let changes = [
            "s3:DeleteBucket",
            "s3:PutBucketCORS",
            "s3:PutBucketLogging",
            "s3:PutBucketPolicy",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutLifecycleConfiguration",
        ];
        let objects = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion"];
        // The account is all that S3 can be held to: it knows a bucket's tags only after a setting of its own.
        let here = |actions: &[&'static str], resource: &str| Permission {
            reason: Some(REASON),
            ..Permission::on(actions, [resource.to_owned()]).when(
                "StringEquals",
                "aws:ResourceAccount",
                [scope.account.clone()],
            )
        };
        vec![
            Permission { reason: Some(REASON), ..Permission::on(&asks, ["arn:aws:s3:::*".to_owned()]) },
            here(&changes, "arn:aws:s3:::*"),
            here(&objects, "arn:aws:s3:::*/*"),
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
            let what = if *id == ctx.aws_names().logs_bucket(&ctx.account) { "logs" } else { "uploads" };
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

    async fn create(self, Call { ctx, client, .. }: Call<Buckets>) -> Result<Made> {
        let mut configuration =
            CreateBucketConfiguration::builder().set_tags(Some(owner::tags(&ctx, &self.name())?));
        // us-east-1 is the one region that must not be named.
        if ctx.region != "us-east-1" {
            let region = BucketLocationConstraint::from(ctx.region.as_str());
            configuration = configuration.location_constraint(region);
        }
        let create = client
            .s3
            .create_bucket()
            .bucket(&self.bucket_name)
            .object_ownership(ObjectOwnership::BucketOwnerEnforced)
            .create_bucket_configuration(configuration.build());
        match create.send().await.map_err(failed("s3:CreateBucket")) {
            Ok(_) => {}
            // Made since the look. Whether by us, the next look tells by its tags.
            Err(error) if error.code.as_deref() == Some("BucketAlreadyOwnedByYou") => {
                return Ok(Made::started(self.bucket_name));
            }
            Err(error) if error.kind == ErrorKind::Exists => {
                let message = format!(
                    "The bucket name {} is taken by another account. Names are unique in the whole of AWS: choose another.",
                    self.bucket_name
                );
                return Err(Error { message, kind: ErrorKind::Invalid, ..error });
            }
            Err(error) => return Err(error),
        }
        match settings::put(&client.s3, &self, &Bucket::unknown(&self.bucket_name)).await {
            Ok(()) => Ok(Made::settled(self.bucket_name)),
            Err(error) if error.kind == ErrorKind::Denied => Err(error),
            // The next look finds the difference.
            Err(_) => Ok(Made::started(self.bucket_name)),
        }
    }

    async fn adopt(&self, id: String, Call { ctx, client, .. }: Call<Buckets>) -> Result<()> {
        owner::take_over(&client.s3, &id, &ctx, &self.name()).await
    }

    async fn update(self, now: Self, id: String, Call { client, .. }: Call<Buckets>) -> Result<Made> {
        settings::put(&client.s3, &self, &now).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, now: Option<Self>, Call { ctx, client, .. }: Call<Buckets>) -> Result<Gone> {
        let is_logs = now.is_some_and(|now| now.what == "logs");
        if is_logs || ctx.options.data == DataPolicy::Delete {
            empty::empty(&client.s3, &id, &ctx).await?;
        }
        match client.s3.delete_bucket().bucket(&id).send().await.map_err(failed("s3:DeleteBucket")) {
            Err(error) if error.code.as_deref() == Some("BucketNotEmpty") && is_logs => {
                Err(Error::not_ready(format!("{id} got new logs while it was emptied")))
            }
            Err(error) if error.code.as_deref() == Some("BucketNotEmpty") => {
                let message = format!(
                    "The bucket {id} is not empty. Say --delete-data to delete what it holds, or --keep-data to leave it in place."
                );
                Err(Error { message, ..error })
            }
            other => gone(other, Gone::Now),
        }
    }
}

/// One of the buckets that may be ours. Somebody else's of that name is only told of when it is described: then
/// it stands in our way.
async fn fetch(ctx: &Context, client: &Buckets, bucket: &str) -> Result<Option<Raw>> {
    let is_described = client.described.iter().any(|name| name == bucket);
    let owned = match owner::of(&client.s3, bucket, ctx).await? {
        Owner::Nobody => return Ok(None),
        Owner::Ours(name) => name,
        Owner::Theirs(why) => {
            return match (is_described, ctx.options.adopt, why) {
                (false, _, _) => Ok(None),
                (true, true, Some(why)) => Err(Error::new(ErrorKind::Invalid, why)),
                // What it is like decides what is to be changed once it is taken over.
                (true, true, None) => {
                    let what =
                        if *bucket == ctx.aws_names().logs_bucket(&ctx.account) { "logs" } else { "uploads" };
                    let found = settings::read(&client.s3, bucket, what).await?;
                    Ok(Some(Raw { found, owned: None, holds_objects: true }))
                }
                (true, false, _) => {
                    Ok(Some(Raw { found: Bucket::unknown(bucket), owned: None, holds_objects: true }))
                }
            };
        }
    };
    // Only a removal has to know whether there is anything in it.
    let holds = async {
        if is_described && ctx.options.data == DataPolicy::Refuse {
            Ok(true)
        } else {
            empty::holds_objects(&client.s3, bucket).await
        }
    };
    // Of one that leaves, nobody has to know its settings.
    let settings = async {
        if is_described {
            settings::read(&client.s3, bucket, owned.what()).await
        } else {
            Ok(Bucket::unknown(bucket))
        }
    };
    let (found, holds_objects) = futures_util::future::try_join(settings, holds).await?;
    Ok(Some(Raw { found, owned: Some(owned), holds_objects }))
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
