//! In which fields two descriptions differ, and why.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Path in the description: `serverless.min_acu`.
    pub field: String,
    /// What AWS has.
    pub from: Value,
    /// What is wanted.
    pub to: Value,
    /// Why it differs, filled in when the stages' plans are joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
}

impl Change {
    /// A stranger's becomes ours.
    pub(crate) fn adoption() -> Self {
        let (from, to) = (Value::from("somebody else's"), Value::from("this stack's"));
        Self { field: "owner".to_owned(), from, to, why: None }
    }
}

/// Why a resource is to be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The configuration asks for something new.
    FileChanged,
    /// The configuration is the same; somebody or something changed it in AWS.
    ChangedOutside,
    /// The configuration is the same; this version of Stepstack has another default.
    NewDefault,
    /// An operation lays it over the file: `deploy`, `scale`, with its run.
    Operation(String),
}

/// The fields in which two descriptions differ, in the order of the struct.
pub fn changes<T: Serialize>(from: &T, to: &T) -> Vec<Change> {
    let value = |description: &T| serde_json::to_value(description).expect("descriptions serialize");
    let mut changes = Vec::new();
    difference(String::new(), value(from), value(to), &mut changes);
    changes
}

fn difference(path: String, from: Value, to: Value, changes: &mut Vec<Change>) {
    match (from, to) {
        (Value::Object(mut from), Value::Object(to)) => {
            let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            for (key, to) in to {
                difference(join(&key), from.remove(&key).unwrap_or(Value::Null), to, changes);
            }
            for (key, from) in from {
                difference(join(&key), from, Value::Null, changes);
            }
        }
        (from, to) if from == to => {}
        (from, to) => changes.push(Change { field: path, from, to, why: None }),
    }
}
