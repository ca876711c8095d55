//! An upload that is brought back: an earlier version of an object becomes the current one again.

use aws::failed;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::MetadataDirective;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use statemachine::error::Optional as _;
use statemachine::message::ObjectVersion;
use statemachine::naming::{bucket_arn, resource};
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

/// An object as it is to be. No part of a stack's description: only the run that restores it looks at it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RestoredObject {
    /// Its key in the uploads bucket.
    pub key: String,
    /// ETag of what is to be current; `None` where nothing is.
    pub etag: Option<String>,
}

/// S3, and which object of which bucket.
#[derive(Clone, Debug)]
pub struct Objects {
    /// The client.
    pub s3: Client,
    /// The uploads bucket and the version that is asked for; `None`: no object is looked at.
    pub asked: Option<(String, ObjectVersion)>,
}

impl RestoredObject {
    /// What is asked for.
    pub fn of(asked: &ObjectVersion) -> Self {
        Self { key: asked.key.clone(), etag: Some(asked.etag.clone()) }
    }
}

impl Resource for RestoredObject {
    type Client = Objects;
    type Raw = Self;

    const KIND: &'static str = "object";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        // CopyObject with a version reads that version; HeadObject is s3:GetObject. Only in buckets named after
        // the app: leave to read every upload of the account would be too much.
        let actions = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"];
        vec![Permission::on(&actions, [format!("{}/*", bucket_arn(&scope.every_stack().prefix()))])]
    }

    fn name(&self) -> Name {
        Name::new(Self::KIND, &self.key)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(resource::uploads_bucket())]
    }

    async fn fetch(_: &Context, client: &Objects, _: &Names) -> Result<Vec<Self>> {
        let Some((bucket, asked)) = &client.asked else { return Ok(Vec::new()) };
        let head = client.s3.head_object().bucket(bucket).key(&asked.key).send().await;
        let head = head.map_err(failed("s3:GetObject")).optional()?;
        let etag = head.and_then(|head| head.e_tag).map(|etag| etag.trim_matches('"').to_owned());
        Ok(vec![Self { key: asked.key.clone(), etag }])
    }

    fn identify(_: &Context, raw: &Self, _: &Names) -> Option<Identity> {
        Some(Identity::ours(raw.name(), &raw.key))
    }

    fn read(raw: Self, _: &Names) -> Result<State<Self>> {
        Ok(State::Settled(raw))
    }

    async fn create(self, _: Call<Objects>) -> Result<Made> {
        Err(Error::internal("an object is always found, if only as deleted"))
    }

    async fn update(self, _: Self, id: String, Call { client, .. }: Call<Objects>) -> Result<Made> {
        let Some((bucket, asked)) = &client.asked else {
            return Err(Error::internal("no object is asked for"));
        };
        let source = format!("{bucket}/{}?versionId={}", escaped(&asked.key), asked.version);
        // A copy over itself, as S3 restores a version: its own metadata comes with it.
        let copy = client.s3.copy_object().bucket(bucket).key(&asked.key).copy_source(source);
        let copy = copy.metadata_directive(MetadataDirective::Copy).send().await;
        copy.map_err(failed("s3:PutObject"))?;
        Ok(Made::started(id))
    }

    async fn delete(_: String, _: Option<Self>, _: Call<Objects>) -> Result<Gone> {
        Err(Error::internal("a restored object stays"))
    }
}

/// What a key in a CopySource has as it is: RFC 3986's unreserved characters, and slashes.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The key as CopySource has it: percent-encoded, slashes as they are.
fn escaped(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string()
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn keys_are_escaped_for_the_copy_source() {
        assert_eq!(escaped("a/b c+ü.png"), "a/b%20c%2B%C3%BC.png");
    }
}
