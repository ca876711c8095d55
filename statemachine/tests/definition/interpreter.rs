//! As much of the Amazon States Language as our definition uses, strict where the emulator is lax: a path
//! that is missing panics, an unknown field panics. Branches run one after the other; waits take no time.

use serde_json::{Map, Value, json};
use statemachine::definition::definition;

/// How an execution ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Failed { error: String, cause: String },
}

pub(crate) struct Machine {
    definition: Value,
}

type Answer<'a> = &'a mut dyn FnMut(&str, &Value) -> Result<Value, (String, String)>;

enum Exit {
    Value(Value),
    Failed { error: String, cause: String },
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self { definition: serde_json::from_str(&definition(str::to_owned)).expect("JSON") }
    }

    pub(crate) fn run(&self, input: Value, answer: Answer<'_>) -> Outcome {
        let context = json!({ "Execution": {
            "Id": "arn:execution", "Name": "name", "StartTime": "2026-11-23T10:15:00.000Z", "Input": input,
        }});
        match scope(&self.definition, input, &context, answer) {
            Exit::Value(_) => Outcome::Succeeded,
            Exit::Failed { error, cause } => Outcome::Failed { error, cause },
        }
    }
}

fn scope(scope: &Value, input: Value, context: &Value, answer: Answer<'_>) -> Exit {
    let mut name = scope["StartAt"].as_str().expect("StartAt").to_owned();
    let mut data = input;
    for _ in 0..1_000 {
        let state = &scope["States"][&name];
        let next = match state["Type"].as_str().expect("a type") {
            "Succeed" => return Exit::Value(data),
            "Fail" => {
                let text = |path: &str, plain: &str| match state[path].as_str() {
                    Some(path) => get(&data, path, context).as_str().expect("a text").to_owned(),
                    None => state[plain].as_str().expect("a text").to_owned(),
                };
                return Exit::Failed { error: text("ErrorPath", "Error"), cause: text("CausePath", "Cause") };
            }
            "Wait" => {
                let seconds = get(&data, state["SecondsPath"].as_str().expect("SecondsPath"), context);
                assert!(seconds.as_u64().is_some(), "{name} waits a number of seconds");
                next(state)
            }
            "Pass" => {
                if let Some(result) = state.get("Result") {
                    data = put(data, &state["ResultPath"], result.clone());
                }
                next(state)
            }
            "Choice" => Some(choose(state, &data, context)),
            "Task" | "Parallel" => match work(state, &data, context, answer) {
                Ok(result) => {
                    let result = state
                        .get("ResultSelector")
                        .map_or(result.clone(), |selector| template(selector, &result, context));
                    data = put(data, state.get("ResultPath").unwrap_or(&json!("$")), result);
                    next(state)
                }
                Err((error, cause)) => match caught(state, &error) {
                    Some(rule) => {
                        data = put(data, &rule["ResultPath"], json!({ "Error": error, "Cause": cause }));
                        Some(rule["Next"].as_str().expect("Next").to_owned())
                    }
                    None => return Exit::Failed { error, cause },
                },
            },
            other => panic!("{name} has the type {other}"),
        };
        match next {
            Some(next) => name = next,
            None => return Exit::Value(data),
        }
    }
    panic!("the machine never ends; it is at {name}");
}

fn next(state: &Value) -> Option<String> {
    let next = state["Next"].as_str().map(str::to_owned);
    assert!(next.is_some() || state["End"] == true, "a state goes on or ends: {state}");
    next
}

fn work(state: &Value, data: &Value, context: &Value, answer: Answer<'_>) -> Result<Value, (String, String)> {
    if state["Type"] == "Parallel" {
        let mut results = Vec::new();
        for branch in state["Branches"].as_array().expect("branches") {
            match scope(branch, data.clone(), context, answer) {
                Exit::Value(value) => results.push(value),
                Exit::Failed { error, cause } => return Err((error, cause)),
            }
        }
        return Ok(Value::Array(results));
    }
    let input = template(&state["Parameters"], data, context);
    let function = state["Resource"].as_str().expect("a resource");
    let mut tries = std::collections::BTreeMap::new();
    loop {
        let (error, cause) = match answer(function, &input) {
            Ok(value) => return Ok(value),
            Err(raised) => raised,
        };
        let rules = state["Retry"].as_array().into_iter().flatten();
        let rule = rules.enumerate().find(|(_, rule)| names(rule).any(|name| name == error));
        let again = rule.is_some_and(|(at, rule)| {
            let used: &mut u64 = tries.entry(at).or_default();
            *used += 1;
            *used <= rule["MaxAttempts"].as_u64().expect("MaxAttempts")
        });
        if !again {
            return Err((error, cause));
        }
    }
}

fn names(rule: &Value) -> impl Iterator<Item = &str> {
    rule["ErrorEquals"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn caught<'a>(state: &'a Value, error: &str) -> Option<&'a Value> {
    // As AWS has it: States.ALL does not catch States.DataLimitExceeded.
    let catches = |name: &str| name == error || (name == "States.ALL" && error != "States.DataLimitExceeded");
    state["Catch"].as_array().into_iter().flatten().find(|rule| names(rule).any(catches))
}

fn choose(state: &Value, data: &Value, context: &Value) -> String {
    for choice in state["Choices"].as_array().expect("choices") {
        if holds(choice, data, context) {
            return choice["Next"].as_str().expect("Next").to_owned();
        }
    }
    state["Default"].as_str().expect("a default: without one an execution fails").to_owned()
}

fn holds(rule: &Value, data: &Value, context: &Value) -> bool {
    if let Some(any) = rule["Or"].as_array() {
        // All are looked at, as none of their paths may be missing.
        return any.iter().map(|rule| holds(rule, data, context)).collect::<Vec<_>>().contains(&true);
    }
    let value = get(data, rule["Variable"].as_str().expect("a variable"), context);
    match rule
        .as_object()
        .expect("a rule")
        .iter()
        .find(|(key, _)| !matches!(key.as_str(), "Variable" | "Next"))
    {
        Some((key, expected)) => match key.as_str() {
            "StringEquals" => value.as_str().expect("a text") == expected.as_str().expect("a text"),
            "BooleanEquals" => value.as_bool().expect("a boolean") == expected.as_bool().expect("a boolean"),
            "NumericGreaterThan" => value.as_u64().expect("a number") > expected.as_u64().expect("a number"),
            other => panic!("the comparison {other}"),
        },
        None => panic!("a rule without comparison: {rule}"),
    }
}

fn template(template_value: &Value, data: &Value, context: &Value) -> Value {
    let Value::Object(fields) = template_value else { return template_value.clone() };
    let one = |(key, value): (&String, &Value)| match key.strip_suffix(".$") {
        Some(key) => (key.to_owned(), get(data, value.as_str().expect("a path"), context).clone()),
        None => (key.clone(), template(value, data, context)),
    };
    Value::Object(fields.iter().map(one).collect::<Map<_, _>>())
}

fn get<'a>(data: &'a Value, path: &str, context: &'a Value) -> &'a Value {
    let (root, rest) = match path.strip_prefix("$$") {
        Some(rest) => (context, rest),
        None => (data, path.strip_prefix('$').expect("a path")),
    };
    let mut value = root;
    for step in rest.replace('[', ".").replace(']', "").split('.').filter(|step| !step.is_empty()) {
        let found = match value {
            Value::Array(list) => step.parse::<usize>().ok().and_then(|at| list.get(at)),
            other => other.get(step),
        };
        value = found.unwrap_or_else(|| panic!("States.Runtime: {path} is not there (at {step})"));
    }
    value
}

fn put(mut data: Value, path: &Value, result: Value) -> Value {
    let Some(path) = path.as_str() else { return data };
    let steps: Vec<&str> =
        path.strip_prefix('$').expect("a path").split('.').filter(|step| !step.is_empty()).collect();
    if steps.is_empty() {
        return result;
    }
    let mut place = &mut data;
    for step in &steps[..steps.len() - 1] {
        place = place.get_mut(*step).unwrap_or_else(|| panic!("{path} has nowhere to go"));
    }
    place[steps[steps.len() - 1]] = result;
    data
}
