//! On a terminal: questions, the plan that was shown, Ctrl-C.

use std::process::Stdio;

use statemachine::message::Operation;

use crate::fake::{Execution, Fake};
use crate::{Done, PLAN, PROGRAM, Place, record, text, world};

const PYTHON: &str = include_str!("terminal.py");

/// Runs the program on a terminal and types `answer` once it has written `wait_for`.
pub(crate) fn type_in(place: &Place, wait_for: &str, answer: &str, arguments: &[&str]) -> Done {
    let mut all = vec!["-c", PYTHON, wait_for, answer, PROGRAM];
    all.extend(arguments);
    let output = place
        .command("python3", &all)
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .expect("Python runs");
    Done {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The operations that were started, each with the plan that it must have.
fn started(fake: &Fake) -> Vec<(Operation, Option<String>)> {
    fake.world().started.iter().map(|(_, request)| (request.operation, request.plan.clone())).collect()
}

#[test]
fn what_is_destroyed_is_what_was_shown() {
    let fake = Fake::start(world());
    let done = type_in(&Place::with(&fake), "to destroy it", "production^M", &["destroy"]);
    assert_eq!(done.code, 0, "{done:?}");
    let plan = Some(PLAN.to_owned());
    assert_eq!(started(&fake), [(Operation::PlanDestroy, None), (Operation::Destroy, plan)], "{done:?}");
}

#[test]
fn another_name_destroys_nothing() {
    let fake = Fake::start(world());
    let done = type_in(&Place::with(&fake), "to destroy it", "prod^M", &["destroy"]);
    assert_eq!(done.code, 4, "{done:?}");
    assert!(done.stdout.contains("that is not the environment's name"), "{done:?}");
    assert_eq!(started(&fake), [(Operation::PlanDestroy, None)]);
}

#[test]
fn an_apply_carries_out_the_plan_that_was_agreed_to() {
    let fake = Fake::start(world());
    let done = type_in(&Place::with(&fake), "Carry this out?", "y", &["apply"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("subnet/public-a"), "the plan was shown: {done:?}");
    let plan = Some(PLAN.to_owned());
    assert_eq!(started(&fake), [(Operation::Plan, None), (Operation::Apply, plan)]);
}

#[test]
fn an_apply_that_is_not_agreed_to_changes_nothing() {
    let fake = Fake::start(world());
    let done = type_in(&Place::with(&fake), "Carry this out?", "n", &["apply", "--json"]);
    assert_eq!(done.code, 4, "{done:?}");
    assert!(done.stdout.contains("\"error\""), "{done:?}");
    assert_eq!(started(&fake), [(Operation::Plan, None)]);
}

#[test]
fn ctrl_c_detaches_and_says_how_to_come_back() {
    let mut world = world();
    let run = "20991123-101500-00aa";
    let running = Execution { input: String::new(), status: "RUNNING", cause: None };
    world.executions.insert(run.to_owned(), running);
    let record = record(Operation::Apply, "2026-11-23T10:15:00Z");
    world.objects.insert(format!("runs/production/{run}/request.json"), text(&record));
    world
        .executions
        .insert("x".to_owned(), Execution { input: String::new(), status: "RUNNING", cause: None });
    let fake = Fake::start(world);
    let arguments = ["attach", "--region", "us-east-1"];
    let done = type_in(&Place::with(&fake), "Looking at AWS", "^C", &arguments);
    assert_eq!(done.code, 0, "{done:?}");
    let back = format!("stepstack attach --region us-east-1 --stack arive/production {run}");
    let said = done.stdout.replace("\r\n", " ");
    assert!(said.contains(&format!("The run {run} goes on in AWS")), "{done:?}");
    assert!(said.contains(&back), "{done:?}");
}
