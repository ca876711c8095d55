//! What is left of an environment after a destroy, and what is kept on purpose.

use std::collections::BTreeMap;

use statemachine::Stage;
use statemachine::message::{StageReport, Sweep};
use statemachine::plan::{Action, Plan, StagePlan};

/// What the last looks of a destroy have found.
pub(crate) fn sweep(looks: &BTreeMap<Stage, StageReport>) -> Sweep {
    let plan = Plan { stages: looks.iter().map(plan_of).collect() };
    let left = plan
        .items()
        .filter(|(_, item)| matches!(item.action, Action::Delete | Action::Wait | Action::Refuse));
    let left = left.map(|(stage, item)| match &item.reason {
        Some(reason) => format!("{stage} {} ({reason})", item.name),
        None => format!("{stage} {}", item.name),
    });
    Sweep { left: left.collect(), kept: kept(&plan) }
}

/// What is kept on purpose.
pub(crate) fn kept(plan: &Plan) -> Vec<String> {
    plan.items()
        .filter(|(_, item)| item.action == Action::Kept)
        .map(|(_, item)| format!("{} ({})", item.name, item.reason.as_deref().unwrap_or("kept")))
        .collect()
}

/// A stage's part of the joined plan.
pub(crate) fn plan_of((stage, look): (&Stage, &StageReport)) -> StagePlan {
    StagePlan { stage: *stage, items: look.items.clone(), names: look.names.clone() }
}
