//! A database that somebody else has deleted is not made anew by itself: it would be empty, and perhaps with nobody
//! looking.

use statemachine::Stage;
use statemachine::message::Document;
use statemachine::naming::resource;
use statemachine::plan::{Action, Plan};
use statemachine::resource::{DataPolicy, Name};

use record::Described;

/// Whether a plan makes a cluster, so that it matters whether there was one.
pub(crate) fn makes_a_database(plan: &Plan) -> bool {
    plan.items().any(|(_, item)| item.action == Action::Create && item.name == cluster())
}

/// Refuses to make the cluster that the last good run left, unless the caller lets data go. A restore makes another,
/// of the next generation.
pub(crate) fn refuse_an_empty_database(plan: &mut Plan, described: &Described, document: &Document) {
    if document.run.options.data != DataPolicy::Refuse {
        return;
    }
    let cluster_before =
        described.get(&Stage::Database).and_then(|database| database.get(cluster().as_str()));
    let Some(known) = cluster_before.and_then(|before| before.get("identifier")) else { return };
    let items = plan.stages.iter_mut().flat_map(|stage| &mut stage.items);
    for item in items.filter(|item| item.action == Action::Create && item.name == cluster()) {
        if item.to.as_ref().and_then(|to| to.get("identifier")) == Some(known) {
            let known = known.as_str().unwrap_or_default();
            item.action = Action::Refuse;
            item.reason = Some(format!(
                "The database {known} is gone, and no run of Stepstack deleted it. A new one would be empty. Restore a snapshot of it with `stepstack snapshot restore`, or begin with an empty one by `stepstack apply --delete-data`."
            ));
        }
    }
}

/// Whether a plan deletes the cluster.
pub(crate) fn deletes_the_database(plan: &Plan) -> bool {
    plan.items().any(|(_, item)| item.action == Action::Delete && item.name == cluster())
}

/// What is described without the cluster, where that is another thing: a run that is about to delete the database
/// expects it no longer, even where it is cut off afterwards.
pub(crate) fn without_database(described: &Described) -> Option<Described> {
    let mut without = described.clone();
    without.get_mut(&Stage::Database)?.remove(cluster().as_str())?;
    Some(without)
}

fn cluster() -> Name {
    resource::db_cluster()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use statemachine::message::Operation;
    use statemachine::plan::{Item, StagePlan};
    use statemachine::resource::Names;

    use super::*;

    fn action(known: &serde_json::Value, data: DataPolicy) -> Action {
        let to = Some(json!({ "identifier": "arive-production-1" }));
        let items = vec![Item { to, ..Item::new(cluster(), Action::Create) }];
        let stage = StagePlan { stage: Stage::Database, items, names: Names::default() };
        let mut plan = Plan { stages: vec![stage] };
        assert!(makes_a_database(&plan));
        let mut document = crate::fixture::document(Operation::Apply);
        document.run.options.data = data;
        let described: Described =
            serde_json::from_value(json!({ "database": known })).expect("what was described");
        refuse_an_empty_database(&mut plan, &described, &document);
        plan.stages[0].items[0].action
    }

    #[test]
    fn only_the_cluster_that_was_there_is_refused_and_only_without_consent() {
        let same = json!({ "db-cluster/main": { "identifier": "arive-production-1" } });
        let earlier = json!({ "db-cluster/main": { "identifier": "arive-production-0" } });
        assert_eq!(action(&same, DataPolicy::Refuse), Action::Refuse);
        assert_eq!(action(&same, DataPolicy::Delete), Action::Create);
        assert_eq!(action(&earlier, DataPolicy::Refuse), Action::Create);
        assert_eq!(action(&json!({}), DataPolicy::Refuse), Action::Create);
    }
}
