//! The program itself, as it is called: what it prints, and how it ends. Against no AWS at all, or against a
//! small one on this machine.

mod answers;
mod fake;
mod following;
mod machine;
mod operate;
mod tasks;
mod terminal;
mod workshop;

use std::path::Path;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use serde_json::Value;
use statemachine::Stage;
use statemachine::config::parse;
use statemachine::message::{
    Document, Intent, Mode, Operation, Outcome, PlanRecord, RunRecord, RunResult, StageReport, Status,
};
use statemachine::plan::{Action, Item, Plan, StagePlan};
use statemachine::resource::{Name, Names};
use tempfile::TempDir;

use fake::{Fake, World};

const FILE: &str = "app = \"arive\"\nenvironment = \"production\"\n[services.api]\nport = 8000\n";
/// A run that ended well.
const RUN: &str = "20261123-101500-abcd";
/// The id of every plan here.
const PLAN: &str = "edb50224c134";

/// What a command did.
#[derive(Debug)]
struct Done {
    code: i32,
    stdout: String,
    stderr: String,
}

/// A directory with a good configuration in it, and the program started there with a clean environment.
struct Place {
    directory: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        std::fs::write(directory.path().join("stepstack.toml"), FILE).expect("the file");
        Self { directory, environment: Vec::new() }
    }

    /// With an AWS.
    fn with(fake: &Fake) -> Self {
        let mut place = Self::new();
        place.environment = vec![
            ("AWS_ENDPOINT_URL", fake.endpoint.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "example".to_owned()),
        ];
        place
    }

    fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.into()));
        self
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("STEPSTACK_LOCAL_DIR", self.path().join("local"))
            .env("STEPSTACK_FUNCTIONS_DIR", self.path().join("functions"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program off a terminal.
    fn run(&self, arguments: &[&str]) -> Done {
        let output =
            self.command(PROGRAM, arguments).stdin(Stdio::null()).output().expect("the program runs");
        Done {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_stepstack");

fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("it is JSON")
}

fn record(operation: Operation, begun: &str) -> RunRecord {
    let mut run = Document::example(operation, None).run;
    begun.clone_into(&mut run.started_at);
    RunRecord { run, waits_for: None }
}

fn result(operation: Operation, outcome: Outcome) -> RunResult {
    let run = record(operation, "2026-11-23T10:15:00Z").run;
    let mut result = RunResult::without_plan(&run, outcome, "Said by the test.".to_owned());
    let outputs = [("url", "https://api.example.com"), ("state_machine", "https://console")];
    result.outputs = outputs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    result
}

fn plan_record() -> PlanRecord {
    let mut names = Names::default();
    names.insert(Name::new("vpc", "main"), "vpc-1");
    let items = vec![
        Item::new(Name::new("vpc", "main"), Action::Keep),
        Item::new(Name::new("subnet", "public-a"), Action::Create),
    ];
    let stage = StagePlan { stage: Stage::Network, items, names };
    PlanRecord { id: PLAN.to_owned(), plan: Plan { stages: vec![stage] }, notes: Vec::new() }
}

fn report() -> StageReport {
    StageReport {
        stage: Stage::Network.into(),
        mode: Mode::Make,
        status: Status::Ready,
        retry_after_s: 0,
        items: vec![Item::new(Name::new("vpc", "main"), Action::Keep)],
        names: Names::default(),
        made: std::collections::BTreeSet::new(),
        changed: std::collections::BTreeSet::new(),
        waiting: Vec::new(),
        failure: None,
        stopped: None,
        left_over: 0,
        absent: std::collections::BTreeSet::new(),
        at_ms: 0,
    }
}

/// An environment that was applied once, under an engine of this version. Every run that is started has ended.
fn world() -> World {
    parse(FILE.as_bytes(), "stepstack.toml").expect("the file is a good one");
    let mut world = World { version: Some(env!("CARGO_PKG_VERSION").to_owned()), ..World::default() };
    let intent = Intent { run: Some(RUN.to_owned()), ..Intent::default() };
    let of_run = |object: &str| format!("runs/production/{RUN}/{object}");
    world.objects = [
        (of_run("config.toml"), FILE.to_owned()),
        (of_run("request.json"), text(&record(Operation::Apply, "2026-11-23T10:15:00Z"))),
        (of_run("plan.json"), text(&plan_record())),
        (of_run("stages/network.json"), text(&report())),
        (of_run("result.json"), text(&result(Operation::Apply, Outcome::Succeeded))),
        ("intent/production.json".to_owned(), text(&intent)),
    ]
    .into();
    let now = Timestamp::now().to_string();
    let ended = |operation, outcome| {
        [
            ("request.json", text(&record(operation, &now))),
            ("plan.json", text(&plan_record())),
            ("result.json", text(&result(operation, outcome))),
        ]
        .into()
    };
    world.leaves = [
        ("plan", ended(Operation::Plan, Outcome::Planned)),
        ("run", ended(Operation::Apply, Outcome::Succeeded)),
    ]
    .into();
    world
}

/// The one JSON document that a text is.
#[track_caller]
fn document(done: &Done) -> Value {
    serde_json::from_str(&done.stdout)
        .unwrap_or_else(|error| panic!("one JSON document and nothing else: {error}: {done:?}"))
}
