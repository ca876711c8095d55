//! A plan as a person reads it.

use owo_colors::Style;
use serde_json::Value;
use statemachine::message::PlanRecord;
use statemachine::plan::{Action, Change, Item, Why};

use super::{cut, paint};

/// The whole plan, as lines of at most `width` characters.
pub fn plan(record: &PlanRecord, width: usize, colours: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut kept = Vec::new();
    for stage in &record.plan.stages {
        let shown: Vec<Vec<String>> = group(&stage.items)
            .into_iter()
            .filter_map(|row| {
                if let Row::One(item) = &row
                    && item.action == Action::Kept
                {
                    kept.push(format!(
                        "  = {} {}",
                        item.name,
                        item.reason.as_deref().unwrap_or("kept on purpose")
                    ));
                    return None;
                }
                Some(lines_of(&row, width, colours)).filter(|lines| !lines.is_empty())
            })
            .collect();
        if !shown.is_empty() {
            lines.push(paint(&stage.stage, Style::new().bold(), colours));
            lines.extend(shown.into_iter().flatten());
        }
    }
    if !kept.is_empty() {
        lines.push("kept on purpose".to_owned());
        lines.extend(kept.iter().map(|line| cut(line, width)));
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.push(counts(record));
    lines.extend(record.notes.iter().map(|note| cut(note, width)));
    lines
}

/// The last line: how many of each, and the plan's id.
pub fn counts(record: &PlanRecord) -> String {
    let counts = record.plan.counts();
    if counts.create + counts.update + counts.delete + counts.refuse == 0 {
        return format!("Nothing to do: {} resources are as the file says.", counts.keep);
    }
    let refused = if counts.refuse > 0 { format!(", {} refused", counts.refuse) } else { String::new() };
    format!(
        "{} to create, {} to change, {} to delete{refused}, {} unchanged. Plan {}.",
        counts.create, counts.update, counts.delete, counts.keep, record.id
    )
}

/// One line of the tree: a resource, or a pair that replaces one by the other.
enum Row<'a> {
    One(&'a Item),
    Replaced { new: &'a Item, old: &'a Item },
}

/// Pairs what is created with what is deleted in its place: both have one name but for its hash.
fn group(items: &[Item]) -> Vec<Row<'_>> {
    let partner = |item: &Item, action: Action| {
        items.iter().find(|other| {
            other.action == action && other.name.base() == item.name.base() && other.name.hash().is_some()
        })
    };
    let row = |item: &'_ Item| match item.action {
        Action::Create => Some(partner(item, Action::Delete).is_some()),
        Action::Delete if partner(item, Action::Create).is_some() => None,
        Action::Delete
        | Action::Keep
        | Action::Kept
        | Action::Refuse
        | Action::Remake
        | Action::Update
        | Action::Wait => Some(false),
    };
    items
        .iter()
        .filter_map(|item| match row(item) {
            Some(true) => partner(item, Action::Delete).map(|old| Row::Replaced { new: item, old }),
            Some(false) => Some(Row::One(item)),
            None => None,
        })
        .collect()
}

fn lines_of(row: &Row<'_>, width: usize, colours: bool) -> Vec<String> {
    let (green, yellow, red) = (Style::new().green(), Style::new().yellow(), Style::new().red());
    let head = |mark: &str, style: Style, text: String| {
        format!("  {} {}", paint(mark, style, colours), cut(&text, width.saturating_sub(6)))
    };
    match row {
        Row::Replaced { new, old } => {
            vec![head(
                "-/+",
                yellow,
                format!(
                    "{} (made anew as @{}, then @{} goes)",
                    new.name.base(),
                    new.name.hash().unwrap_or(""),
                    old.name.hash().unwrap_or("")
                ),
            )]
        }
        Row::One(item) => match item.action {
            Action::Create => vec![head("+", green, format!("{}{}", item.name, telling(item)))],
            Action::Update => {
                let mut lines = vec![head("~", yellow, item.name.to_string())];
                lines.extend(item.changes.iter().map(|change| change_line(change, width)));
                lines
            }
            Action::Remake => vec![head(
                "-/+",
                yellow,
                format!("{} ({})", item.name, item.reason.as_deref().unwrap_or("made again")),
            )],
            Action::Delete => vec![head("-", red, item.name.to_string())],
            Action::Refuse => {
                let mut lines = vec![head("!", red, item.name.to_string())];
                lines.extend(
                    wrap(item.reason.as_deref().unwrap_or("refused"), width.saturating_sub(6))
                        .into_iter()
                        .map(|line| format!("      {line}")),
                );
                lines
            }
            Action::Wait => vec![head(
                "…",
                yellow,
                format!("{} ({})", item.name, item.reason.as_deref().unwrap_or("AWS is at work on it")),
            )],
            Action::Keep | Action::Kept => Vec::new(),
        },
    }
}

/// The most telling of what a resource will be: its plain settings, but for those its name says already.
fn telling(item: &Item) -> String {
    let Some(Value::Object(fields)) = &item.to else { return String::new() };
    let what = item.name.what();
    let said = |value: &str| what.contains(value) || value.contains(what);
    let plain = fields.iter().filter_map(|(key, value)| match value {
        Value::String(text) if !text.is_empty() && !text.contains('/') && !said(text) => {
            Some(format!("{key} {text}"))
        }
        Value::Number(number) => Some(format!("{key} {number}")),
        Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) | Value::String(_) => None,
    });
    let plain: Vec<String> = plain.take(4).collect();
    if plain.is_empty() { String::new() } else { format!("  {}", plain.join(", ")) }
}

fn change_line(change: &Change, width: usize) -> String {
    let why = match &change.why {
        Some(Why::FileChanged) => "  (the file changed)".to_owned(),
        Some(Why::ChangedOutside) => "  (changed outside Stepstack)".to_owned(),
        Some(Why::NewDefault) => "  (new default of this version)".to_owned(),
        Some(Why::Operation(operation)) => format!("  (by {operation})"),
        None => String::new(),
    };
    let room = width.saturating_sub(12 + change.field.chars().count() + why.chars().count()) / 2;
    let value = |value: &Value| match value {
        Value::String(text) => cut(text, room.max(12)),
        Value::Null => "none".to_owned(),
        other => cut(&other.to_string(), room.max(12)),
    };
    format!("      {}: {} → {}{why}", change.field, value(&change.from), value(&change.to))
}

/// Breaks a text into lines at spaces; indented lines are left as they are.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        // What is to be copied stays in one piece.
        if paragraph.starts_with("  ") {
            lines.push(paragraph.to_owned());
            continue;
        }
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}
