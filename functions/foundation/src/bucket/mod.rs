//! Buckets: a stack's for uploads, the one that its access logs go to, and the provisioner's, which the installer
//! makes.

mod empty;
mod lifecycle;
mod look;
mod owner;
mod settings;
mod wanted;

use aws::{failed, gone};
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectOwnership};
use serde::Serialize;
use serde_json::Value;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, Data, DataPolicy, Gone, Identity, Made, Name, Names, Need, Resource, State,
};
use statemachine::{Error, ErrorKind, Result};

pub use empty::empty;
pub use lifecycle::Lifecycle;
pub use look::{Buckets, Raw, Untagged};
pub use settings::Cors;
pub use wanted::{logs, policy, uploads};

/// A bucket with its settings. All of them block public access, refuse plain HTTP and are versioned. Their
/// objects are encrypted and their owner enforced by S3 itself, since 2023, for every new bucket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bucket {
    /// `uploads`, `logs` or `provisioner`.
    pub what: String,
    /// Its name, unique in the whole of AWS: part of its identity.
    pub bucket_name: String,
    /// Old versions are kept.
    pub versioned: bool,
    /// All four settings of the public access block are on.
    pub blocks_public_access: bool,
    /// The bucket policy.
    pub policy: Option<Value>,
    /// What browsers may do, a rule each; `None` of buckets that no browser asks: it is not read.
    pub cors: Option<Vec<Cors>>,
    /// What goes when.
    pub lifecycle: Option<Lifecycle>,
    /// Bucket and prefix of its access logs; `None` of the log bucket itself and of the provisioner's: it is not
    /// read.
    pub access_logs: Option<(String, String)>,
    /// Its events go to EventBridge: an upload is a trigger. `None` of a stack's buckets: it is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sends_events: Option<bool>,
    /// It carries our tags, put on by a call of its own, before which the installer may have died. `None` of a
    /// stack's buckets: their tags come with the call that makes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tagged: Option<bool>,
}

/// [`Bucket::what`] of the bucket that access logs go to.
pub const LOGS: &str = "logs";
/// [`Bucket::what`] of the uploads bucket.
pub const UPLOADS: &str = "uploads";
/// [`Bucket::what`] of the provisioner's bucket.
pub const PROVISIONER: &str = "provisioner";

/// Why the permissions name no bucket.
const REASON: &str =
    "the file names the uploads bucket freely; ownership is checked by tag before each change";

/// `bucket/uploads`.
pub fn name(what: &str) -> Name {
    resource::bucket(what)
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
        self.access_logs.iter().map(|_| Need::Settled(name(LOGS))).collect()
    }

    async fn fetch(ctx: &Context, client: &Buckets, _: &Names) -> Result<Vec<Raw>> {
        let all = client.candidates.iter().map(|bucket| look::fetch(ctx, client, bucket));
        Ok(futures_util::future::try_join_all(all).await?.into_iter().flatten().collect())
    }

    fn identify(_: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let Raw { found, is_ours, holds_objects } = raw;
        let (name, id) = (found.name(), &found.bucket_name);
        if !is_ours {
            return Some(Identity::theirs(name, id));
        }
        // Logs are nobody's data: they go with what they are about.
        let data = if *holds_objects && found.what != LOGS { Data::Held } else { Data::None };
        Some(Identity { data, ..Identity::ours(name, id) })
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        Ok(State::Settled(raw.found))
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
        // us-east-1 is the one region that must not be named.
        let region = (ctx.region != "us-east-1").then(|| BucketLocationConstraint::from(ctx.region.as_str()));
        let tags = match self.tagged {
            None => Some(owner::tags(&ctx, &self.name())?),
            Some(_) => None,
        };
        let configuration = (region.is_some() || tags.is_some()).then(|| {
            CreateBucketConfiguration::builder().set_location_constraint(region).set_tags(tags).build()
        });
        let create = client
            .s3
            .create_bucket()
            .bucket(&self.bucket_name)
            .object_ownership(ObjectOwnership::BucketOwnerEnforced)
            .set_create_bucket_configuration(configuration);
        match create.send().await.map_err(failed("s3:CreateBucket")) {
            Ok(_) => {}
            // Made since the look. Whether by us, the next look tells by its tags.
            Err(error) if error.code.as_deref() == Some("BucketAlreadyOwnedByYou") => {
                return Ok(Made::started(self.bucket_name));
            }
            Err(error) if error.kind == ErrorKind::Exists => {
                let message = format!(
                    "The bucket name {} is taken by another account. {}",
                    self.bucket_name, client.if_taken
                );
                return Err(Error { message, kind: ErrorKind::Invalid, ..error });
            }
            Err(error) => return Err(error),
        }
        let unknown = Bucket::unknown(&self.what, &self.bucket_name);
        match put(&client.s3, &ctx, &self, &unknown).await {
            Ok(()) => Ok(Made::settled(self.bucket_name)),
            Err(error) if error.kind == ErrorKind::Denied => Err(error),
            // The next look finds the difference.
            Err(_) => Ok(Made::started(self.bucket_name)),
        }
    }

    async fn adopt(&self, id: String, Call { ctx, client, .. }: Call<Buckets>) -> Result<()> {
        owner::take_over(&client.s3, &id, &ctx, &self.name()).await
    }

    async fn update(self, now: Self, id: String, Call { ctx, client, .. }: Call<Buckets>) -> Result<Made> {
        put(&client.s3, &ctx, &self, &now).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, now: Option<Self>, Call { ctx, client, .. }: Call<Buckets>) -> Result<Gone> {
        let is_logs = now.is_some_and(|now| now.what == LOGS);
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

/// Tags it where that is a call of its own, and writes the settings that differ from `now`.
async fn put(s3: &Client, ctx: &Context, want: &Bucket, now: &Bucket) -> Result<()> {
    // The tags come first: by them it is ours.
    if want.tagged == Some(true) && now.tagged != Some(true) {
        owner::put(s3, &want.bucket_name, owner::tags(ctx, &want.name())?).await?;
    }
    settings::put(s3, want, now).await
}

impl Bucket {
    fn unknown(what: &str, bucket_name: &str) -> Self {
        Self {
            what: what.to_owned(),
            bucket_name: bucket_name.to_owned(),
            versioned: false,
            blocks_public_access: false,
            policy: None,
            cors: None,
            lifecycle: None,
            access_logs: None,
            sends_events: None,
            tagged: None,
        }
    }
}
