//! What travels between the state machine and the functions, and what stands in a run's record.
//!
//! The document is small on purpose: Step Functions refuses payloads over 262,144 bytes. A stage's last report
//! travels with it up to a limit; the record of all reports is the provisioner's bucket (the crate `record`).

mod document;
mod failure;
mod intent;
mod operation;
mod record;
mod request;
mod result;
mod slot;

use serde::{Deserialize, Serialize};

pub use document::{Document, Next, PuttingBack, Run, Stages, Verdict};
pub use failure::{Diagnosis, Failure, Waiting};
pub use intent::{By, Count, DatabaseIntent, Image, Intent, Laid, Release, Wanted};
pub use operation::{Facts, Kind, Needs, Note, Operation, SnapshotChange, TakesEffect};
pub use record::{PlanRecord, ReleaseRecord, RunRecord, StageReport};
pub use request::{ObjectVersion, Parameters, Request, Trigger};
pub use result::{Outcome, RunResult, Sweep};
pub use slot::{Caught, Report, Slot, Told};

use crate::Stage;

/// What a tick may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Look only.
    Plan,
    /// Create and change.
    Make,
    /// Delete what is left over.
    Remove,
}

/// How a stage stands after a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It was not called yet.
    #[default]
    Pending,
    /// It has looked; see its report for the plan.
    Looked,
    /// Everything is as described (or waits for the user).
    Ready,
    /// AWS is at work; call again after `retry_after_s`.
    NotReady,
    /// It gave up; see its report.
    Failed,
    /// The run was told to stop, or lost the lock.
    Stopped,
}

/// What calls a stage's function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct StageCall {
    pub stage: Stage,
    /// What it may do.
    pub mode: Mode,
    pub document: Document,
}

/// What calls control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum ControlCall {
    /// Reads and checks the request, takes the lock, starts the record.
    Begin {
        /// The machine's input: a [`Request`] or an event as AWS sends it.
        input: serde_json::Value,
        /// ARN of the execution.
        execution: String,
        /// Name of the execution.
        name: String,
        /// When it started, RFC 3339.
        started_at: String,
    },
    /// Joins the stages' plans and decides.
    Join {
        /// The machine's document.
        document: Box<Document>,
    },
    /// Ends the run: intent, result, lock.
    Finish {
        /// The machine's document.
        document: Box<Document>,
    },
}
