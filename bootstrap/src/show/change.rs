//! A changed field as a person reads it: whole, however long its values are.

use serde_json::Value;
use statemachine::plan::{Change, Why};

use super::Page;
use super::page::chop;

/// Where a change stands in the tree.
const INDENT: usize = 6;

/// One line where it fits, else a line each for what leaves and what comes.
pub(super) fn change(change: &Change, page: Page) -> Vec<String> {
    let why = match &change.why {
        Some(Why::FileChanged) => "  (the file changed)".to_owned(),
        Some(Why::ChangedOutside) => "  (changed outside Stepstack)".to_owned(),
        Some(Why::NewDefault) => "  (new default of this version)".to_owned(),
        Some(Why::Operation(operation)) => format!("  (by {operation})"),
        None => String::new(),
    };
    let field = &change.field;
    let line = format!("{:INDENT$}{field}: {} → {}{why}", "", text(&change.from), text(&change.to));
    if line.chars().count() <= page.width {
        return vec![line];
    }
    let mut lines = page.hang(&" ".repeat(INDENT), &format!("{field}{}:", why.replacen("  ", " ", 1)));
    let (from, to) = differing(&change.from, &change.to);
    let room = page.width.saturating_sub(INDENT + 4).max(20);
    for (mark, values) in [("-", from), ("+", to)] {
        for value in values {
            for (number, piece) in chop(&value, room).into_iter().enumerate() {
                let mark = if number == 0 { mark } else { " " };
                lines.push(format!("{:INDENT$}  {mark} {piece}", ""));
            }
        }
    }
    lines
}

/// Of two lists, only the entries that one of them lacks; else both values. Lists that differ in their order
/// alone are shown whole.
fn differing(from: &Value, to: &Value) -> (Vec<String>, Vec<String>) {
    if let (Value::Array(before), Value::Array(after)) = (from, to) {
        let only = |these: &[Value], those: &[Value]| -> Vec<String> {
            these.iter().filter(|one| !those.contains(one)).map(text).collect()
        };
        let (gone, come) = (only(before, after), only(after, before));
        if !gone.is_empty() || !come.is_empty() {
            return (gone, come);
        }
    }
    (vec![text(from)], vec![text(to)])
}

fn text(value: &Value) -> String {
    match value {
        // A value must not be able to break the tree's lines.
        Value::String(text) if text.chars().any(char::is_control) => value.to_string(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
