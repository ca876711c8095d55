//! What stands in a run's record.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Failure, Mode, Operation, Release, Run, Status, Trigger, Waiting};
use crate::Part;
use crate::plan::{Action, Item, Plan};
use crate::resource::{Name, Names};

/// A stage's full report, written anew by each tick. What makes and removes writes it into the run's record; it
/// also travels with the document as long as it is small ([`StageReport::travels`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct StageReport {
    /// The stage, or what else owns the resources.
    pub stage: Part,
    /// What the tick was allowed to do.
    pub mode: Mode,
    pub status: Status,
    /// When to look again.
    pub retry_after_s: u32,
    pub items: Vec<Item>,
    /// Ids and attributes of what it owns.
    pub names: Names,
    /// What the run has made.
    pub made: BTreeSet<Name>,
    /// Fields that the run has changed: `service/api#desired_count`.
    pub changed: BTreeSet<Name>,
    pub waiting: Vec<Waiting>,
    pub failure: Option<Failure>,
    /// Why it stopped.
    pub stopped: Option<String>,
    /// How much is no longer described.
    pub left_over: usize,
    /// Of a look: kinds of which AWS has nothing that is ours or in the place of ours.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub absent: BTreeSet<String>,
    /// Milliseconds since the epoch.
    pub at_ms: u64,
}

/// The most bytes of a report, as JSON, that travel with the document: seven of them, twice what any stack of
/// the examples needs, are well under half of what Step Functions carries.
const TRAVELS_BYTES: usize = 16_384;

impl StageReport {
    /// Whether it is small enough for the document.
    pub fn travels(&self) -> bool {
        serde_json::to_vec(self).is_ok_and(|json| json.len() <= TRAVELS_BYTES)
    }

    /// Whether there is nothing to say but that everything is as described.
    pub fn is_quiet(&self) -> bool {
        let kept = self.items.iter().all(|item| item.action == Action::Keep);
        kept && self.waiting.is_empty() && self.failure.is_none() && self.stopped.is_none()
    }
}

/// A run's joined plan, `plan.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// [`Plan::id`].
    pub id: String,
    /// The plan.
    pub plan: Plan,
    /// Things worth saying with it: monthly prices, what waits for the user.
    pub notes: Vec<String>,
}

/// A run's first object, `request.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run.
    pub run: Run,
    /// What it waits for before it begins, if it does: the run that holds the lock.
    pub waits_for: Option<String>,
}

/// A release, `releases/{env}/{n}.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRecord {
    /// Number, digest, tag and architecture.
    #[serde(flatten)]
    pub release: Release,
    /// The run that made it.
    pub run: String,
    /// What that run was for.
    pub operation: Operation,
    /// What started it.
    pub trigger: Trigger,
    /// Who, where it is known: an image's push names nobody.
    #[serde(default)]
    pub caller: Option<String>,
    /// When the run started, RFC 3339.
    pub at: String,
    /// From the run's start to the release, in milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
    /// The plain environment of each service at that time.
    #[serde(default)]
    pub environment: BTreeMap<String, BTreeMap<String, String>>,
    /// ARN of the task definition of each service.
    #[serde(default)]
    pub task_definitions: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_release_of_an_earlier_engine_is_read_and_written_as_it_was() {
        let written = json!({
            "number": 3,
            "digest": "sha256:aa",
            "tag": "v2",
            "architecture": "ARM64",
            "run": "20261120-101500-0001",
            "operation": "deploy",
            "trigger": "image-push",
            "caller": null,
            "at": "2026-11-20T10:15:00Z",
            "duration_ms": 41_000,
            "environment": {"api": {"FEATURE": "on"}},
            "task_definitions": {"api": "arn:aws:ecs:us-east-1:123456789012:task-definition/arive-production-api:7"},
        });
        let record: ReleaseRecord = serde_json::from_value(written.clone()).expect("a release");
        assert_eq!((record.release.number.get(), record.release.image.digest.as_str()), (3, "sha256:aa"));
        assert_eq!(serde_json::to_value(&record).expect("JSON"), written);
    }
}
