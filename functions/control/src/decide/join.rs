//! The second step of a run, after every stage has looked: nothing to do, blocked, or go.

use std::collections::BTreeMap;

use jiff::Timestamp;
use statemachine::Stage;
use statemachine::config::monthly_price;
use statemachine::message::{
    Document, Next, Note, Operation, Outcome, PlanRecord, RunResult, StageReport, Stages, Status, Sweep,
};
use statemachine::permission::Scope;
use statemachine::plan::{Action, Item, Plan};

use super::{Course, Decided};
use crate::intent::accept;
use crate::lost::{deletes_the_database, makes_a_database, refuse_an_empty_database, without_database};
use crate::outputs::outputs;
use crate::release::is_unrecorded;
use crate::sweep::{kept, plan_of};
use crate::why::explain;
use record::Described;

/// How often a destroy looks again for what came back (a log group after a late write) before it says so.
const LOOKS: u32 = 4;

/// What is known after the stages have looked. What is `None` was not read yet: [`join`] says when it has to be.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Whom the engine serves.
    pub scope: Scope,
    /// The machine's document.
    pub document: Document,
    /// What the stages have found.
    pub looks: Option<BTreeMap<Stage, StageReport>>,
    /// What the last good run described.
    pub described: Option<Described>,
}

/// What has to be known before the looks can be decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// What the stages have found.
    Looks,
    /// What the last good run described.
    Described,
}

impl Looked {
    /// Of a document of which nothing more is read yet.
    pub fn new(scope: Scope, document: Document) -> Self {
        Self { scope, document, looks: None, described: None }
    }

    fn described(&self) -> Result<&Described, Unknown> {
        self.described.as_ref().ok_or(Unknown::Described)
    }
}

/// Decides what becomes of the run, now that its plan is known.
pub fn join(known: &Looked, now: Timestamp) -> Result<Decided, Unknown> {
    let mut document = known.document.clone();
    document.looks += 1;
    if document.stages.iter().any(|(_, slot)| slot.status != Status::Looked) {
        return Ok(Decided { course: Course::Diagnose, document });
    }
    let looks = known.looks.as_ref().ok_or(Unknown::Looks)?;
    let operation = document.run.operation;
    let mut plan = joined(looks, operation);
    let differs = plan.items().any(|(_, item)| !item.changes.is_empty());
    if !operation.removes_all() && (differs || makes_a_database(&plan)) {
        let described = known.described()?;
        explain(&mut plan, described, &document);
        refuse_an_empty_database(&mut plan, described, &document);
    }
    let counts = plan.counts();
    let is_busy = plan.items().any(|(_, item)| item.action == Action::Wait);
    let changes = counts.create + counts.update + counts.delete > 0 || is_busy;
    if document.looks > 1 && !operation.only_looks() {
        return Ok(Decided { course: sweep_again(&document, changes), document });
    }
    let record = PlanRecord { id: plan.id(), notes: notes(&document), plan };
    if document.looks == 1 {
        document.plan = Some(record.id.clone());
    }
    let end = |outcome, message: String| RunResult {
        plan: Some(record.id.clone()),
        outputs: outputs(&document, &known.scope),
        waiting: looks.values().flat_map(|look| look.waiting.clone()).collect(),
        ..RunResult::at(now, &document.run, outcome, message)
    };
    if operation.only_looks() {
        let result = end(Outcome::Planned, summary(&record.plan));
        return Ok(Decided { course: Course::Planned { plan: record, result }, document });
    }
    if counts.refuse > 0 {
        let refused = record.plan.items().filter(|(_, item)| item.action == Action::Refuse);
        let reasons: Vec<String> = refused.map(|(stage, item)| refusal(stage, item)).collect();
        let result = end(Outcome::Blocked, format!("Nothing was changed.\n{}", reasons.join("\n")));
        return Ok(Decided { course: Course::Blocked { plan: record, result }, document });
    }
    if let Some(asked) = document.run.plan.as_ref().filter(|asked| **asked != record.id) {
        let message = format!(
            "The plan is {} now and not {asked} any more: something changed since. Nothing was changed. Look at it with `stepstack plan`.",
            record.id
        );
        let result = end(Outcome::Blocked, message);
        // A plan that says nothing is not worth an object.
        let plan = changes.then_some(record);
        return Ok(Decided { course: Course::OtherPlan { plan, result }, document });
    }
    if !changes && is_unrecorded(&document) {
        return Ok(Decided { course: Course::Unrecorded, document });
    }
    if !changes && operation == Operation::Destroy {
        let mut result =
            end(Outcome::NoChanges, "Nothing to do: there is nothing of this environment.".to_owned());
        result.sweep = Some(Sweep { left: Vec::new(), kept: kept(&record.plan) });
        return Ok(Decided { course: Course::NothingThere(result), document });
    }
    if !changes {
        let message = if operation.is_overlay() {
            format!("Nothing to {}: it is so already.", operation.name())
        } else {
            "Nothing to do: AWS is as the file says.".to_owned()
        };
        let result = end(Outcome::NoChanges, message);
        let accepted = accept(&mut document);
        return Ok(Decided { course: Course::NoChanges { accepted, result }, document });
    }
    let described =
        if deletes_the_database(&record.plan) { without_database(known.described()?) } else { None };
    let accepted = accept(&mut document);
    made_by_run(&mut document.stages, operation);
    let next = if operation == Operation::Destroy { Next::Remove } else { Next::Make };
    let message = format!("{} {}", operation.name(), record.id);
    Ok(Decided { course: Course::Go { plan: record, accepted, described, next, message }, document })
}

/// A destroy has removed, and looked once more.
fn sweep_again(document: &Document, changes: bool) -> Course {
    if !changes {
        Course::AllGone
    } else if document.looks > LOOKS {
        Course::ComesBack
    } else {
        Course::SomethingLeft
    }
}

/// One plan of all stages. An operation concerns some stages only: what the others would change is shown as
/// drift by the next plan, and is none of its business.
fn joined(looks: &BTreeMap<Stage, StageReport>, operation: Operation) -> Plan {
    let stages = looks.iter().filter(|(stage, _)| operation.stages().contains(stage));
    Plan { stages: stages.map(plan_of).collect() }
}

/// What is worth saying with a plan: what is laid over the file, what the way out costs.
fn notes(document: &Document) -> Vec<String> {
    let Some(stack) = &document.stack else { return Vec::new() };
    let mut notes = document.intent.notes(stack);
    match document.run.operation.facts().note {
        Note::Nothing => {}
        Note::Says(what) => notes.push(what.to_owned()),
        Note::EgressCosts => notes.push(format!("Egress costs {}.", monthly_price(stack))),
    }
    notes
}

/// Why a resource is refused, and which. Most reasons name it by themselves.
fn refusal(stage: Stage, item: &Item) -> String {
    let (name, reason) = (item.name.to_string(), item.reason.as_deref().unwrap_or("refused"));
    if reason.contains(&name) { format!("{stage}: {reason}") } else { format!("{stage}: {name}: {reason}") }
}

/// Counts in words: `3 to create, 1 to change, nothing to delete`.
fn summary(plan: &Plan) -> String {
    let counts = plan.counts();
    format!(
        "{} to create, {} to change, {} to delete, {} refused, {} unchanged.",
        counts.create, counts.update, counts.delete, counts.refuse, counts.keep
    )
}

/// Which stages the run makes: those with something to do, and those whose earlier stages have something to
/// do, because their descriptions may follow. An operation makes the stages it concerns, and removes only
/// theirs.
fn made_by_run(stages: &mut Stages, operation: Operation) {
    for stage in Stage::ALL {
        let concerned = operation.stages().contains(&stage);
        let has = |stage: Stage| stages[stage].to_do > 0;
        stages[stage].make = concerned && (has(stage) || stage.after().iter().copied().any(has));
        if !concerned {
            stages[stage].left_over = 0;
        }
    }
}
