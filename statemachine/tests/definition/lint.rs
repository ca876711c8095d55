//! What Step Functions would only find when it is too late.

use std::collections::BTreeSet;

use serde_json::Value;
use statemachine::Stage;
use statemachine::definition::{DEFINITION, FUNCTIONS, definition};

fn parsed() -> Value {
    serde_json::from_str(DEFINITION).expect("the definition is JSON")
}

/// Every scope: the machine and each branch, with a name for messages.
fn scopes(name: &str, scope: &Value, all: &mut Vec<(String, Value)>) {
    all.push((name.to_owned(), scope.clone()));
    for (state, body) in scope["States"].as_object().expect("states") {
        for (at, branch) in body["Branches"].as_array().into_iter().flatten().enumerate() {
            scopes(&format!("{name}/{state}[{at}]"), branch, all);
        }
    }
}

fn all_scopes() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    scopes("machine", &parsed(), &mut all);
    all
}

fn states() -> Vec<(String, Value)> {
    let one = |(scope, body): (String, Value)| {
        let states = body["States"].as_object().expect("states").clone();
        states.into_iter().map(move |(name, state)| (format!("{scope}/{name}"), state)).collect::<Vec<_>>()
    };
    all_scopes().into_iter().flat_map(one).collect()
}

fn targets(state: &Value) -> Vec<String> {
    let mut targets = Vec::new();
    let mut push = |value: &Value| targets.extend(value.as_str().map(str::to_owned));
    push(&state["Next"]);
    push(&state["Default"]);
    for list in ["Choices", "Catch"] {
        state[list].as_array().into_iter().flatten().for_each(|one| push(&one["Next"]));
    }
    targets
}

#[test]
fn every_state_can_be_reached_and_every_way_leads_somewhere() {
    for (scope, body) in all_scopes() {
        let states = body["States"].as_object().expect("states");
        let mut reached = BTreeSet::new();
        let mut open = vec![body["StartAt"].as_str().expect("StartAt").to_owned()];
        while let Some(name) = open.pop() {
            let state = states.get(&name).unwrap_or_else(|| panic!("{scope}: {name} is no state"));
            if reached.insert(name) {
                open.extend(targets(state));
            }
        }
        let missed: Vec<&String> = states.keys().filter(|name| !reached.contains(*name)).collect();
        assert!(missed.is_empty(), "{scope}: never reached: {missed:?}");
    }
}

#[test]
fn state_names_are_unique_and_within_aws_length() {
    let mut seen = BTreeSet::new();
    for (path, _) in states() {
        let name = path.rsplit('/').next().expect("a name").to_owned();
        assert!(name.len() <= 80, "{name}");
        assert!(seen.insert(name.clone()), "{name} stands twice");
    }
}

#[test]
fn every_task_calls_a_function_with_a_time_limit_retries_by_name_and_catches_everything() {
    let tasks: Vec<_> = states().into_iter().filter(|(_, state)| state["Type"] == "Task").collect();
    assert!(tasks.len() > 20);
    for (name, task) in tasks {
        let resource = task["Resource"].as_str().expect("a resource");
        assert!(resource.starts_with("${") && resource.ends_with('}'), "{name}: {resource}");
        assert!(task["TimeoutSeconds"].as_u64().is_some(), "{name}");
        let retried: Vec<&str> = strings(&task["Retry"]);
        assert!(retried.contains(&"Transient") && !retried.contains(&"States.ALL"), "{name}: {retried:?}");
        assert!(retried.contains(&"Lambda.TooManyRequestsException"), "{name}");
        let caught = strings(&task["Catch"]);
        assert_eq!(
            caught,
            ["States.DataLimitExceeded", "States.ALL"],
            "{name}: States.ALL does not catch the first"
        );
    }
}

fn strings(list: &Value) -> Vec<&str> {
    let rules = list.as_array().into_iter().flatten();
    rules
        .flat_map(|rule| rule["ErrorEquals"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn catches_keep_the_document() {
    for (name, state) in states() {
        for rule in state["Catch"].as_array().into_iter().flatten() {
            let path = rule
                .get("ResultPath")
                .unwrap_or_else(|| panic!("{name}: a Catch without ResultPath replaces the document"));
            assert_ne!(path, "$", "{name}");
        }
    }
}

#[test]
fn every_placeholder_is_a_function_and_every_function_is_called() {
    let filled = definition(|function| format!("arn:of:{function}"));
    assert!(!filled.contains("${"), "a placeholder is left");
    for function in FUNCTIONS {
        assert!(filled.contains(&format!("\"arn:of:{function}\"")), "{function}");
    }
    let serving: BTreeSet<&str> = Stage::ALL.map(|stage| stage.function().name()).into();
    let all: BTreeSet<&str> = serving.into_iter().chain(["control", "diagnose"]).collect();
    assert_eq!(BTreeSet::from(FUNCTIONS), all, "those that serve stages, and two more");
}
