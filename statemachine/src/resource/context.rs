//! Where and for whom a stage runs, and what its caller allows.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Name, hex};
use crate::Part;
use crate::permission::Scope;

/// Tag with `{app}/{environment}`: which stack a resource belongs to.
pub const STACK_TAG: &str = "stepstack:stack";
/// Tag with the stage that owns it.
pub const STAGE_TAG: &str = "stepstack:stage";
/// Tag with its [`Name`].
pub const NAME_TAG: &str = "stepstack:name";

/// Where and for whom a stage runs. Cheap to clone.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Context {
    pub app: String,
    pub environment: String,
    /// The stage that runs, or what else owns resources.
    pub stage: Part,
    /// Twelve digits.
    pub account: String,
    /// `us-east-1`.
    pub region: String,
    /// The run's id.
    pub run: String,
    pub options: Options,
    /// No call is started after it.
    pub deadline: Instant,
}

impl Context {
    /// `{app}/{env}`: the value of [`STACK_TAG`].
    pub fn stack(&self) -> String {
        self.aws_names().stack()
    }

    /// The tags of a resource: ours, and `Name` for people.
    pub fn tags(&self, name: &Name) -> Vec<(String, String)> {
        vec![
            (STACK_TAG.to_owned(), self.stack()),
            (STAGE_TAG.to_owned(), self.stage.name().to_owned()),
            (NAME_TAG.to_owned(), name.to_string()),
            ("Name".to_owned(), format!("{}-{}", self.aws_names().prefix(), name.what().replace('@', "-"))),
        ]
    }

    /// The name that tags give a resource, if they are this stack's and this stage's.
    pub fn owned<'a>(&self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Name> {
        let (mut stack, mut stage, mut name) = (false, false, None);
        for (key, value) in tags {
            match key {
                STACK_TAG => stack = value == self.stack(),
                STAGE_TAG => stage = value == self.stage.name(),
                NAME_TAG => name = Some(Name::from_tag(value)),
                _ => {}
            }
        }
        name.filter(|_| stack && stage)
    }

    /// A client token: the same for the same resource in the same run, 32 characters.
    pub fn token(&self, name: &Name) -> String {
        let text = format!("{}/{}/{}/{name}", self.stack(), self.stage, self.run);
        hex(&Sha256::digest(text))[..32].to_owned()
    }

    /// For names of the engine's parts and ARNs.
    pub fn scope(&self) -> Scope {
        Scope { app: self.app.clone(), account: self.account.clone(), region: self.region.clone() }
    }

    /// Whether a new call may still be started.
    pub fn has_time(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// For tests: a context of the app `arive`, environment `production`.
    pub fn example(stage: impl Into<Part>) -> Self {
        Self {
            app: "arive".to_owned(),
            environment: "production".to_owned(),
            stage: stage.into(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            run: "20261123-101500-abcd".to_owned(),
            options: Options::default(),
            deadline: Instant::now() + Duration::from_secs(50),
        }
    }
}

/// What the caller of a run allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// What happens to data that would go.
    pub data: DataPolicy,
    /// Take over what stands in our place and is not ours.
    pub adopt: bool,
    /// Whoever asks has no way to say `adopt`, so it is not offered: the installer.
    #[serde(skip)]
    pub never_adopts: bool,
    /// Changes that interrupt service (a database's major upgrade).
    pub allow_downtime: bool,
    /// Skip the final snapshot of the database.
    pub skip_final_snapshot: bool,
}

/// What happens to data that a removal would lose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataPolicy {
    /// Nothing with data is removed: the run is refused before it changes anything.
    #[default]
    Refuse,
    /// As `Refuse`, but what a final snapshot keeps may go: a destroy.
    Snapshot,
    /// What holds data is kept and listed.
    Keep,
    /// Data goes.
    Delete,
}
