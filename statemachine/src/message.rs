//! What travels between the state machine and the functions, and what stands in a run's record.
//!
//! The document is small on purpose: Step Functions refuses payloads over 262,144 bytes. Full reports go to
//! the provisioner's bucket, under the keys that [`keys`] makes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::Stack;
use crate::plan::{Action, Item, Plan};
use crate::resource::{Name, Names, Options};
use crate::tick::Input;
use crate::{Error, ErrorKind};

/// The stages, in the order in which they are made and shown.
pub const STAGES: [&str; 7] =
    ["foundation", "network", "egress", "certificate", "database", "ingress", "services"];

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
    /// The digest (`sha256:…`) to deploy, for [`Operation::Deploy`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What the caller allows.
    #[serde(default)]
    pub options: Options,
    /// Who asks: the caller's ARN, as the CLI read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
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
    /// Roll the services to an image.
    Deploy,
    /// Remove everything.
    Destroy,
}

impl Operation {
    /// Whether it only looks.
    pub fn only_looks(self) -> bool {
        match self {
            Operation::Plan | Operation::PlanDestroy => true,
            Operation::Apply | Operation::Deploy | Operation::Destroy => false,
        }
    }

    /// Whether it describes nothing, so that everything is left over.
    pub fn removes_all(self) -> bool {
        match self {
            Operation::Destroy | Operation::PlanDestroy => true,
            Operation::Plan | Operation::Apply | Operation::Deploy => false,
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
}

/// The document that the state machine carries. Every slot is there from the start: a JSONPath that is
/// missing ends an execution on AWS without any Catch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The run.
    pub run: Run,
    /// What is wanted; absent for a destroy.
    pub stack: Option<Stack>,
    /// The image that the services are to run, and how it came to be.
    pub release: Option<Release>,
    /// Hosts that an earlier configuration named, so that their records are found when it no longer does.
    pub known_hosts: Vec<String>,
    /// Buckets that an earlier configuration named, likewise.
    pub known_buckets: Vec<String>,
    /// What was asked for before this run.
    pub intent: Intent,
    /// SHA-256 of the run's configuration.
    pub config: Option<String>,
    /// One slot per stage.
    pub stages: Stages,
    /// What control has decided last; the machine's choices read it.
    pub verdict: Verdict,
    /// How often the stages were looked at; a destroy looks again after it has removed.
    pub looks: u32,
    /// What the last Catch outside the stages caught.
    #[serde(default)]
    pub caught: Option<Caught>,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// `YYYYMMDD-HHMMSS-xxxx`.
    pub id: String,
    /// ARN of the execution.
    pub execution: String,
    /// The app.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// What it is for.
    pub operation: Operation,
    /// What started it.
    pub trigger: Trigger,
    /// Who, where it is known.
    pub caller: Option<String>,
    /// RFC 3339.
    pub started_at: String,
    /// The plan's id that the joined plan must have.
    pub plan: Option<String>,
    /// What the caller allows.
    pub options: Options,
    /// Key of the configuration it works from.
    pub config_key: Option<String>,
    /// The lock's generation that the run holds; 0 for a run that only looks.
    pub lock: u64,
    /// The lock's ETag as the run took it: with it, the lock is given back by one call.
    #[serde(default)]
    pub lock_etag: Option<String>,
}

/// An image that services run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Number of the release; 0 before it has one.
    pub number: u32,
    /// `sha256:…`
    pub digest: String,
    /// The tag that was pushed, where known.
    pub tag: Option<String>,
}

/// What was last asked for, and what operations have laid over it: `intent/{env}.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Intent {
    /// SHA-256 of the configuration last accepted.
    pub config: Option<String>,
    /// The run that accepted it.
    pub run: Option<String>,
    /// When, RFC 3339.
    pub at: Option<String>,
    /// The engine's version then.
    pub engine: Option<String>,
    /// Hosts of its public services: their records are found by them once the file no longer names them.
    pub hosts: Vec<String>,
    /// Names of its uploads buckets, likewise.
    pub buckets: Vec<String>,
    /// The newest good release: what `apply` keeps running.
    pub release: Option<Release>,
    /// The newest number given to a release.
    pub releases: u32,
}

/// The slots of all stages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the stages, see STAGES")]
pub struct Stages {
    pub foundation: Slot,
    pub network: Slot,
    pub egress: Slot,
    pub certificate: Slot,
    pub database: Slot,
    pub ingress: Slot,
    pub services: Slot,
}

impl Stages {
    /// The slots with their stages, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Slot)> {
        let Self { foundation, network, egress, certificate, database, ingress, services } = self;
        STAGES.into_iter().zip([foundation, network, egress, certificate, database, ingress, services])
    }

    /// A stage's slot; `None` for a name that is no stage.
    pub fn get(&self, stage: &str) -> Option<&Slot> {
        self.iter().find(|(name, _)| *name == stage).map(|(_, slot)| slot)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, stage: &str) -> Option<&mut Slot> {
        let Self { foundation, network, egress, certificate, database, ingress, services } = self;
        let slots = [foundation, network, egress, certificate, database, ingress, services];
        STAGES.into_iter().zip(slots).find(|(name, _)| *name == stage).map(|(_, slot)| slot)
    }
}

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
    /// What this run has changed.
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

impl Slot {
    /// What a tick in `mode` is to know, with the ids of the other stages.
    pub fn input(&self, mode: Mode, now_ms: u64, others: Names) -> Input {
        let same = self.mode == Some(mode) && self.since_ms > 0;
        Input {
            names: others,
            made: self.made.clone(),
            changed: self.changed.clone(),
            since_ms: if same { self.since_ms } else { now_ms },
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
            caught: None,
        }
    }
}

/// What control has decided; the machine's choices read `next`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Where to go.
    pub next: Next,
    /// When to call control again, for [`Next::Wait`].
    pub retry_after_s: u32,
    /// One sentence for the execution's error and for people.
    pub message: String,
}

/// Where the machine goes after control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// Another run holds the lock: wait and call `begin` again.
    Wait,
    /// Look at every stage.
    Look,
    /// Create and change, then remove.
    Make,
    /// Only remove.
    Remove,
    /// Nothing is left to do: finish.
    Finish,
    /// Something failed: gather the cause, then finish.
    Diagnose,
    /// The run is over, and well.
    Succeed,
    /// The run is over: failed, blocked or refused; its result says which.
    Fail,
}

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
    /// A newer trigger of the same kind made it pointless.
    Superseded,
    /// Somebody cancelled it, or it lost the lock.
    Stopped,
    /// It failed.
    Failed,
}

/// A run's last object, `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// How it ended.
    pub outcome: Outcome,
    /// One or two sentences.
    pub message: String,
    /// What failed, if something did: the stage, resource and AWS's message.
    pub failure: Option<Failure>,
    /// What diagnose found about it.
    pub diagnosis: Option<Diagnosis>,
    /// What only the user can bring about.
    pub waiting: Vec<Waiting>,
    /// For people and programs: `url`, `name_servers`, `repository`, `database_endpoint`, `state_machine`.
    pub outputs: BTreeMap<String, String>,
    /// The plan's id.
    pub plan: Option<String>,
    /// RFC 3339.
    pub ended_at: String,
    /// Milliseconds from the execution's start.
    pub duration_ms: u64,
    /// What a destroy found when it swept: kept on purpose, or left and why.
    #[serde(default)]
    pub sweep: Option<Sweep>,
}

impl RunResult {
    /// A result with nothing in it yet but its outcome and times.
    pub fn without_plan(run: &Run, outcome: Outcome, message: String) -> Self {
        let now = Timestamp::now();
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

/// What failed, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The stage.
    pub stage: String,
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
    pub fn of(stage: &str, name: &Name, error: &Error) -> Self {
        let next = match error.kind {
            ErrorKind::Denied => match error.action {
                Some(action) => format!(
                    "The role of the function `{}` lacks {action}. Run `stepstack bootstrap` to bring its policy up to date.",
                    function_of(stage)
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
            stage: stage.to_owned(),
            name: name.to_string(),
            kind: error.kind,
            action: error.action.map(str::to_owned),
            code: error.code.clone(),
            message: error.message.clone(),
            next,
        }
    }

    /// A refusal.
    pub fn refused(stage: &str, name: &Name, reason: String) -> Self {
        Self {
            stage: stage.to_owned(),
            name: name.to_string(),
            kind: ErrorKind::Invalid,
            action: None,
            code: None,
            message: reason,
            next: "Nothing was changed. Decide about it, then run `stepstack apply` again.".to_owned(),
        }
    }

    /// A stage that took too long.
    pub fn late(stage: &str, message: String) -> Self {
        Self {
            stage: stage.to_owned(),
            name: "*".to_owned(),
            kind: ErrorKind::NotReady,
            action: None,
            code: None,
            message,
            next: "See what AWS says about it in the console, then run `stepstack apply` again: it goes on from here.".to_owned(),
        }
    }
}

/// The function that serves a stage.
pub fn function_of(stage: &str) -> &str {
    if stage == "egress" { "network" } else { stage }
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

/// What calls a stage's function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageCall {
    /// The stage.
    pub stage: String,
    /// What it may do.
    pub mode: Mode,
    /// The machine's document.
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

/// A stage's full report, one object in the run's record, written anew by each tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageReport {
    /// The stage.
    pub stage: String,
    /// What the tick was allowed to do.
    pub mode: Mode,
    /// How it stands.
    pub status: Status,
    /// When to look again.
    pub retry_after_s: u32,
    /// Its resources.
    pub items: Vec<Item>,
    /// Ids and attributes of what it owns.
    pub names: Names,
    /// What the run has made.
    pub made: BTreeSet<Name>,
    /// What the run has changed.
    pub changed: BTreeSet<Name>,
    /// What only the user can bring about.
    pub waiting: Vec<Waiting>,
    /// What failed.
    pub failure: Option<Failure>,
    /// Why it stopped.
    pub stopped: Option<String>,
    /// How much is no longer described.
    pub left_over: usize,
    /// Milliseconds since the epoch.
    pub at_ms: u64,
}

impl StageReport {
    /// Whether there is nothing to say but that everything is as described.
    pub fn is_quiet(&self) -> bool {
        let kept = self.items.iter().all(|item| item.action == Action::Keep);
        kept && self.waiting.is_empty() && self.failure.is_none() && self.stopped.is_none()
    }

    /// The report of a quiet look, made again of what the document keeps of it.
    pub fn of_quiet(stage: &str, slot: &Slot) -> Self {
        let whole = slot.outputs.iter().filter(|(name, _)| !name.as_str().contains('#'));
        Self {
            stage: stage.to_owned(),
            mode: Mode::Plan,
            status: slot.status,
            retry_after_s: 0,
            items: whole.map(|(name, _)| Item::new(name.clone(), Action::Keep)).collect(),
            names: slot.outputs.clone(),
            made: slot.made.clone(),
            changed: slot.changed.clone(),
            waiting: Vec::new(),
            failure: None,
            stopped: None,
            left_over: slot.left_over,
            at_ms: slot.since_ms,
        }
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

/// The provisioner's bucket (design.md section 6).
pub mod keys {
    /// The configuration last uploaded or accepted.
    pub fn environment(environment: &str) -> String {
        format!("environments/{environment}.toml")
    }

    /// What was last accepted, and what operations have laid over it.
    pub fn intent(environment: &str) -> String {
        format!("intent/{environment}.json")
    }

    /// What the last good run described, by resource: tells a changed file from a change outside.
    pub fn asked(environment: &str) -> String {
        format!("intent/{environment}.asked.json")
    }

    /// The lock.
    pub fn lock(environment: &str) -> String {
        format!("locks/{environment}.json")
    }

    /// Everything of an environment's runs.
    pub fn runs(environment: &str) -> String {
        format!("runs/{environment}/")
    }

    /// Everything of a run.
    pub fn run(environment: &str, run: &str) -> String {
        format!("runs/{environment}/{run}/")
    }

    /// One object of a run: `request.json`, `config.toml`, `plan.json`, `diagnosis.json`, `result.json`.
    pub fn of_run(environment: &str, run: &str, object: &str) -> String {
        format!("runs/{environment}/{run}/{object}")
    }

    /// A stage's look.
    pub fn look(environment: &str, run: &str, stage: &str) -> String {
        format!("runs/{environment}/{run}/look/{stage}.json")
    }

    /// A stage's report, while the run makes and removes.
    pub fn report(environment: &str, run: &str, stage: &str) -> String {
        format!("runs/{environment}/{run}/stages/{stage}.json")
    }

    /// A stage's note of token-less creates.
    pub fn notes(environment: &str, run: &str, stage: &str) -> String {
        format!("runs/{environment}/{run}/notes/{stage}.json")
    }

    /// All releases of an environment.
    pub fn releases(environment: &str) -> String {
        format!("releases/{environment}/")
    }

    /// A release, its number padded so that keys sort.
    pub fn release(environment: &str, number: u32) -> String {
        format!("releases/{environment}/{number:06}.json")
    }
}
