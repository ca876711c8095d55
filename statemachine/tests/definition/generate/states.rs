//! The states that a stage consists of, and what they are made of.

use serde_json::{Map, Value, json};
use statemachine::Stage;
use statemachine::message::{Mode, Next, Status};

/// A state with its name.
pub(super) type State = (String, Value);

/// Where a state leads.
#[derive(Clone, Copy)]
pub(super) enum Then<'a> {
    Next(&'a str),
    End,
}

/// The states of a stage, up to where they lead.
pub(super) type OfStage = fn(Stage, Then<'_>) -> Vec<State>;

/// A call of a function that changes something, and when it is made.
struct Work {
    verb: &'static str,
    mode: Mode,
    is_due: fn(Stage) -> Value,
}

pub(super) fn make(stage: Stage, then: Then<'_>) -> Vec<State> {
    work(&Work { verb: "Make", mode: Mode::Make, is_due: is_to_be_made }, stage, then)
}

pub(super) fn remove(stage: Stage, then: Then<'_>) -> Vec<State> {
    work(&Work { verb: "Remove", mode: Mode::Remove, is_due: has_left_overs }, stage, then)
}

pub(super) fn look(stage: Stage, then: Then<'_>) -> Vec<State> {
    let failed = state("Look", stage, "Failed");
    vec![
        stage_task(&state("Look", stage, ""), stage, Mode::Plan, &failed, then),
        commented("A branch never fails: the others would go on unseen.", failed_pass(&failed, stage, then)),
    ]
}

fn work(kind: &Work, stage: Stage, then: Then<'_>) -> Vec<State> {
    let own = |part: &str| state(kind.verb, stage, part);
    let [call, ready, failed, done] = ["", "Ready?", "Failed", "Done"].map(own);
    let not_ready = json!({ "Variable": path(stage, "status"), "StringEquals": Status::NotReady });
    vec![
        choice(&own("?"), &[rule((kind.is_due)(stage), &call)], &done),
        stage_task(&call, stage, kind.mode, &failed, Then::Next(&ready)),
        choice(&ready, &[rule(not_ready, &own("Wait"))], &done),
        wait(&own("Wait"), &path(stage, "retry_after_s"), &call),
        failed_pass(&failed, stage, Then::Next(&done)),
        (done, led(json!({ "Type": "Pass" }), then)),
    ]
}

/// One branch for each stage, and then those that are ready.
pub(super) fn branches<const N: usize>(
    stages: &[Stage],
    of_stage: OfStage,
    ready: [(Vec<Stage>, Value); N],
) -> Vec<(Vec<Stage>, Value)> {
    let own = stages.iter().map(|stage| (vec![*stage], scope(of_stage(*stage, Then::End))));
    own.chain(ready).collect()
}

/// A branch of two waves, with the choice between them, if there is one.
pub(super) fn chain(
    verb: &str,
    first: &[Stage],
    second: &[Stage],
    between: Option<&str>,
    of_stage: OfStage,
) -> (Vec<Stage>, Value) {
    let [one, two, broken, stopped] =
        ["First", "Second", "Broken", "Stopped"].map(|part| format!("{verb}{part}"));
    let then = Then::Next(between.unwrap_or(&two));
    let mut states = vec![parallel(&one, branches(first, of_stage, []), &broken, then)];
    if let Some(between) = between {
        let badly: Vec<Value> = first.iter().map(|stage| rule(has_ended_badly(*stage), &stopped)).collect();
        states.push(choice(between, &badly, &two));
    }
    states.push(parallel(&two, branches(second, of_stage, []), &broken, Then::End));
    if between.is_some() {
        let pass = (stopped, led(json!({ "Type": "Pass" }), Then::End));
        states.push(commented("The branch ends; the choice after the join sees why.", pass));
    }
    let stands_for_all = first[0];
    states.push(commented(
        &format!(
            "No stage is to blame; the {stands_for_all} stands for the branch, so that the join sees it."
        ),
        failed_pass(&broken, stands_for_all, Then::End),
    ));
    ([first, second].concat(), scope(states))
}

fn scope(states: Vec<State>) -> Value {
    json!({ "StartAt": states[0].0, "States": states.into_iter().collect::<Map<_, _>>() })
}

/// Branches side by side. Each stage's slot is taken from the branch that it is in.
pub(super) fn parallel(
    name: &str,
    branches: Vec<(Vec<Stage>, Value)>,
    broken: &str,
    then: Then<'_>,
) -> State {
    let selector = Stage::ALL.map(|stage| {
        let at = branches.iter().position(|(stages, _)| stages.contains(&stage)).unwrap_or(0);
        (format!("{stage}.$"), json!(format!("$[{at}].stages.{stage}")))
    });
    let branches: Vec<Value> = branches.into_iter().map(|(_, branch)| branch).collect();
    let parallel = json!({
        "Type": "Parallel",
        "Branches": branches,
        "ResultSelector": Map::from_iter(selector),
        "ResultPath": "$.stages",
        "Catch": catch("$.caught", broken),
    });
    (name.to_owned(), led(parallel, then))
}

fn stage_task(name: &str, stage: Stage, mode: Mode, failed: &str, then: Then<'_>) -> State {
    let parameters = json!({ "stage": stage, "mode": mode, "document.$": "$" });
    let slot = Some(json!(format!("$.stages.{stage}")));
    task(name, stage.function().name(), &parameters, slot, (&path(stage, "caught"), failed), then)
}

/// A call of a function. Without a result's path, its answer is the document.
pub(super) fn task(
    name: &str,
    function: &str,
    parameters: &Value,
    result: Option<Value>,
    (caught, failed): (&str, &str),
    then: Then<'_>,
) -> State {
    let resource = format!("${{{}}}", capitalized(function));
    let mut task = json!({ "Type": "Task", "Resource": resource, "Parameters": parameters });
    if let Some(result) = result {
        task["ResultPath"] = result;
    }
    task["TimeoutSeconds"] = json!(90);
    task["Retry"] = retry();
    task["Catch"] = catch(caught, failed);
    (name.to_owned(), led(task, then))
}

/// What is called again: what passes by itself, by name, never `States.ALL`.
fn retry() -> Value {
    let rule = |errors: &[&str], longest_s: u32, tries: u32| {
        json!({
            "ErrorEquals": errors,
            "IntervalSeconds": 1,
            "BackoffRate": 2,
            "MaxDelaySeconds": longest_s,
            "MaxAttempts": tries,
            "JitterStrategy": "FULL",
        })
    };
    let passing = [
        "Transient",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.Unknown",
        "Runtime.ExitError",
        "Sandbox.Timedout",
        "States.Timeout",
    ];
    json!([rule(&["Lambda.TooManyRequestsException"], 30, 8), rule(&passing, 20, 5)])
}

/// Everything: `States.ALL` does not catch the first.
fn catch(caught: &str, next: &str) -> Value {
    let rule = |error| json!({ "ErrorEquals": [error], "ResultPath": caught, "Next": next });
    json!([rule("States.DataLimitExceeded"), rule("States.ALL")])
}

pub(super) fn choice(name: &str, choices: &[Value], default: &str) -> State {
    (name.to_owned(), json!({ "Type": "Choice", "Choices": choices, "Default": default }))
}

pub(super) fn verdicts(ways: &[(Next, &str)]) -> Vec<Value> {
    let one = |(verdict, next): &(Next, &str)| {
        rule(json!({ "Variable": "$.verdict.next", "StringEquals": verdict }), next)
    };
    ways.iter().map(one).collect()
}

fn is_to_be_made(stage: Stage) -> Value {
    json!({ "Variable": path(stage, "make"), "BooleanEquals": true })
}

pub(super) fn has_left_overs(stage: Stage) -> Value {
    json!({ "Variable": path(stage, "left_over"), "NumericGreaterThan": 0 })
}

pub(super) fn has_ended_badly(stage: Stage) -> Value {
    let status = |status| json!({ "Variable": path(stage, "status"), "StringEquals": status });
    json!({ "Or": [status(Status::Failed), status(Status::Stopped)] })
}

pub(super) fn rule(holds: Value, next: &str) -> Value {
    led(holds, Then::Next(next))
}

pub(super) fn wait(name: &str, seconds: &str, next: &str) -> State {
    (name.to_owned(), json!({ "Type": "Wait", "SecondsPath": seconds, "Next": next }))
}

fn failed_pass(name: &str, stage: Stage, then: Then<'_>) -> State {
    let pass = json!({ "Type": "Pass", "Result": Status::Failed, "ResultPath": path(stage, "status") });
    (name.to_owned(), led(pass, then))
}

pub(super) fn fail(name: &str) -> State {
    (name.to_owned(), json!({ "Type": "Fail", "ErrorPath": "$.caught.Error", "CausePath": "$.caught.Cause" }))
}

fn led(mut state: Value, then: Then<'_>) -> Value {
    match then {
        Then::Next(next) => state["Next"] = json!(next),
        Then::End => state["End"] = json!(true),
    }
    state
}

/// The comment stands after the type.
pub(super) fn commented(comment: &str, (name, state): State) -> State {
    let Value::Object(fields) = state else { panic!("{name} is an object") };
    let mut fields = fields.into_iter();
    let kind = fields.next().expect("a type");
    (name, [kind, ("Comment".to_owned(), json!(comment))].into_iter().chain(fields).collect())
}

pub(super) fn state(verb: &str, stage: Stage, part: &str) -> String {
    format!("{verb}{}{part}", capitalized(stage.name()))
}

fn capitalized(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}

fn path(stage: Stage, field: &str) -> String {
    format!("$.stages.{stage}.{field}")
}
