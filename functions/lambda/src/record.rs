//! The provisioner's bucket as a function uses it: reports, notes and the lock.

use std::collections::BTreeMap;

use aws::failed;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use statemachine::error::Optional as _;
use statemachine::lock::Lock;
use statemachine::message::{Run, keys};
use statemachine::resource::Name;
use statemachine::tick::{Hold, Link};
use statemachine::{Error, Result};

/// The provisioner's bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The client.
    pub s3: Client,
    /// `stepstack-{app}-{account}-{region}`
    pub name: String,
}

/// Reads an object as JSON, with its ETag; `None` when there is none.
pub async fn get_json<T: DeserializeOwned>(bucket: &Bucket, key: &str) -> Result<Option<(T, String)>> {
    let answer =
        bucket.s3.get_object().bucket(&bucket.name).key(key).send().await.map_err(failed("s3:GetObject"));
    let Some(object) = answer.optional()? else { return Ok(None) };
    let etag = object.e_tag().unwrap_or_default().to_owned();
    let bytes = object
        .body
        .collect()
        .await
        .map_err(|error| Error::not_ready(format!("reading {key} broke off: {error}")))?;
    let value = serde_json::from_slice(&bytes.into_bytes()).map_err(|error| {
        Error::internal(format!("{key} in the provisioner's bucket cannot be read: {error}"))
    })?;
    Ok(Some((value, etag)))
}

/// Writes an object as JSON.
pub async fn put_json<T: Serialize>(bucket: &Bucket, key: &str, value: &T) -> Result<()> {
    let body = serde_json::to_vec(value)
        .map_err(|error| Error::internal(format!("{key} does not serialize: {error}")))?;
    let put = bucket.s3.put_object().bucket(&bucket.name).key(key).content_type("application/json");
    put.body(ByteStream::from(body)).send().await.map_err(failed("s3:PutObject"))?;
    Ok(())
}

/// Tells the other stages of a run to stop at their next wave of writes: one of them failed. If the lock is
/// no longer the run's, or changes while this is written, there is nobody to tell.
pub(crate) async fn stop_siblings(bucket: &Bucket, run: &Run, stage: &str) -> Result<()> {
    let key = keys::lock(&run.environment);
    let Some((lock, etag)) = get_json::<Lock>(bucket, &key).await? else { return Ok(()) };
    if lock.held_by(&run.execution).is_err() {
        return Ok(());
    }
    let stopped = Lock { stop: Some(format!("the stage {stage} failed")), ..lock };
    let body = serde_json::to_vec(&stopped).map_err(|error| Error::internal(error.to_string()))?;
    let put =
        bucket.s3.put_object().bucket(&bucket.name).key(key).if_match(etag).body(ByteStream::from(body));
    match put.send().await.map_err(failed("s3:PutObject")) {
        Ok(_) => Ok(()),
        Err(error)
            if matches!(error.code.as_deref(), Some("PreconditionFailed" | "ConditionalRequestConflict")) =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// A tick's tie to its run.
pub(crate) struct RunLink<'a> {
    pub(crate) bucket: &'a Bucket,
    pub(crate) run: &'a Run,
    pub(crate) stage: &'a str,
}

impl RunLink<'_> {
    fn notes_key(&self) -> String {
        keys::notes(&self.run.environment, &self.run.id, self.stage)
    }
}

impl Link for RunLink<'_> {
    fn hold(&self) -> BoxFuture<'_, Result<Hold>> {
        Box::pin(async move {
            let lock: Option<(Lock, String)> =
                get_json(self.bucket, &keys::lock(&self.run.environment)).await?;
            let held = lock
                .map_or(Err("there is no lock".to_owned()), |(lock, _)| lock.held_by(&self.run.execution));
            Ok(held.map_or_else(Hold::Stop, |()| Hold::Yes))
        })
    }

    fn notes(&self) -> BoxFuture<'_, Result<BTreeMap<Name, u64>>> {
        Box::pin(async move {
            Ok(get_json(self.bucket, &self.notes_key()).await?.map(|(notes, _)| notes).unwrap_or_default())
        })
    }

    fn note(&self, notes: BTreeMap<Name, u64>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { put_json(self.bucket, &self.notes_key(), &notes).await })
    }
}
