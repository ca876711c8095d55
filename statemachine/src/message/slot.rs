//! What the document knows of a stage.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Mode, StageReport, Status};
use crate::ErrorKind;
use crate::plan::Action;
use crate::resource::{Name, Names};
use crate::tick::Input;

/// What the document knows of a stage: what its next tick and the later stages need, no more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// How it stands.
    pub status: Status,
    /// When to call it again.
    pub retry_after_s: u32,
    /// Ids and attributes of what it owns.
    pub outputs: Names,
    /// What this run has made.
    pub made: BTreeSet<Name>,
    /// Fields that this run has changed: `service/api#desired_count`.
    pub changed: BTreeSet<Name>,
    /// How much of it is no longer described.
    pub left_over: usize,
    /// How much the look found to make or change.
    pub to_do: usize,
    /// How much the look refused.
    pub refused: usize,
    /// Milliseconds since the epoch of its first tick in the present mode.
    pub since_ms: u64,
    /// Ticks in the present mode.
    pub ticks: u32,
    /// The present mode.
    pub mode: Option<Mode>,
    /// Whether the run makes anything of it: decided when the plans are joined.
    pub make: bool,
    /// Its look found everything as described: there is no report of it, `outputs` says what is there.
    #[serde(default)]
    pub quiet: bool,
    /// Its last report, where that is not quiet and small enough to travel; otherwise it stands in the record.
    #[serde(default)]
    pub report: Option<Box<StageReport>>,
    /// What a Catch of the state machine caught of its function.
    #[serde(default)]
    pub caught: Option<Caught>,
}

/// What a Catch of the state machine puts into the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Caught {
    /// The error's name: a kind of ours, or one of Step Functions or Lambda.
    pub error: String,
    /// Its text; often JSON with `errorMessage` in it.
    #[serde(default)]
    pub cause: String,
}

impl Caught {
    /// What it means: functions raise errors by the names of their kinds; what Step Functions and Lambda raise, such
    /// as `States.Timeout`, is nobody's.
    pub fn kind(&self) -> ErrorKind {
        serde_json::from_value(self.error.clone().into()).unwrap_or(ErrorKind::Internal)
    }

    /// The words of an error that a function raised; none where the cause is in nobody's format.
    pub fn raised(&self) -> Option<String> {
        let told: serde_json::Value = serde_json::from_str(&self.cause).ok()?;
        Some(told.get("errorMessage")?.as_str()?.to_owned())
    }

    /// `s3:PutObject`, where AWS said that the function "is not authorized to perform: s3:PutObject".
    pub fn denied_action(&self) -> Option<&str> {
        let (_, said) = self.cause.split_once("not authorized to perform: ")?;
        let end = said.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, ':' | '-'));
        Some(&said[..end.unwrap_or(said.len())])
    }
}

impl fmt::Display for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.raised().unwrap_or_else(|| self.cause.clone());
        write!(f, "The function ended with {}: {message}", self.error)
    }
}

impl Slot {
    /// Its last report, if that is a look's and travels.
    pub fn look(&self) -> Option<&StageReport> {
        self.report.as_deref().filter(|report| report.mode == Mode::Plan)
    }

    /// Its last report, if that is of making or removing and travels.
    pub fn work(&self) -> Option<&StageReport> {
        self.report.as_deref().filter(|report| report.mode != Mode::Plan)
    }

    /// What a tick in `mode` is to know, with the ids of the other stages.
    pub fn input(&self, mode: Mode, now_ms: u64, others: Names) -> Input {
        let same = self.mode == Some(mode) && self.since_ms > 0;
        Input {
            names: others,
            made: self.made.clone(),
            changed: self.changed.clone(),
            since_ms: if same { self.since_ms } else { now_ms },
            ..Input::default()
        }
    }

    /// The slot after a tick that began with `since_ms`.
    #[must_use]
    pub fn after(&self, report: &StageReport, since_ms: u64) -> Self {
        let count =
            |wanted: &dyn Fn(Action) -> bool| report.items.iter().filter(|item| wanted(item.action)).count();
        let looked = report.mode == Mode::Plan;
        Self {
            status: report.status,
            retry_after_s: report.retry_after_s,
            outputs: report.names.clone(),
            made: report.made.clone(),
            changed: report.changed.clone(),
            left_over: report.left_over,
            to_do: if looked {
                count(&|action| {
                    matches!(action, Action::Create | Action::Update | Action::Remake | Action::Wait)
                })
            } else {
                self.to_do
            },
            refused: if looked { count(&|action| action == Action::Refuse) } else { self.refused },
            since_ms,
            ticks: if self.mode == Some(report.mode) { self.ticks + 1 } else { 1 },
            mode: Some(report.mode),
            make: self.make,
            quiet: looked && report.is_quiet(),
            report: (!(looked && report.is_quiet()) && report.travels()).then(|| Box::new(report.clone())),
            caught: None,
        }
    }
}
