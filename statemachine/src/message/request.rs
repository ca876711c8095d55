//! What is asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::STAGES;
use crate::resource::Options;

/// What every trigger starts the state machine with: ours, or an event as AWS sends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The app.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// What is asked for.
    pub operation: Operation,
    /// Key of the configuration in the provisioner's bucket. Absent: the one last accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_key: Option<String>,
    /// The plan's id that the joined plan must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// What an operation is told.
    #[serde(default)]
    pub parameters: Parameters,
    /// An operation waits for a run that holds the lock; otherwise it is refused. An apply and a destroy
    /// always wait.
    #[serde(default)]
    pub wait: bool,
    /// What the caller allows.
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

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Look and say what an apply would do. Writes nothing but its own record, takes no lock.
    Plan,
    /// Look and say what a destroy would do.
    PlanDestroy,
    /// Make AWS as the configuration says.
    Apply,
    /// Remove everything.
    Destroy,
    /// Roll the services to an image.
    Deploy,
    /// Roll the services to the image and environment of an earlier release.
    Rollback,
    /// Change how many tasks run.
    Scale,
    /// Replace the tasks by new ones of the same image.
    Restart,
    /// Run one command in a task of its own.
    Run,
    /// Give the database a new password.
    Rotate,
    /// Take a snapshot of the database.
    SnapshotCreate,
    /// Let go of a snapshot, or of a cluster that a restore left.
    SnapshotForget,
    /// Make the next generation of the database from a snapshot.
    Restore,
    /// Bring back an earlier version of an upload.
    RestoreObject,
    /// Stop what costs while nobody uses it.
    Pause,
    /// Start it again.
    Resume,
}

impl Operation {
    /// Whether it only looks.
    pub fn only_looks(self) -> bool {
        matches!(self, Operation::Plan | Operation::PlanDestroy)
    }

    /// Whether it describes nothing, so that everything is left over.
    pub fn removes_all(self) -> bool {
        matches!(self, Operation::Destroy | Operation::PlanDestroy)
    }

    /// The stages that it changes; all others only look (design.md section 4).
    pub fn stages(self) -> &'static [&'static str] {
        match self {
            Operation::Plan | Operation::PlanDestroy | Operation::Apply | Operation::Destroy => &STAGES,
            Operation::Deploy
            | Operation::Rollback
            | Operation::Scale
            | Operation::Restart
            | Operation::Run => &["services"],
            Operation::Rotate => &["database", "services"],
            Operation::Restore => &["foundation", "database", "services"],
            Operation::SnapshotCreate | Operation::SnapshotForget => &["database"],
            Operation::RestoreObject => &["foundation"],
            Operation::Pause | Operation::Resume => &["egress", "database", "services"],
        }
    }

    /// Whether it is a change of the intent, laid over the configuration that was accepted last.
    pub fn is_overlay(self) -> bool {
        !matches!(self, Operation::Plan | Operation::PlanDestroy | Operation::Apply | Operation::Destroy)
    }

    /// Whether a failure puts back what the services and the database had before.
    pub fn is_put_back(self) -> bool {
        matches!(self, Operation::Deploy | Operation::Rollback | Operation::Restart | Operation::Rotate)
    }

    /// As people write it: `snapshot-create`.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Plan => "plan",
            Operation::PlanDestroy => "plan-destroy",
            Operation::Apply => "apply",
            Operation::Destroy => "destroy",
            Operation::Deploy => "deploy",
            Operation::Rollback => "rollback",
            Operation::Scale => "scale",
            Operation::Restart => "restart",
            Operation::Run => "run",
            Operation::Rotate => "rotate",
            Operation::SnapshotCreate => "snapshot-create",
            Operation::SnapshotForget => "snapshot-forget",
            Operation::Restore => "restore",
            Operation::RestoreObject => "restore-object",
            Operation::Pause => "pause",
            Operation::Resume => "resume",
        }
    }
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
