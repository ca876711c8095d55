//! What is asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Operation;
use crate::resource::Options;

/// What every trigger starts the state machine with: ours, or an event as AWS sends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Request {
    pub app: String,
    pub environment: String,
    pub operation: Operation,
    /// Key of the configuration in the provisioner's bucket. Absent: the one last accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_key: Option<String>,
    /// The plan's id that the joined plan must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    #[serde(default)]
    pub parameters: Parameters,
    /// An operation waits for a run that holds the lock; otherwise it is refused. An apply and a destroy
    /// always wait.
    #[serde(default)]
    pub wait: bool,
    #[serde(default)]
    pub options: Options,
    /// Who asks: the caller's ARN, as the CLI read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
}

/// What an operation is told; each uses its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parameters {
    /// deploy: the digest, `sha256:…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// deploy: the tag that it was asked for by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// rollback: the number of the release to go back to; the one before the newest when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<u32>,
    /// scale: tasks by service; none: what the file says again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, Option<u32>>,
    /// restart: the services, all when empty. run: the one whose task definition is used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// run: the command, word by word. It stands in the run's record.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// snapshot-create, snapshot-forget, restore: the snapshot, or the kept cluster to forget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// restore-object: which object, and which of its versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectVersion>,
}

/// A version of an object in the uploads bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectVersion {
    /// The key.
    pub key: String,
    /// S3's id of the version that is to be the current one again.
    pub version: String,
    /// Its ETag: the object is restored when the current version has it.
    pub etag: String,
}

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// The command line.
    Cli,
    /// A configuration was put into the provisioner's bucket.
    ConfigUpload,
    /// An image was pushed.
    ImagePush,
    /// A rule's schedule.
    Schedule,
}
