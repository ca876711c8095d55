//! What the document knows of a stage.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Failure, Mode, StageReport, Status, Waiting};
use crate::plan::{Action, Item};
use crate::resource::{Name, Names};
use crate::{ErrorKind, Stage};

/// What the document knows of a stage: what its next tick and the later stages need, no more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Slot {
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
    pub mode: Option<Mode>,
    /// Whether the run makes anything of it: decided when the plans are joined.
    pub make: bool,
    #[serde(default)]
    pub report: Report,
    /// What a Catch of the state machine caught of its function.
    #[serde(default)]
    pub caught: Option<Caught>,
}

/// Where a stage's last report is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// There is none: the stage was not called.
    #[default]
    None,
    /// A look that found everything as described: the slot says what is there.
    Quiet,
    /// It travels: what the slot does not say is here.
    Carried(Box<Told>),
    /// It is too large to travel, and stands in the run's record.
    Recorded,
}

/// What a report tells beyond what the slot says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Told {
    pub items: Vec<Item>,
    pub waiting: Vec<Waiting>,
    pub failure: Option<Failure>,
    /// Why it stopped.
    pub stopped: Option<String>,
    /// Kinds of which AWS has nothing that is ours or in the place of ours.
    pub absent: BTreeSet<String>,
    /// Milliseconds since the epoch.
    pub at_ms: u64,
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
    /// Its last report, where the document has it.
    pub fn report(&self, stage: Stage) -> Option<StageReport> {
        match &self.report {
            Report::None | Report::Recorded => None,
            Report::Carried(told) => Some(self.with(stage, Told::clone(told))),
            Report::Quiet => {
                let whole = self.outputs.iter().filter(|(name, _)| !name.as_str().contains('#'));
                let items = whole.map(|(name, _)| Item::new(name.clone(), Action::Keep)).collect();
                Some(self.with(stage, Told { items, at_ms: self.since_ms, ..Told::default() }))
            }
        }
    }

    /// The report that tells this beside what the slot says.
    pub fn with(&self, stage: Stage, told: Told) -> StageReport {
        let Told { items, waiting, failure, stopped, absent, at_ms } = told;
        StageReport {
            stage: stage.into(),
            mode: self.mode.unwrap_or(Mode::Plan),
            status: self.status,
            retry_after_s: self.retry_after_s,
            items,
            names: self.outputs.clone(),
            made: self.made.clone(),
            changed: self.changed.clone(),
            waiting,
            failure,
            stopped,
            left_over: self.left_over,
            absent,
            at_ms,
        }
    }

    /// The slot after a tick that began with `since_ms`.
    #[must_use]
    pub fn after(&self, report: StageReport, since_ms: u64) -> Self {
        let looked = report.mode == Mode::Plan;
        let count =
            |wanted: fn(Action) -> bool| report.items.iter().filter(|item| wanted(item.action)).count();
        let (to_do, refused) = if looked {
            (count(is_due), count(|action| action == Action::Refuse))
        } else {
            (self.to_do, self.refused)
        };
        let (quiet, travels) = (looked && report.is_quiet(), report.travels());
        let StageReport {
            stage: _,
            mode,
            status,
            retry_after_s,
            items,
            names,
            made,
            changed,
            waiting,
            failure,
            stopped,
            left_over,
            absent,
            at_ms,
        } = report;
        Self {
            status,
            retry_after_s,
            outputs: names,
            made,
            changed,
            left_over,
            to_do,
            refused,
            since_ms,
            ticks: if self.mode == Some(mode) { self.ticks + 1 } else { 1 },
            mode: Some(mode),
            make: self.make,
            report: if quiet {
                Report::Quiet
            } else if travels {
                Report::Carried(Box::new(Told { items, waiting, failure, stopped, absent, at_ms }))
            } else {
                Report::Recorded
            },
            caught: None,
        }
    }
}

/// Whether it is to be made or changed.
fn is_due(action: Action) -> bool {
    match action {
        Action::Create | Action::Update | Action::Remake | Action::Wait => true,
        Action::Keep | Action::Kept | Action::Delete | Action::Refuse => false,
    }
}
