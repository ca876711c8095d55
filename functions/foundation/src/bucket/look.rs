//! Which buckets may be ours, and what is found of each.

use aws_sdk_s3::Client;
use futures_util::future::try_join;
use statemachine::config::Stack;
use statemachine::resource::{Context, DataPolicy};
use statemachine::{Error, ErrorKind, Result};

use super::owner::{self, Owner};
use super::{Bucket, LOGS, UPLOADS, empty, settings};

/// S3, and the buckets that may be ours. S3 has no listing by tag, and an account may have a thousand buckets.
#[derive(Clone, Debug)]
pub struct Buckets {
    /// The client.
    pub s3: Client,
    /// The names of all that may be there.
    pub candidates: Vec<String>,
    /// Those of them that are described: name in AWS, and [`Bucket::what`].
    pub described: Vec<(String, &'static str)>,
    /// Whose one without any tags is.
    pub untagged: Untagged,
    /// What to do when another account has the name already: the end of a sentence and the next.
    pub if_taken: &'static str,
}

/// Whose a bucket of our name in this account is that has no tags at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untagged {
    /// Somebody else's.
    Theirs,
    /// Ours, as this [`Bucket::what`]: whoever made it died before it was tagged. For names that nobody else would
    /// choose.
    Ours(&'static str),
}

impl Buckets {
    /// Those of a stack's file, and those of earlier files.
    pub fn of_stack(s3: Client, ctx: &Context, stack: Option<&Stack>, known: &[String]) -> Self {
        let aws = ctx.aws_names();
        let logs = aws.logs_bucket(&ctx.account);
        let uploads = stack.and_then(|stack| stack.uploads.as_ref());
        let uploads = uploads.map(|uploads| (uploads.bucket.clone(), UPLOADS));
        let described: Vec<_> = stack.map(|_| (logs.clone(), LOGS)).into_iter().chain(uploads).collect();
        let usual = [logs, aws.uploads_bucket()];
        let named = described.iter().map(|(name, _)| name.clone());
        let mut candidates: Vec<String> =
            usual.into_iter().chain(named).chain(known.iter().cloned()).collect();
        candidates.sort();
        candidates.dedup();
        let if_taken = "Names are unique in the whole of AWS: choose another.";
        Self { s3, candidates, described, untagged: Untagged::Theirs, if_taken }
    }
}

/// A bucket as found.
pub struct Raw {
    pub(super) found: Bucket,
    pub(super) is_ours: bool,
    pub(super) holds_objects: bool,
}

/// One of the buckets that may be ours. Somebody else's of that name is only told of when it is described: then
/// it stands in our way.
pub(super) async fn fetch(ctx: &Context, client: &Buckets, bucket: &str) -> Result<Option<Raw>> {
    let described = client.described.iter().find(|(name, _)| name == bucket).map(|(_, what)| *what);
    let (what, is_tagged) = match (owner::of(&client.s3, bucket, ctx).await?, described, client.untagged) {
        (Owner::Nobody, _, _) | (Owner::Theirs(_), None, _) | (Owner::Untagged, None, Untagged::Theirs) => {
            return Ok(None);
        }
        (Owner::Ours(name), _, _) => (name.what().to_owned(), true),
        // Described or not: a removal takes it with it.
        (Owner::Untagged, _, Untagged::Ours(what)) => (what.to_owned(), false),
        (Owner::Untagged, Some(what), Untagged::Theirs) => {
            return theirs(ctx, &client.s3, bucket, what, None).await.map(Some);
        }
        (Owner::Theirs(why), Some(what), _) => {
            return theirs(ctx, &client.s3, bucket, what, why).await.map(Some);
        }
    };
    // Only a removal has to know whether there is anything in it.
    let holds = async {
        if described.is_some() && ctx.options.data == DataPolicy::Refuse {
            Ok(true)
        } else {
            empty::holds_objects(&client.s3, bucket).await
        }
    };
    // Of one that leaves, nobody has to know its settings.
    let settings = async {
        if described.is_some() {
            settings::read(&client.s3, bucket, &what).await
        } else {
            Ok(Bucket::unknown(&what, bucket))
        }
    };
    let (found, holds_objects) = try_join(settings, holds).await?;
    let tagged = found.tagged.map(|_| is_tagged);
    Ok(Some(Raw { found: Bucket { tagged, ..found }, is_ours: true, holds_objects }))
}

/// Somebody else's bucket that stands in the way of the one described as `what`; `why` it can never be taken over.
async fn theirs(ctx: &Context, s3: &Client, bucket: &str, what: &str, why: Option<String>) -> Result<Raw> {
    let found = match (ctx.options.adopt, why) {
        (true, Some(why)) => return Err(Error::new(ErrorKind::Invalid, why)),
        // What it is like decides what is to be changed once it is taken over.
        (true, None) => settings::read(s3, bucket, what).await?,
        (false, _) => Bucket::unknown(what, bucket),
    };
    Ok(Raw { found, is_ours: false, holds_objects: true })
}
