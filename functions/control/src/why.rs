//! Why a resource is to be changed: told from the configuration and from what the last good run asked for.

use record::Asked;
use statemachine::message::{By, Document};
use statemachine::plan::{Action, Plan, Why};
use statemachine::resource::Name;

/// Fills in the reasons of a plan's updates. `asked` is what the last good run described, `same_file` says
/// whether the configuration is the one of that run.
pub fn explain(plan: &mut Plan, asked: &Asked, same_file: bool, document: &Document) {
    let run = &document.run;
    let same_engine = document.intent.engine.as_deref() == Some(env!("CARGO_PKG_VERSION"));
    for stage in &mut plan.stages {
        let asked = asked.get(&stage.stage);
        let stage_operates = run.operation.is_overlay() && run.operation.stages().contains(&stage.stage);
        for item in stage.items.iter_mut().filter(|item| matches!(item.action, Action::Update | Action::Wait))
        {
            let before = asked.and_then(|asked| asked.get(item.name.as_str()));
            for change in &mut item.changes {
                let before = before.map(|before| field(before, &change.field));
                let asked_before = before == Some(&change.to);
                // What a rotation or a restore moves is named the same before and after it.
                let follows = run.operation.facts().moves.contains(&change.field.as_str());
                change.why = match laid_by(document, &item.name, &change.field) {
                    _ if stage_operates && (!asked_before || follows) => {
                        Some(Why::Operation(format!("{} {}", run.operation.name(), run.id)))
                    }
                    _ if asked_before => Some(Why::ChangedOutside),
                    Some(by) => Some(Why::Operation(format!("{} {}", by.operation.name(), by.run))),
                    None if before.is_none() => None,
                    // With the same file and the same engine, it follows from something that is gone or changed.
                    None if same_file && same_engine => Some(Why::ChangedOutside),
                    None if same_file => Some(Why::NewDefault),
                    None => Some(Why::FileChanged),
                };
            }
        }
    }
}

/// The operation that a field's wanted value comes from, where it is not the file.
fn laid_by<'a>(document: &'a Document, name: &Name, field: &str) -> Option<&'a By> {
    let intent = &document.intent;
    let (kind, thing) = name.base().split_once('/')?;
    match (kind, field) {
        ("service", "desired_count") => {
            intent.paused.as_ref().or_else(|| intent.counts.get(thing).map(|count| &count.by))
        }
        ("service", "task_definition") => {
            intent.restarts.get(thing).or_else(|| intent.environment.as_ref().map(|laid| &laid.by))
        }
        ("db-cluster", _) => {
            let database = &intent.database;
            intent.paused.as_ref().or(database.rotation.as_ref()).or(database.restored.as_ref())
        }
        _ => None,
    }
}

/// The value at a path such as `serverless.min_acu`; null where there is none. Keys with dots in them are
/// found too: the longest key that fits goes first.
fn field<'a>(value: &'a serde_json::Value, path: &str) -> &'a serde_json::Value {
    const NULL: &serde_json::Value = &serde_json::Value::Null;
    if path.is_empty() {
        return value;
    }
    if let Some(found) = value.get(path) {
        return found;
    }
    let cuts = path.char_indices().filter(|(_, c)| *c == '.').map(|(at, _)| at).collect::<Vec<_>>();
    cuts.into_iter()
        .rev()
        .find_map(|at| value.get(&path[..at]).map(|inner| field(inner, &path[at + 1..])))
        .unwrap_or(NULL)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use statemachine::message::Operation;
    use statemachine::plan::{Change, Item, StagePlan};

    use super::*;

    fn why_by(engine: Option<&str>, asked: &serde_json::Value, same_file: bool) -> Option<Why> {
        let change =
            Change { field: "scaling.min_acu".to_owned(), from: json!(1.0), to: json!(0.5), why: None };
        let name = Name::new("db-cluster", "main");
        let item = Item { changes: vec![change], ..Item::new(name, Action::Update) };
        let mut document = crate::testing::document(Operation::Apply);
        document.intent.engine = engine.map(str::to_owned);
        let mut plan = Plan {
            stages: vec![StagePlan {
                stage: statemachine::Stage::Database,
                items: vec![item],
                names: statemachine::resource::Names::default(),
            }],
        };
        let asked: Asked =
            serde_json::from_value(json!({ "database": asked })).expect("the shape of what was asked");
        explain(&mut plan, &asked, same_file, &document);
        plan.stages[0].items[0].changes[0].why.clone()
    }

    fn why(asked: &serde_json::Value, same_file: bool) -> Option<Why> {
        why_by(Some("0.0.1"), asked, same_file)
    }

    #[test]
    fn a_change_says_where_it_comes_from() {
        let asked = |acu: f64| json!({ "db-cluster/main": { "scaling": { "min_acu": acu } } });
        assert_eq!(why(&asked(0.5), true), Some(Why::ChangedOutside));
        assert_eq!(why(&asked(0.5), false), Some(Why::ChangedOutside));
        assert_eq!(why(&asked(1.0), false), Some(Why::FileChanged));
        assert_eq!(why(&asked(1.0), true), Some(Why::NewDefault));
        assert_eq!(why(&json!({}), true), None);
        let this = Some(env!("CARGO_PKG_VERSION"));
        assert_eq!(why_by(this, &asked(1.0), true), Some(Why::ChangedOutside));
        assert_eq!(why_by(this, &asked(1.0), false), Some(Why::FileChanged));
    }
}
