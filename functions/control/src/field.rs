//! The fields of a description by the paths that a plan shows: `scaling.min_acu`.

use serde_json::Value;

/// The value of a field; null where there is none.
pub(crate) fn get<'a>(description: &'a Value, field: &str) -> &'a Value {
    const NULL: &Value = &Value::Null;
    // A description that is no object differs as a whole, and its path is empty.
    if field.is_empty() {
        return description;
    }
    let (object, key) = place(description, field);
    description.pointer(&object).and_then(|object| object.get(key)).unwrap_or(NULL)
}

/// Sets the value of a field, there or not.
pub(crate) fn set(description: &mut Value, field: &str, to: Value) {
    let (object, key) = place(description, field);
    if let Some(object) = description.pointer_mut(&object).and_then(Value::as_object_mut) {
        object.insert(key.to_owned(), to);
    }
}

/// Where a field stands: the JSON Pointer of its object, and its key there. A path joins keys with dots, and a key may
/// have dots of its own (a tag), so that only the description tells them apart: the longest key that fits goes first.
fn place<'f>(description: &Value, field: &'f str) -> (String, &'f str) {
    let Some(object) = description.as_object().filter(|object| !object.contains_key(field)) else {
        return (String::new(), field);
    };
    let dots = field.rmatch_indices('.');
    let inner = dots
        .filter_map(|(dot, _)| Some((&field[..dot], &field[dot + 1..], object.get(&field[..dot])?)))
        .find(|(_, _, inner)| inner.is_object());
    match inner {
        Some((key, rest, inner)) => {
            let (pointer, last) = place(inner, rest);
            (format!("/{}{pointer}", key.replace('~', "~0").replace('/', "~1")), last)
        }
        None => (String::new(), field),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use statemachine::plan::changes;

    use super::*;

    /// Every difference that a plan can show is found by its path, and set by it.
    #[test]
    fn the_paths_of_a_plan_are_found_again_with_keys_that_have_dots_slashes_and_tildes() {
        let from = json!({
            "scaling": { "min_acu": 0.5, "max_acu": 4 }, "size": 1, "absent": null,
            "tags": { "a.b": "1", "a": "2", "kubernetes.io/role~x": "3", "deep.key": { "x.y": "4" } },
        });
        let to = json!({
            "scaling": { "min_acu": 1.0, "max_acu": 8 }, "size": 2, "absent": ["now"],
            "tags": { "a.b": "10", "a": "20", "kubernetes.io/role~x": "30", "deep.key": { "x.y": "40" }, "new.one": "5" },
        });
        let mut set_one_by_one = from.clone();
        let found = changes(&from, &to);
        assert_eq!(found.len(), 9, "{found:?}");
        for change in found {
            assert_eq!(get(&from, &change.field), &change.from, "{}", change.field);
            assert_eq!(get(&to, &change.field), &change.to, "{}", change.field);
            set(&mut set_one_by_one, &change.field, change.to);
        }
        assert_eq!(set_one_by_one, to);
    }

    #[test]
    fn what_is_not_there_is_null_and_a_value_that_is_no_object_takes_no_field() {
        let description = json!({ "scaling": { "min_acu": 0.5 }, "size": 1 });
        for field in ["scaling.step", "size.x", "other", "other.x"] {
            assert_eq!(get(&description, field), &Value::Null, "{field}");
        }
        assert_eq!(get(&description, ""), &description);
        let mut text = json!("text");
        set(&mut text, "field", json!(1));
        assert_eq!(text, json!("text"));
    }
}
