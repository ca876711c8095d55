//! An object of the provisioner's bucket: its key, and what is read and written there.

use std::marker::PhantomData;

use aws::failed;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use statemachine::config::MAX_FILE_BYTES;
use statemachine::error::Optional as _;
use statemachine::{Error, ErrorKind, Result};

use crate::Bucket;

/// An object of the bucket that holds a `T` as JSON, or a configuration ([`Toml`]).
#[derive(Clone, Debug)]
pub struct Object<T> {
    bucket: Bucket,
    key: String,
    content: PhantomData<fn() -> T>,
}

/// Marks an object that holds a configuration, as it was written.
#[derive(Clone, Copy, Debug)]
pub struct Toml;

impl<T> Object<T> {
    pub(crate) fn new(bucket: Bucket, key: String) -> Self {
        Self { bucket, key, content: PhantomData }
    }

    /// Its key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Deletes it; what is not there is deleted.
    pub async fn delete(&self) -> Result<()> {
        let delete = self.bucket.s3.delete_object().bucket(&self.bucket.name).key(&self.key);
        delete.send().await.map_err(failed("s3:DeleteObject")).optional()?;
        Ok(())
    }

    /// A write of it, without what decides over what it may be written.
    fn write(&self, content_type: &str, body: Vec<u8>) -> PutObjectFluentBuilder {
        let put = self.bucket.s3.put_object().bucket(&self.bucket.name).key(&self.key);
        put.content_type(content_type).body(ByteStream::from(body))
    }

    fn broke_off(&self, error: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::Transient, format!("Reading {} broke off: {error}", self.key))
    }
}

impl<T: DeserializeOwned> Object<T> {
    /// What stands there; `None` when there is no such object.
    pub async fn get(&self) -> Result<Option<T>> {
        Ok(self.get_with_etag().await?.map(|(value, _)| value))
    }

    /// The same, with the object's ETag.
    pub async fn get_with_etag(&self) -> Result<Option<(T, String)>> {
        let get = self.bucket.s3.get_object().bucket(&self.bucket.name).key(&self.key).send().await;
        let Some(object) = get.map_err(failed("s3:GetObject")).optional()? else { return Ok(None) };
        let etag = object.e_tag().unwrap_or_default().to_owned();
        let bytes = object.body.collect().await.map_err(|error| self.broke_off(error))?.into_bytes();
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            Error::internal(format!(
                "{} cannot be read: {error}. Is the program as new as the engine?",
                self.key
            ))
        })?;
        Ok(Some((value, etag)))
    }
}

impl<T: Serialize> Object<T> {
    /// Writes it, over whatever stands there.
    pub async fn put(&self, value: &T) -> Result<()> {
        let put = self.write("application/json", self.json(value)?);
        put.send().await.map_err(failed("s3:PutObject"))?;
        Ok(())
    }

    /// Writes it where it is still as `etag` says: the one with this ETag, or none at all. Answers the new ETag;
    /// `None` when somebody else was faster.
    ///
    /// The SDK repeats a write whose answer was lost, and what refuses the second try may be the first: who has to
    /// know reads again.
    pub async fn put_over(&self, value: &T, etag: Option<&str>) -> Result<Option<String>> {
        put_if(self.write("application/json", self.json(value)?), etag).await
    }

    fn json(&self, value: &T) -> Result<Vec<u8>> {
        serde_json::to_vec(value)
            .map_err(|error| Error::internal(format!("{} does not serialize: {error}", self.key)))
    }
}

/// The one conditional write. S3 says 412 where the object is another, and 409 where another write of it is under
/// way: both mean that somebody else was faster.
async fn put_if(put: PutObjectFluentBuilder, etag: Option<&str>) -> Result<Option<String>> {
    let put = match etag {
        Some(etag) => put.if_match(etag),
        None => put.if_none_match("*"),
    };
    match put.send().await.map_err(failed("s3:PutObject")) {
        Ok(put) => Ok(Some(put.e_tag().unwrap_or_default().to_owned())),
        Err(error) => match error.code.as_deref() {
            Some("PreconditionFailed" | "ConditionalRequestConflict") => Ok(None),
            _ => Err(error),
        },
    }
}

impl Object<Toml> {
    /// The text, the newest or of this version, up to the size that a configuration may have and a bit more; `None`
    /// when there is none.
    pub async fn bytes(&self, version: Option<&str>) -> Result<Option<Vec<u8>>> {
        let get = self.bucket.s3.get_object().bucket(&self.bucket.name).key(&self.key);
        let get = get.set_version_id(version.map(str::to_owned)).send().await;
        let Some(object) = get.map_err(failed("s3:GetObject")).optional()? else { return Ok(None) };
        // Not read whole when it is too large: a function has little memory. `parse` refuses it by its size.
        let mut body = object.body;
        let mut bytes = Vec::new();
        while let Some(part) = body.next().await {
            bytes.extend_from_slice(&part.map_err(|error| self.broke_off(error))?);
            if bytes.len() > MAX_FILE_BYTES {
                break;
            }
        }
        Ok(Some(bytes))
    }

    /// The newest version's id; `None` when there is no such object.
    pub async fn version(&self) -> Result<Option<String>> {
        let head = self.bucket.s3.head_object().bucket(&self.bucket.name).key(&self.key).send().await;
        let head = head.map_err(failed("s3:GetObject")).optional()?;
        Ok(head.and_then(|head| head.version_id().map(str::to_owned)))
    }

    /// Writes it, over whatever stands there.
    pub async fn put_text(&self, text: String) -> Result<()> {
        let put = self.write("application/toml", text.into_bytes());
        put.send().await.map_err(failed("s3:PutObject"))?;
        Ok(())
    }

    /// Writes it where nothing stands. `false`: another text stands there.
    pub async fn put_new_text(&self, text: &str) -> Result<bool> {
        if put_if(self.write("application/toml", text.as_bytes().to_vec()), None).await?.is_some() {
            return Ok(true);
        }
        Ok(self.bytes(None).await?.is_some_and(|there| there == text.as_bytes()))
    }

    /// Copies it to another object. S3's event of that says `CopyObject`, and starts nothing.
    pub async fn copy_to(&self, target: &Self) -> Result<()> {
        let copy = self.bucket.s3.copy_object().bucket(&target.bucket.name).key(&target.key);
        let copy = copy.copy_source(format!("{}/{}", self.bucket.name, self.key));
        copy.send().await.map_err(failed("s3:PutObject"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::Client;
    use aws_sdk_s3::error::ErrorMetadata;
    use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
    use aws_smithy_mocks::mock;
    use statemachine::message::{Document, Operation, Outcome, RunResult};

    use crate::testing::{REFUSALS, bucket};

    #[tokio::test]
    async fn a_result_that_the_run_wrote_itself_stays() {
        let run = Document::example(Operation::Apply, None).run;
        let key = format!("runs/production/{}/result.json", run.id);
        let result = RunResult::without_plan(&run, Outcome::Stopped, "The run was cancelled.".to_owned());
        for code in REFUSALS {
            let key = key.clone();
            let first = mock!(Client::put_object)
                .match_requests(move |request| {
                    request.key() == Some(&key) && request.if_none_match() == Some("*")
                })
                .then_output(|| PutObjectOutput::builder().e_tag("e1").build());
            let second = mock!(Client::put_object)
                .then_error(move || PutObjectError::generic(ErrorMetadata::builder().code(code).build()));
            let object = bucket(&[&first, &second]).run(&run).result();
            assert_eq!(object.put_over(&result, None).await.expect("it is written"), Some("e1".to_owned()));
            assert_eq!(object.put_over(&result, None).await.expect("it is left"), None);
        }
    }
}
