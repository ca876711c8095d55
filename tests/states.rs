//! Every state of the state machine that calls a function finds none: the run ends as failed, its record says where
//! and why, and the lock is free. `statemachine/tests/definition` does the same with every error and no AWS.

use std::path::{Path, PathBuf};

use serde_json::Value;
use statemachine::Stage;

use crate::harness::{Done, Emulator};
use crate::strict::{Fault, Settings};

const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:stepstack-arive";
const NOBODY: &str = "arn:aws:lambda:us-east-1:000000000000:function:stepstack-arive-nobody:1";
const APPLY: [&str; 2] = ["apply", "--yes"];
const DESTROY: [&str; 3] = ["destroy", "--yes", "--delete-data"];

/// An engine whose state machine is broken on purpose, one state at a time.
struct Broken {
    emulator: Emulator,
    sfn: aws_sdk_sfn::Client,
    definition: String,
}

impl Broken {
    async fn new() -> Self {
        let emulator = Emulator::start();
        // As if a minute had passed since a run's end: what did not give its lock back is taken over at once.
        let seconds = [("stopped-execution-age", 60.0)].into();
        emulator.strict().configure(&Settings { seconds, ..Settings::default() });
        let file = emulator.write("first.toml", &file("first"));
        emulator.stepstack(&file, &["bootstrap", "--yes"]).expect(0);
        let sfn = aws_sdk_sfn::Client::new(&emulator.config());
        let described = sfn.describe_state_machine().state_machine_arn(MACHINE).send().await;
        let definition = described.expect("the machine").definition().to_owned();
        Self { emulator, sfn, definition }
    }

    /// A configuration of an environment of its own, with something for every stage.
    fn file(&self, environment: &str) -> PathBuf {
        self.emulator.write(&format!("{environment}.toml"), &file(environment))
    }

    async fn define(&self, definition: String) {
        let update = self.sfn.update_state_machine().state_machine_arn(MACHINE).definition(definition);
        update.send().await.expect("the machine is changed");
    }

    /// The command with one state broken fails and says so; the same command with the whole machine comes through.
    async fn fails_at(&self, state: &str, file: &Path, arguments: &[&str]) -> Done {
        self.define(without(&self.definition, state)).await;
        let failed = self.emulator.stepstack(file, arguments).expect(1);
        self.define(self.definition.clone()).await;
        let said = format!("{}{}", failed.stdout, failed.stderr);
        assert!(
            said.contains("Lambda.ResourceNotFoundException"),
            "{state}: it says AWS's own error:\n{said}"
        );
        failed
    }

    /// What the environment's newest run left: its result and its lock.
    async fn left(&self, environment: &str) -> (Option<Value>, Value) {
        let newest = self.emulator.runs(environment).await.pop().expect("a run");
        let result = self.emulator.object(&format!("runs/{environment}/{newest}/result.json")).await;
        let lock = self.emulator.object(&format!("locks/{environment}.json")).await;
        (result, lock.expect("a lock"))
    }

    /// The newest run is recorded as failed at this stage, and has given its lock back.
    async fn is_recorded(&self, environment: &str, broken: &str, stage: &str) {
        let (result, lock) = self.left(environment).await;
        let result = result.unwrap_or_else(|| panic!("{broken}: a result"));
        assert_eq!(result["outcome"], "failed", "{broken}: {result:#}");
        assert_eq!(result["failure"]["stage"], stage, "{broken}: {result:#}");
        let cause = if broken == "Diagnose" { "not authorized" } else { "Lambda.ResourceNotFoundException" };
        let message = result["failure"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(cause), "{broken}: the record says why: {result:#}");
        assert!(lock["holder"].is_null(), "{broken}: {lock:#}");
    }
}

fn file(environment: &str) -> String {
    format!(
        "app = \"arive\"\nenvironment = \"{environment}\"\ndomain = \"{environment}.example.com\"\n[network]\negress = \"nat\"\n[services.api]\nport = 8000\nhost = \"api.{environment}.example.com\"\n[database]\n"
    )
}

/// The definition with this state's function replaced by one that is not there.
fn without(definition: &str, state: &str) -> String {
    fn replace(states: &mut Value, name: &str) -> bool {
        let states = states.as_object_mut().expect("states");
        if let Some(state) = states.get_mut(name) {
            state["Resource"] = NOBODY.into();
            return true;
        }
        let branches = states.values_mut().filter_map(|state| state["Branches"].as_array_mut());
        branches.flatten().any(|branch| replace(&mut branch["States"], name))
    }
    let mut machine: Value = serde_json::from_str(definition).expect("JSON");
    assert!(replace(&mut machine["States"], state), "there is a state {state}");
    machine.to_string()
}

/// Every state of a definition that calls a function, those in branches too.
fn tasks(states: &Value) -> Vec<String> {
    let states = states.as_object().expect("states");
    let own = states.iter().filter(|(_, state)| state["Type"] == "Task").map(|(name, _)| name.clone());
    let branches = states.values().filter_map(|state| state["Branches"].as_array()).flatten();
    own.chain(branches.flat_map(|branch| tasks(&branch["States"]))).collect()
}

/// The state that calls a stage's function.
fn state(verb: &str, stage: Stage) -> String {
    let (first, rest) = stage.name().split_at(1);
    format!("{verb}{}{rest}", first.to_uppercase())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_that_calls_a_function_is_broken_by_one_of_these_tests() {
    let broken = Broken::new().await;
    let machine: Value = serde_json::from_str(&broken.definition).expect("JSON");
    let verbs = ["Look", "Make", "Remove"];
    let mut known: Vec<String> =
        Stage::ALL.into_iter().flat_map(|stage| verbs.map(|verb| state(verb, stage))).collect();
    known.extend(["Begin", "Join", "Diagnose", "Finish"].map(str::to_owned));
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(tasks(&machine["States"])), sorted(known));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_look_fails_at_that_stage_and_changes_nothing() {
    let broken = Broken::new().await;
    let file = broken.file("looks");
    for stage in Stage::ALL {
        let state = state("Look", stage);
        broken.fails_at(&state, &file, &APPLY).await;
        broken.is_recorded("looks", &state, stage.name()).await;
    }
    broken.fails_at("Join", &file, &APPLY).await;
    broken.is_recorded("looks", "Join", "control").await;
    broken.emulator.stepstack(&file, &DESTROY).expect(0);
    let plan = broken.emulator.stepstack(&file, &["plan", "--json"]).expect(0).json();
    assert_eq!(plan["counts"]["keep"], 0, "nothing was made: {plan:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_make_a_stage_fails_there_and_the_next_goes_on() {
    let broken = Broken::new().await;
    for stage in Stage::ALL {
        let (state, file) = (state("Make", stage), broken.file(stage.name()));
        broken.fails_at(&state, &file, &APPLY).await;
        broken.is_recorded(stage.name(), &state, stage.name()).await;
    }
    for stage in Stage::ALL {
        broken.emulator.stepstack(&broken.file(stage.name()), &APPLY).expect(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_remove_a_stage_fails_there_and_the_next_goes_on() {
    let broken = Broken::new().await;
    let file = broken.file("removes");
    for stage in Stage::ALL {
        broken.emulator.stepstack(&file, &APPLY).expect(0);
        let state = state("Remove", stage);
        broken.fails_at(&state, &file, &DESTROY).await;
        broken.is_recorded("removes", &state, stage.name()).await;
    }
    let destroyed = broken.emulator.stepstack(&file, &DESTROY).expect(0);
    assert!(format!("{}{}", destroyed.stdout, destroyed.stderr).contains("0 left"), "{destroyed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_begin_diagnose_or_finish_holds_nothing_up() {
    let broken = Broken::new().await;
    let file = broken.file("ends");

    // Nobody can write a record of a run that did not begin: the program asks the execution itself.
    broken.fails_at("Begin", &file, &APPLY).await;
    assert_eq!(
        broken.emulator.runs_exist().await.iter().filter(|key| key.ends_with("result.json")).count(),
        0
    );

    // The cause is the one that was to be diagnosed.
    let denied = vec![Fault::new("ec2", "CreateVpc", "denied")];
    broken.emulator.strict().configure(&Settings { faults: Some(denied), ..Settings::default() });
    broken.define(without(&broken.definition, "Diagnose")).await;
    let failed = broken.emulator.stepstack(&file, &APPLY).expect(1);
    let said = format!("{}{}", failed.stdout, failed.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["ec2:CreateVpc", "Not diagnosed. The function ended with Lambda.ResourceNotFoundException"] {
        assert!(said.contains(part), "{part}: {failed}");
    }
    broken.is_recorded("ends", "Diagnose", "network").await;

    // A run that cannot finish keeps its lock, which nobody else gives back; a minute after its end it is free.
    broken.fails_at("Finish", &file, &APPLY).await;
    let (result, lock) = broken.left("ends").await;
    assert!(result.is_none() && !lock["holder"].is_null(), "{result:?} {lock:#}");
    broken.emulator.stepstack(&file, &APPLY).expect(0);
    let (result, lock) = broken.left("ends").await;
    assert!(result.is_some() && lock["holder"].is_null(), "{result:?} {lock:#}");
}
