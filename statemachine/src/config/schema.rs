//! The JSON Schema of the file, for editors and for `shape`.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value, json};

use super::stack::Stack;

/// The JSON Schema (draft 7, which Taplo and VS Code read) of a configuration.
///
/// Generated from the types that a file is read into, so it cannot say anything else than they do.
pub fn schema() -> Value {
    SchemaSettings::draft07()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(RecursiveTransform(|schema: &mut Schema| {
            if let Some(object) = schema.as_object_mut() {
                remove_null(object);
                gather_alternatives(object);
                join_description(object);
                // `uint32` and the like say nothing that `minimum` and `maximum` do not.
                object.remove("format");
            }
        }))
        .into_generator()
        .into_root_schema_for::<Stack>()
        .to_value()
}

/// TOML has no null: an optional key is absent.
fn remove_null(object: &mut Map<String, Value>) {
    if let Some(types) = object.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    // A table's default only repeats those of its keys, and names the absent ones.
    if object.get("default").is_some_and(|default| default.is_null() || default.is_object()) {
        object.remove("default");
    }
    if let Some(alternatives) = object.get_mut("anyOf").and_then(Value::as_array_mut) {
        alternatives.retain(|alternative| alternative["type"] != "null");
        if let [Value::Object(only)] = alternatives.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
}

/// An enum whose variants are documented becomes a plain `enum`, with the documentation where Taplo shows it.
fn gather_alternatives(object: &mut Map<String, Value>) {
    let Some(alternatives) = object.get("oneOf").and_then(Value::as_array) else { return };
    let Some(values) = alternatives.iter().map(|one| one.get("const").cloned()).collect::<Option<Vec<_>>>()
    else {
        return;
    };
    let documentation: Vec<Value> = alternatives.iter().map(|one| one["description"].clone()).collect();
    object.remove("oneOf");
    object.insert("type".to_owned(), json!("string"));
    object.insert("enum".to_owned(), Value::Array(values));
    object.insert("x-taplo".to_owned(), json!({"docs": {"enumValues": documentation}}));
}

fn join_description(object: &mut Map<String, Value>) {
    if let Some(Value::String(description)) = object.get_mut("description") {
        *description = description.replace('\n', " ");
    }
}
