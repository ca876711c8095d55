//! Why a resource is to be changed: told from the configuration and from what the last good run described.

use statemachine::message::{By, Document};
use statemachine::naming::resource;
use statemachine::plan::{Action, Plan, Why};
use statemachine::resource::Name;

use crate::field;
use record::Described;

/// Fills in the reasons of a plan's updates. `described` is what the last good run described.
pub(crate) fn explain(plan: &mut Plan, described: &Described, document: &Document) {
    let run = &document.run;
    let same_file = document.intent.config == document.config;
    let same_engine = document.intent.engine.as_deref() == Some(env!("CARGO_PKG_VERSION"));
    for stage in &mut plan.stages {
        let described = described.get(&stage.stage);
        let stage_operates = run.operation.is_overlay() && run.operation.stages().contains(&stage.stage);
        for item in stage.items.iter_mut().filter(|item| matches!(item.action, Action::Update | Action::Wait))
        {
            let before = described.and_then(|described| described.get(item.name.as_str()));
            for change in &mut item.changes {
                let before = before.map(|before| field::get(before, &change.field));
                let described_before = before == Some(&change.to);
                // What a rotation or a restore moves is named the same before and after it.
                let follows = run.operation.facts().moves.contains(&change.field.as_str());
                change.why = match laid_by(document, &item.name, &change.field) {
                    _ if stage_operates && (!described_before || follows) => {
                        Some(Why::Operation(format!("{} {}", run.operation.name(), run.id)))
                    }
                    _ if described_before => Some(Why::ChangedOutside),
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
        (resource::kind::SERVICE, "desired_count") => {
            intent.paused.as_ref().or_else(|| intent.counts.get(thing).map(|count| &count.by))
        }
        (resource::kind::SERVICE, "task_definition") => {
            intent.restarts.get(thing).or_else(|| intent.environment.as_ref().map(|laid| &laid.by))
        }
        (resource::kind::DB_CLUSTER, _) => {
            let database = &intent.database;
            intent.paused.as_ref().or(database.rotation.as_ref()).or(database.restored.as_ref())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use statemachine::Stage;
    use statemachine::message::Operation;
    use statemachine::plan::{Change, Item, StagePlan};

    use super::*;

    /// The file of the run, beside the one that was accepted last.
    #[derive(Clone, Copy)]
    enum File {
        Same,
        Another,
    }

    fn why_by(engine: Option<&str>, described: &serde_json::Value, file: File) -> Option<Why> {
        let change =
            Change { field: "scaling.min_acu".to_owned(), from: json!(1.0), to: json!(0.5), why: None };
        let name = resource::db_cluster();
        let item = Item { changes: vec![change], ..Item::new(name, Action::Update) };
        let mut document = crate::fixture::document(Operation::Apply);
        document.intent.engine = engine.map(str::to_owned);
        match file {
            File::Same => {}
            File::Another => document.config = Some("another".to_owned()),
        }
        let mut plan = Plan {
            stages: vec![StagePlan {
                stage: Stage::Database,
                items: vec![item],
                names: statemachine::resource::Names::default(),
            }],
        };
        let described: Described =
            serde_json::from_value(json!({ "database": described })).expect("what was described");
        explain(&mut plan, &described, &document);
        plan.stages[0].items[0].changes[0].why.clone()
    }

    fn why(described: &serde_json::Value, file: File) -> Option<Why> {
        why_by(Some("0.0.1"), described, file)
    }

    #[test]
    fn a_change_says_where_it_comes_from() {
        let described = |acu: f64| json!({ "db-cluster/main": { "scaling": { "min_acu": acu } } });
        assert_eq!(why(&described(0.5), File::Same), Some(Why::ChangedOutside));
        assert_eq!(why(&described(0.5), File::Another), Some(Why::ChangedOutside));
        assert_eq!(why(&described(1.0), File::Another), Some(Why::FileChanged));
        assert_eq!(why(&described(1.0), File::Same), Some(Why::NewDefault));
        assert_eq!(why(&json!({}), File::Same), None);
        let this = Some(env!("CARGO_PKG_VERSION"));
        assert_eq!(why_by(this, &described(1.0), File::Same), Some(Why::ChangedOutside));
        assert_eq!(why_by(this, &described(1.0), File::Another), Some(Why::FileChanged));
    }
}
