//! A plan as a person reads it.

use owo_colors::Style;
use serde_json::Value;
use statemachine::message::PlanRecord;
use statemachine::plan::{Action, Item};

use super::Page;
use super::change::change;
use super::page::cut;

/// Where a resource's name begins.
const INDENT: usize = 4;

/// The whole plan: a tree by stage, the counts, and what is worth knowing beside it.
pub fn plan(record: &PlanRecord, page: Page) -> Vec<String> {
    let mut lines = Vec::new();
    let mut kept = Vec::new();
    for stage in &record.plan.stages {
        let (keeps, rows): (Vec<&Item>, Vec<&Item>) =
            stage.items.iter().partition(|item| item.action == Action::Kept);
        kept.extend(keeps);
        let shown: Vec<String> = group(&rows).iter().flat_map(|row| row.lines(page)).collect();
        if !shown.is_empty() {
            lines.push(page.paint(stage.stage.name(), Style::new().bold()));
            lines.extend(shown);
        }
    }
    if !kept.is_empty() {
        lines.push("kept on purpose".to_owned());
        let line = |item: &&Item| {
            let reason = item.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            page.hang("  = ", &format!("{}{reason}", item.name))
        };
        lines.extend(kept.iter().flat_map(line));
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.extend(page.fit(&counts(record), 0));
    lines.extend(record.notes.iter().flat_map(|note| page.fit(note, 0)));
    lines
}

/// How many of each, and the plan's id.
pub fn counts(record: &PlanRecord) -> String {
    let counts = record.plan.counts();
    let waiting = record.plan.items().filter(|(_, item)| item.action == Action::Wait).count();
    let keep = counts.keep - waiting;
    let resources =
        |count: usize| if count == 1 { "1 resource".to_owned() } else { format!("{count} resources") };
    let at_work = match waiting {
        0 => String::new(),
        _ => format!(" AWS is still at work on {}.", resources(waiting)),
    };
    if counts.create + counts.update + counts.delete + counts.refuse == 0 {
        return match (keep, waiting) {
            (0, 0) => "Nothing to do: nothing is there, and nothing is wanted.".to_owned(),
            (_, 1..) => format!("Nothing to do but to wait.{at_work}"),
            (1, _) => "Nothing to do: 1 resource is as the file says.".to_owned(),
            (_, _) => format!("Nothing to do: {keep} resources are as the file says."),
        };
    }
    let refused = if counts.refuse > 0 { format!(", {} refused", counts.refuse) } else { String::new() };
    format!(
        "{} to create, {} to change, {} to delete{refused}, {keep} unchanged.{at_work} Plan {}.",
        counts.create, counts.update, counts.delete, record.id
    )
}

/// One line of the tree: a resource, or a pair that replaces one by the other.
enum Row<'a> {
    One(&'a Item),
    Replaced { new: &'a Item, old: &'a Item },
}

/// Pairs what is created with what is deleted in its place: both have one name but for its hash.
fn group<'a>(items: &[&'a Item]) -> Vec<Row<'a>> {
    let partner = |item: &Item, action: Action| {
        items.iter().copied().find(|other| {
            other.action == action && other.name.base() == item.name.base() && other.name.hash().is_some()
        })
    };
    let row = |item: &'a Item| match item.action {
        Action::Create => Some(match partner(item, Action::Delete) {
            Some(old) => Row::Replaced { new: item, old },
            None => Row::One(item),
        }),
        Action::Delete if partner(item, Action::Create).is_some() => None,
        Action::Delete
        | Action::Keep
        | Action::Kept
        | Action::Refuse
        | Action::Remake
        | Action::Update
        | Action::Wait => Some(Row::One(item)),
    };
    items.iter().copied().filter_map(row).collect()
}

impl Row<'_> {
    fn lines(&self, page: Page) -> Vec<String> {
        let (green, yellow, red) = (Style::new().green(), Style::new().yellow(), Style::new().red());
        let head = |mark: &str, style: Style, text: &str| {
            let painted = page.paint(mark, style);
            let mut lines = page.hang(&format!("  {mark} "), text);
            if let Some(first) = lines.first_mut() {
                *first = first.replacen(mark, &painted, 1);
            }
            lines
        };
        let item = match self {
            Row::Replaced { new, old } => {
                let hash = |item: &Item| item.name.hash().unwrap_or_default().to_owned();
                let (base, come, goes) = (new.name.base(), hash(new), hash(old));
                return head("-/+", yellow, &format!("{base} (made anew as @{come}, then @{goes} goes)"));
            }
            Row::One(item) => item,
        };
        let name = item.name.as_str();
        let reason = |fallback: &str| item.reason.clone().unwrap_or_else(|| fallback.to_owned());
        match item.action {
            Action::Create => {
                let room = page.width.saturating_sub(INDENT + name.chars().count());
                head("+", green, &format!("{name}{}", telling(item, room)))
            }
            Action::Update => {
                let mut lines = head("~", yellow, name);
                lines.extend(item.changes.iter().flat_map(|one| change(one, page)));
                lines
            }
            Action::Remake => {
                head("-/+", yellow, &format!("{name} ({})", reason("failed, and is made again")))
            }
            Action::Delete => head("-", red, name),
            Action::Refuse => {
                let mut lines = head("!", red, name);
                lines.extend(page.fit(&reason("refused"), INDENT + 2));
                lines
            }
            Action::Wait => head("…", yellow, &format!("{name} ({})", reason("AWS is at work on it"))),
            Action::Keep | Action::Kept => Vec::new(),
        }
    }
}

/// The most telling of what a resource will be: its plain settings, but for those that its name says already.
/// As many as fit; what a text says of itself needs no key.
fn telling(item: &Item, room: usize) -> String {
    let Some(Value::Object(fields)) = &item.to else { return String::new() };
    let what = item.name.what();
    let said = |value: &str| what.contains(value) || value.contains(what);
    let plain = fields.iter().filter_map(|(key, value)| match value {
        Value::String(text) if key == "description" && !text.is_empty() => Some(text.clone()),
        Value::String(text) if !text.is_empty() && !text.contains('/') && !said(text) => {
            Some(format!("{key} {text}"))
        }
        Value::Number(number) => Some(format!("{key} {number}")),
        Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) | Value::String(_) => None,
    });
    let mut told = String::new();
    for one in plain.take(4) {
        let before = if told.is_empty() { "  " } else { ", " };
        let free = room.saturating_sub(told.chars().count() + before.len());
        if one.chars().count() <= free {
            told.push_str(before);
            told.push_str(&one);
        } else if told.is_empty() && free >= 20 {
            return format!("  {}", cut(&one, free));
        }
    }
    told
}
