//! What went wrong, and what waits for the user, in words for a person.

use serde::{Deserialize, Serialize};

use crate::plan::Item;
use crate::resource::Name;
use crate::{Error, ErrorKind, Part};

/// What failed, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The stage, or what else failed.
    pub stage: Part,
    /// The resource, or `*` where none can be named.
    pub name: String,
    /// What it means.
    pub kind: ErrorKind,
    /// The IAM action of the failed call.
    pub action: Option<String>,
    /// AWS's error code.
    pub code: Option<String>,
    /// What happened, with AWS's own words.
    pub message: String,
    /// What to do next.
    pub next: String,
}

impl Failure {
    /// From a failed call.
    pub fn of(part: impl Into<Part>, name: &Name, error: &Error) -> Self {
        let part = part.into();
        let next = match error.kind {
            ErrorKind::Denied => match part.function().zip(error.action) {
                Some((function, action)) => format!(
                    "The role of the function `{function}` lacks {action}. Run `stepstack bootstrap` to bring its policy up to date."
                ),
                None => "Run `stepstack bootstrap` to bring the engine's roles up to date.".to_owned(),
            },
            ErrorKind::Quota => {
                "Ask AWS to raise the quota (Service Quotas console), then run `stepstack apply` again."
                    .to_owned()
            }
            ErrorKind::Transient | ErrorKind::NotReady | ErrorKind::Propagating => {
                "Run `stepstack apply` again: it goes on from here.".to_owned()
            }
            ErrorKind::Missing | ErrorKind::Exists | ErrorKind::Invalid => {
                "Correct what AWS complains about, then run `stepstack apply` again: it goes on from here."
                    .to_owned()
            }
            ErrorKind::Internal => {
                "This is likely a fault of Stepstack: please report it. `stepstack apply` goes on from here."
                    .to_owned()
            }
        };
        Self {
            stage: part,
            name: name.to_string(),
            kind: error.kind,
            action: error.action.map(str::to_owned),
            code: error.code.clone(),
            message: error.message.clone(),
            next,
        }
    }

    /// A refusal.
    pub fn refused(stage: Part, name: &Name, reason: String) -> Self {
        Self {
            stage,
            name: name.to_string(),
            kind: ErrorKind::Invalid,
            action: None,
            code: None,
            message: reason,
            next: "Nothing more was changed. Decide about it, then run it again: it goes on from here."
                .to_owned(),
        }
    }

    /// A stage that took too long.
    pub fn late(stage: Part, message: String) -> Self {
        Self {
            stage,
            name: "*".to_owned(),
            kind: ErrorKind::NotReady,
            action: None,
            code: None,
            message,
            next: "See what AWS says about it in the console, then run `stepstack apply` again: it goes on from here.".to_owned(),
        }
    }
}

/// The cause of a failure, as diagnose found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// One sentence.
    pub cause: String,
    /// What it rests on: AWS's words, the last log lines.
    pub evidence: Vec<String>,
    /// The next command, or what to change.
    pub next: String,
}

/// Something that only the user can bring about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What waits.
    pub what: String,
    /// What to do.
    pub next: String,
}

impl Waiting {
    /// From a parked resource; `None` when it says nothing.
    pub fn parked(item: &Item) -> Option<Self> {
        let next = item.reason.clone()?;
        Some(Self { what: item.name.to_string(), next })
    }
}
