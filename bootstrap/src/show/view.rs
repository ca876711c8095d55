//! What is known of a run at one moment.

use std::collections::BTreeMap;

use statemachine::Stage;
use statemachine::message::{PlanRecord, RunRecord, RunResult, StageReport};

/// All that the record says of a run so far.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct View {
    /// What was asked for.
    pub record: Option<RunRecord>,
    pub plan: Option<PlanRecord>,
    /// The stages' last reports.
    pub stages: BTreeMap<Stage, StageReport>,
    pub result: Option<RunResult>,
}
