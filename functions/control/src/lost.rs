//! A database that somebody else has deleted is not made anew by itself: it would be empty, and perhaps with nobody
//! looking.

use record::Asked;
use statemachine::message::Document;
use statemachine::plan::{Action, Item, Plan};
use statemachine::resource::{DataPolicy, Name};
use statemachine::{Result, Stage};

use crate::Control;

/// Whether a plan makes a cluster, so that it matters whether there was one.
pub(crate) fn makes_a_database(plan: &Plan) -> bool {
    plan.items().any(|(_, item)| item.action == Action::Create && item.name == cluster())
}

/// Refuses to make the cluster that the last good run left, unless the caller lets data go. A restore makes another,
/// of the next generation.
pub(crate) fn refuse_an_empty_database(plan: &mut Plan, asked: &Asked, document: &Document) {
    if document.run.options.data != DataPolicy::Refuse {
        return;
    }
    let asked = asked.get(&Stage::Database).and_then(|database| database.get(cluster().as_str()));
    let Some(known) = asked.and_then(|asked| asked.get("identifier")) else { return };
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

impl Control {
    /// A run that is about to delete the database expects it no longer, even where it is cut off afterwards.
    pub(crate) async fn expect_no_database(&self, document: &Document, plan: &Plan) -> Result<()> {
        let deletes = |(_, item): (Stage, &Item)| item.action == Action::Delete && item.name == cluster();
        if !plan.items().any(deletes) {
            return Ok(());
        }
        let object = self.bucket.record(&document.run.environment).asked();
        let Some(mut asked) = object.get().await? else { return Ok(()) };
        let database = asked.get_mut(&Stage::Database);
        if database.and_then(|database| database.remove(cluster().as_str())).is_some() {
            object.put(&asked).await?;
        }
        Ok(())
    }
}

fn cluster() -> Name {
    Name::new("db-cluster", "main")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use statemachine::message::Operation;
    use statemachine::plan::StagePlan;
    use statemachine::resource::Names;

    use super::*;

    fn action(known: &serde_json::Value, data: DataPolicy) -> Action {
        let to = Some(json!({ "identifier": "arive-production-1" }));
        let items = vec![Item { to, ..Item::new(cluster(), Action::Create) }];
        let stage = StagePlan { stage: Stage::Database, items, names: Names::default() };
        let mut plan = Plan { stages: vec![stage] };
        assert!(makes_a_database(&plan));
        let mut document = crate::testing::document(Operation::Apply);
        document.run.options.data = data;
        let asked: Asked = serde_json::from_value(json!({ "database": known })).expect("what was asked");
        refuse_an_empty_database(&mut plan, &asked, &document);
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
