//! Commands in tasks, and logs.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use statemachine::message::{Operation, Outcome};
use statemachine::resource::{Name, Names};

use crate::fake::{Fake, World};
use crate::operate::operated;
use crate::workshop::tool;
use crate::{Place, document, report, result, text};

const STREAM: &str = "worker/worker/0123";

fn event(id: &str, at_ms: i64, message: &str) -> Value {
    json!({ "eventId": id, "timestamp": at_ms, "message": message, "logStreamName": STREAM })
}

/// Every run has a task that has written two lines and ended with this code.
fn ended_with(code: Option<i32>) -> World {
    let mut world = operated();
    let mut report = report();
    report.stage = statemachine::Stage::Services.into();
    let (task, mut names) = (Name::new("task", "run"), Names::default());
    names.insert(task.clone(), "arn:task");
    for (attribute, value) in [("log_stream", STREAM), ("service", "worker")] {
        names.insert(Name::from_tag(&format!("{task}#{attribute}")), value);
    }
    report.names = names;
    let outcome = if code == Some(0) { Outcome::Succeeded } else { Outcome::Failed };
    let mut result = result(Operation::Run, outcome);
    result.exit_code = code;
    let leaves = world.leaves.get_mut("run").expect("what a run leaves");
    leaves.insert("stages/services.json", text(&report));
    leaves.insert("result.json", text(&result));
    let events = [event("1", 1_795_428_900_000, "one\n"), event("2", 1_795_428_900_001, "two")];
    world.answers.insert("FilterLogEvents", json!({ "events": events }));
    world
}

#[test]
fn a_command_s_output_and_exit_code_are_its_own() {
    let fake = Fake::start(ended_with(Some(7)));
    let done = Place::with(&fake).run(&["run", "--service", "worker", "--", "sh", "-c", "exit 7"]);
    assert_eq!(done.code, 7, "{done:?}");
    assert_eq!(done.stdout, "one\ntwo\n", "each line once, and nothing else");
    let world = fake.world();
    let asked = world.asked.iter().filter(|(operation, _)| operation == "FilterLogEvents");
    let groups: BTreeSet<&str> = asked.map(|(_, body)| body.as_str()).collect();
    let [asked] = groups.into_iter().collect::<Vec<_>>()[..] else { panic!("one question, asked again") };
    assert!(asked.contains("/ecs/arive-production-worker") && asked.contains(STREAM), "{asked}");
}

#[test]
fn json_is_one_document_and_the_log_goes_beside_it() {
    let fake = Fake::start(ended_with(Some(0)));
    let done = Place::with(&fake).run(&["run", "--json", "--", "true"]);
    assert_eq!((done.code, &document(&done)["exit_code"]), (0, &json!(0)), "{done:?}");
    assert!(done.stderr.contains("one\ntwo\n"), "{done:?}");
}

#[test]
fn a_command_that_never_ran_says_why() {
    let fake = Fake::start(ended_with(None));
    let done = Place::with(&fake).run(&["run", "--", "true"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("Failed after") && done.stderr.contains("Said by the test."), "{done:?}");
}

#[test]
fn logs_are_merged_by_time_each_line_with_its_service() {
    let mut world = operated();
    let events = [event("2", 1_795_428_902_500, "later"), event("1", 1_795_428_900_000, "first")];
    world.answers.insert("FilterLogEvents", json!({ "events": events }));
    let fake = Fake::start(world);
    let place = Place::with(&fake);
    let done = place.run(&["logs", "worker", "--since", "2d", "--filter", "ERROR"]);
    assert_eq!(done.stdout, "10:15:00.000 worker first\n10:15:02.500 worker later\n", "{done:?}");
    let bodies: Vec<String> = fake.world().asked.iter().map(|(_, body)| body.clone()).collect();
    let asked =
        bodies.iter().find(|body| body.contains("/ecs/arive-production-worker")).expect("it was asked");
    assert!(asked.contains("\"filterPattern\":\"ERROR\""), "{asked}");
    let lines = place.run(&["logs", "--json"]).stdout;
    let sources: BTreeSet<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a document a line")["source"].to_string())
        .collect();
    assert_eq!(sources.len(), 2, "both services: {lines}");
}

/// A task of `api` that runs, and one that has not started yet.
fn with_task() -> World {
    let mut world = operated();
    let arn = |id: &str| format!("arn:aws:ecs:us-east-1:123456789012:task/arive-production/{id}");
    let task = |id: &str, status: &str| {
        let containers = [json!({ "name": "api", "runtimeId": format!("{id}-265927825") })];
        json!({ "taskArn": arn(id), "lastStatus": status, "containers": containers })
    };
    let session = json!({ "sessionId": "s-1", "streamUrl": "wss://ssm", "tokenValue": "t-1" });
    world.answers.extend([
        ("ListTasks", json!({ "taskArns": [arn("11"), arn("22")] })),
        ("DescribeTasks", json!({ "tasks": [task("11", "PENDING"), task("22", "RUNNING")] })),
        ("ExecuteCommand", json!({ "session": session })),
    ]);
    world
}

#[test]
fn a_command_in_a_running_task_goes_through_the_plugin_and_ends_with_its_code() {
    let fake = Fake::start(with_task());
    let place = tool(Place::with(&fake), "session-manager-plugin", "test $# = 0 || exit 3");
    let done = place.run(&["exec", "api", "--", "psql", "-c", "select 1"]);
    assert_eq!(done.code, 3, "{done:?}");
    let world = fake.world();
    let (_, opened) = world
        .asked
        .iter()
        .find(|(operation, _)| operation == "ExecuteCommand")
        .expect("a session was opened");
    let opened: Value = serde_json::from_str(opened).expect("JSON");
    assert_eq!((&opened["command"], &opened["container"]), (&json!("psql -c 'select 1'"), &json!("api")));
    assert!(opened["task"].as_str().is_some_and(|task| task.ends_with("/22")), "the one that runs: {opened}");
    insta::assert_snapshot!(crate::workshop::calls(&place));
}

#[test]
fn without_the_plugin_no_session_is_opened() {
    let fake = Fake::start(with_task());
    let done = Place::with(&fake).set("PATH", "/nowhere").run(&["exec", "api"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("session-manager-plugin is not installed."), "{done:?}");
    assert!(fake.world().asked.iter().all(|(operation, _)| operation != "ExecuteCommand"));
}

#[test]
fn a_service_without_a_running_task_says_so() {
    let mut world = with_task();
    world.answers.insert("ListTasks", json!({ "taskArns": [] }));
    let fake = Fake::start(world);
    let done = Place::with(&fake).run(&["exec", "api"]);
    assert_eq!(done.code, 4, "{done:?}");
    assert!(done.stderr.contains("No task of api runs."), "{done:?}");
}
