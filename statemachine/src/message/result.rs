//! How a run ended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Diagnosis, Failure, Run, Waiting};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// What was asked for is what is there.
    Succeeded,
    /// It only looked; see the plan.
    Planned,
    /// There was nothing to do.
    NoChanges,
    /// Nothing was changed: the plan holds a refusal, or is not the one that was asked for.
    Blocked,
    /// The trigger was not acted on: bad configuration, a tag that is not deployed, a destroy in progress.
    Refused,
    /// It was noted for later: the environment is paused.
    Noted,
    /// A newer trigger of the same kind made it pointless.
    Superseded,
    /// Somebody cancelled it, or it lost the lock.
    Stopped,
    /// It failed.
    Failed,
}

impl Outcome {
    /// Whether what was asked for is what is there.
    pub fn is_reached(self) -> bool {
        match self {
            Self::Succeeded | Self::NoChanges => true,
            Self::Planned
            | Self::Blocked
            | Self::Refused
            | Self::Noted
            | Self::Superseded
            | Self::Stopped
            | Self::Failed => false,
        }
    }

    /// Whether nothing went wrong and nothing was refused.
    pub fn is_good(self) -> bool {
        match self {
            Self::Succeeded | Self::Planned | Self::NoChanges | Self::Noted | Self::Superseded => true,
            Self::Blocked | Self::Refused | Self::Stopped | Self::Failed => false,
        }
    }
}

/// A run's last object, `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct RunResult {
    pub outcome: Outcome,
    /// One or two sentences.
    pub message: String,
    /// What failed, if something did: the stage, resource and AWS's message.
    pub failure: Option<Failure>,
    pub diagnosis: Option<Diagnosis>,
    pub waiting: Vec<Waiting>,
    /// For people and programs: `url`, `name_servers`, `repository`, `database_endpoint`, `state_machine`.
    pub outputs: BTreeMap<String, String>,
    pub plan: Option<String>,
    /// RFC 3339.
    pub ended_at: String,
    /// Milliseconds from the execution's start.
    pub duration_ms: u64,
    /// run: the command's exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What a destroy found when it swept: kept on purpose, or left and why.
    #[serde(default)]
    pub sweep: Option<Sweep>,
}

impl RunResult {
    /// Makes it the result of a failed run.
    pub fn fail(&mut self, failure: Failure, diagnosis: Option<Diagnosis>) {
        self.outcome = Outcome::Failed;
        self.message = format!("{} {}: {}", failure.stage, failure.name, failure.message);
        self.failure = Some(failure);
        self.diagnosis = diagnosis;
    }

    /// A result of this moment with nothing in it yet but its outcome and times.
    pub fn without_plan(run: &Run, outcome: Outcome, message: String) -> Self {
        Self::at(Timestamp::now(), run, outcome, message)
    }

    /// The same, of a run that ends at `now`.
    pub fn at(now: Timestamp, run: &Run, outcome: Outcome, message: String) -> Self {
        let started = run.started_at.parse::<Timestamp>().unwrap_or(now);
        let duration_ms = u64::try_from(now.duration_since(started).as_millis()).unwrap_or(0);
        Self {
            outcome,
            message,
            failure: None,
            diagnosis: None,
            waiting: Vec::new(),
            outputs: BTreeMap::new(),
            plan: None,
            ended_at: now.to_string(),
            duration_ms,
            exit_code: None,
            sweep: None,
        }
    }
}

/// What is left after a destroy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Left, with the reason.
    pub left: Vec<String>,
    /// Kept on purpose.
    pub kept: Vec<String>,
}
