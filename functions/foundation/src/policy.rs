//! Policy documents in the one form in which they are compared.

use serde_json::Value;

/// A policy document with lists of text sorted, and a list of one text as that text. AWS keeps the meaning of
/// a document and not its form: S3 and IAM both hand back `"Action": "x"` for `"Action": ["x"]`, and lists in
/// an order of their own. Lists of statements stay as they are.
pub fn normalized(document: Value) -> Value {
    match document {
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(key, value)| (key, normalized(value))).collect())
        }
        Value::Array(values) if values.iter().all(Value::is_string) => {
            let mut values = values;
            values.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            values.dedup();
            if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
        }
        Value::Array(values) => Value::Array(values.into_iter().map(normalized).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => document,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_form_of_a_document_does_not_matter_and_its_meaning_does() {
        let one = json!({ "Statement": [{ "Action": ["s3:GetObject"], "Resource": ["b", "a"] }] });
        let other = json!({ "Statement": [{ "Resource": ["a", "b"], "Action": "s3:GetObject" }] });
        assert_eq!(normalized(one.clone()), normalized(other));
        let more =
            json!({ "Statement": [{ "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["a", "b"] }] });
        assert_ne!(normalized(one), normalized(more));
    }

    #[test]
    fn a_single_statement_stays_a_list() {
        let document = json!({ "Statement": [{ "Effect": "Allow" }] });
        assert_eq!(normalized(document.clone()), document);
    }
}
