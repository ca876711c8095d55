//! JSON as people lay it out: on one line what fits there.

use serde_json::{Value, json};

/// Longest line that an object or a list is put on.
const WIDTH: usize = 120;

/// A value as text, with `before` on its line already.
pub(super) fn laid_out(value: &Value, indent: usize, before: &str) -> String {
    let line = compact(value);
    if indent + before.len() + line.len() < WIDTH {
        return line;
    }
    let space = " ".repeat(indent + 2);
    let lines =
        |parts: Vec<String>| format!("\n{space}{}\n{}", parts.join(&format!(",\n{space}")), &space[2..]);
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| {
                let key = format!("{}: ", json!(key));
                let value = laid_out(value, indent + 2, &key);
                key + &value
            });
            format!("{{{}}}", lines(fields.collect()))
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| laid_out(item, indent + 2, ""));
            format!("[{}]", lines(items.collect()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => line,
    }
}

fn compact(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{}: {}", json!(key), compact(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(compact).collect::<Vec<_>>().join(", ")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}
