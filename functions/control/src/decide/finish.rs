//! The last step of a run that went beyond looking, and of every run that failed.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use statemachine::Stage;
use statemachine::message::{
    Caught, Diagnosis, Document, Failure, Operation, Outcome, PuttingBack, Run, RunResult, StageReport,
    Waiting,
};
use statemachine::naming::resource;
use statemachine::permission::Scope;

use super::{Course, Decided};
use crate::described::described_after;
use crate::intent::{counts_when_done, settled};
use crate::outputs::outputs;
use crate::put_back::{can_put_back, put_back, result_of};
use crate::release::note_release;
use crate::sweep::sweep;
use record::Described;

/// What is known at the end of a run. What is `None` was not read yet: [`finish`] says when it has to be.
#[derive(Clone, Debug)]
pub struct Worked {
    /// Whom the engine serves.
    pub scope: Scope,
    /// The machine's document.
    pub document: Document,
    /// The last report of each stage: of its making or removing, else of its look.
    pub reports: Option<BTreeMap<Stage, StageReport>>,
    /// What diagnose has found.
    pub diagnosis: Option<Option<Diagnosis>>,
    /// What the stages have found when they looked last.
    pub looks: Option<BTreeMap<Stage, StageReport>>,
    /// What the last good run described, or why that cannot be read.
    pub described: Option<Result<Described, Failure>>,
}

/// What has to be known before the end of a run can be decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The last report of each stage.
    Reports,
    /// What diagnose has found.
    Diagnosis,
    /// What the stages have found when they looked last.
    Looks,
    /// What the last good run described.
    Described,
}

impl Worked {
    /// Of a document of which nothing more is read yet.
    pub fn new(scope: Scope, document: Document) -> Self {
        Self { scope, document, reports: None, diagnosis: None, looks: None, described: None }
    }

    /// What the last good run described; of an environment without one, nothing.
    fn described(&self) -> Result<Result<Described, Failure>, Unknown> {
        let document = &self.document;
        if document.before.as_deref().unwrap_or(&document.intent).run.is_none() {
            return Ok(Ok(Described::default()));
        }
        self.described.clone().ok_or(Unknown::Described)
    }
}

/// Decides what became of a run.
///
/// A failed deploy, rollback, restart or rotation comes here twice: first it is sent back to put back what was there
/// before, then its failure is its result.
pub fn finish(known: &Worked, now: Timestamp) -> Result<Decided, Unknown> {
    let mut document = known.document.clone();
    let reports = known.reports.as_ref().ok_or(Unknown::Reports)?;
    let failure =
        reports.values().find_map(|report| report.failure.clone()).or_else(|| document.caught_failure());
    let stopped = reports.values().find_map(|report| report.stopped.clone());
    let mut result = result_so_far(known, reports, now);
    if let Some(why) = document.putting_back.take() {
        let result = result_of(*why, result, failure, stopped, reports);
        return Ok(Decided { course: Course::PutBackEnded(result), document });
    }
    if let Some(failure) = failure {
        let diagnosis = known.diagnosis.clone().ok_or(Unknown::Diagnosis)?;
        let caught = document.undiagnosed.as_ref();
        let diagnosis = diagnosis.or_else(|| Some(undiagnosed(caught?, &failure)));
        if can_put_back(&document) {
            let intent = put_back(&mut document, PuttingBack { failure, diagnosis });
            return Ok(Decided { course: Course::PutBack { intent: intent.map(Box::new) }, document });
        }
        result.fail(failure, diagnosis);
        return Ok(Decided { course: Course::Failed(result), document });
    }
    if let Some(why) = stopped {
        result.outcome = Outcome::Stopped;
        result.message =
            format!("The run stopped: {why}. What it made stays; the next run goes on from here.");
        return Ok(Decided { course: Course::Stopped(result), document });
    }
    let course = if document.run.operation == Operation::Destroy {
        destroyed(known.looks.as_ref().ok_or(Unknown::Looks)?, result)
    } else {
        done(known, reports, result, now)?
    };
    Ok(Decided { course, document })
}

/// What is true of a run however it ended.
fn result_so_far(known: &Worked, reports: &BTreeMap<Stage, StageReport>, now: Timestamp) -> RunResult {
    let document = &known.document;
    let mut waiting: Vec<Waiting> = Vec::new();
    for one in reports.values().flat_map(|report| &report.waiting) {
        if !waiting.contains(one) {
            waiting.push(one.clone());
        }
    }
    let exit_code = document.stages.services.outputs.attribute(&resource::run_task(), "exit_code");
    RunResult {
        plan: document.plan.clone(),
        outputs: outputs(document, &known.scope),
        waiting,
        exit_code: exit_code.and_then(|code| code.parse().ok()),
        ..RunResult::at(now, &document.run, Outcome::Succeeded, String::new())
    }
}

/// A destroy has succeeded where nothing is left.
fn destroyed(looks: &BTreeMap<Stage, StageReport>, mut result: RunResult) -> Course {
    let sweep = sweep(looks);
    result.message = format!("{} left.", sweep.left.len());
    if sweep.left.is_empty() {
        result.sweep = Some(sweep);
        return Course::Forget(result);
    }
    result.outcome = Outcome::Failed;
    result.message = format!("{} left: {}", sweep.left.len(), sweep.left.join(", "));
    result.sweep = Some(sweep);
    Course::Left(result)
}

/// What was asked for is what is there: the next run has to know what was described, the hosts and the release.
fn done(
    known: &Worked,
    reports: &BTreeMap<Stage, StageReport>,
    mut otherwise: RunResult,
    now: Timestamp,
) -> Result<Course, Unknown> {
    let document = &known.document;
    let run = &document.run;
    otherwise.message = match (otherwise.waiting.len(), outage_ms(run, reports)) {
        (0, Some(outage)) => format!(
            "The password is new. New connections of old tasks failed for {:.1} s.",
            Duration::from_millis(outage).as_secs_f64()
        ),
        (0, None) => "What was asked for is what is there.".to_owned(),
        _ => "Everything is made but what waits for you.".to_owned(),
    };
    let mut intent = settled(document);
    let release = note_release(&mut intent, document, now);
    let mut result = otherwise.clone();
    if let Some(release) = &intent.release {
        result.outputs.insert("release".to_owned(), release.number.to_string());
        result.outputs.insert("image".to_owned(), release.image.digest.clone());
    }
    let described = match known.described()? {
        Ok(before) => {
            let after = described_after(before.clone(), reports);
            (after != before).then_some(after)
        }
        // The rest is written all the same.
        Err(failure) => {
            result = otherwise.clone();
            result.fail(failure, None);
            None
        }
    };
    let is_written = intent != document.intent || counts_when_done(run.operation);
    Ok(Course::Done {
        release: release.map(Box::new),
        intent: is_written.then(|| Box::new(intent)),
        described,
        result,
        otherwise: Box::new(otherwise),
    })
}

/// For a rotation: milliseconds from the change of the password until the last task was replaced.
fn outage_ms(run: &Run, reports: &BTreeMap<Stage, StageReport>) -> Option<u64> {
    let items = |stage: Stage, kind: &'static str| {
        let items = reports.get(&stage).into_iter().flat_map(|report| &report.items);
        items.filter(move |item| item.name.kind() == kind)
    };
    let changed = items(Stage::Database, "db-cluster").filter_map(|item| item.started_ms).min()?;
    let replaced = items(Stage::Services, "service").filter_map(|item| item.ended_ms).max()?;
    (run.operation == Operation::Rotate).then(|| replaced.saturating_sub(changed))
}

/// Stands for a diagnosis where diagnose itself failed: what it could not do, its role's leave above all.
fn undiagnosed(caught: &Caught, failure: &Failure) -> Diagnosis {
    Diagnosis {
        cause: failure.message.clone(),
        evidence: vec![format!("Not diagnosed. {caught}")],
        next: failure.next.clone(),
    }
}
