//! A failed deploy, rollback, restart or rotation puts back what was there before it: the same stages are
//! made once more, with the earlier intent.

use std::collections::BTreeMap;

use statemachine::message::{
    Document, Failure, Mode, Next, Operation, PuttingBack, Release, RunResult, Slot, StageReport,
    TakesEffect, Verdict, Wanted,
};
use statemachine::plan::Progress;
use statemachine::{Result, Stage};

use crate::Control;

/// Whether what an operation asks for becomes the intent only once the services run it. Of every other, the next run
/// goes on with it.
pub(crate) fn counts_when_done(operation: Operation) -> bool {
    operation.facts().takes_effect == TakesEffect::Done
}

/// Whether a failed run has moved anything that an earlier release can be put back over.
pub(crate) fn can_put_back(document: &Document) -> bool {
    let made = |stage: &Stage| matches!(document.stages[*stage].mode, Some(Mode::Make | Mode::Remove));
    document.run.operation.facts().is_put_back
        && earlier(document).is_some()
        && document.run.operation.stages().iter().any(made)
}

/// What the services ran before.
fn earlier(document: &Document) -> Option<&Release> {
    document.before.as_deref().unwrap_or(&document.intent).release.as_ref()
}

impl Control {
    /// Sends the run back to make its stages with the intent that was there before it.
    pub(crate) async fn put_back(&self, mut document: Document, why: PuttingBack) -> Result<Document> {
        let run = document.run.clone();
        if let Some(before) = document.before.take() {
            document.intent = *before;
            if !counts_when_done(run.operation) {
                self.bucket.record(&run.environment).intent().put(&document.intent).await?;
            }
        }
        document.image = document.intent.release.clone().map(Wanted::Released);
        for stage in Stage::ALL {
            let slot = &mut document.stages[stage];
            if run.operation.stages().contains(&stage) {
                *slot = again(slot);
            } else {
                slot.make = false;
            }
        }
        document.caught = None;
        document.undiagnosed = None;
        document.putting_back = Some(Box::new(why));
        // The failed stage told the others to stop; what is put back goes on.
        let lock = self.bucket.record(&run.environment).lock();
        document.run.lock_etag = lock.resume(&run.execution).await?;
        document.verdict = Verdict {
            next: Next::Make,
            retry_after_s: 0,
            message: "Putting back what ran before.".to_owned(),
        };
        Ok(document)
    }
}

/// A stage's slot before it makes once more. What it has made is still known, what it has changed may change
/// again.
fn again(slot: &Slot) -> Slot {
    Slot {
        outputs: slot.outputs.clone(),
        made: slot.made.clone(),
        make: true,
        to_do: slot.to_do,
        ..Slot::default()
    }
}

/// How a run ends that put back what was there: the first failure, and what runs now.
pub(crate) fn result_of(
    put_back: PuttingBack,
    mut result: RunResult,
    failure: Option<Failure>,
    stopped: Option<String>,
    reports: &BTreeMap<Stage, StageReport>,
) -> RunResult {
    let PuttingBack { failure: first, diagnosis } = put_back;
    result.fail(first, diagnosis);
    let services = reports.get(&Stage::Services);
    let open = services
        .iter()
        .flat_map(|report| &report.items)
        .any(|item| item.name.as_str().starts_with("service/") && item.progress != Progress::Done);
    let after = match (failure, stopped) {
        (Some(second), _) => format!(
            "Putting back what ran before failed too: {} {}: {}",
            second.stage, second.name, second.message
        ),
        (None, Some(why)) => format!("Putting back what ran before was stopped: {why}."),
        (None, None) if open => "What ran before is asked for again, and not all of it runs yet.".to_owned(),
        (None, None) => {
            let now = services.and_then(|report| {
                report.names.attribute(&statemachine::resource::Name::from_tag("image/current"), "digest")
            });
            format!("Every service runs what it ran before: {}.", now.unwrap_or("the earlier image"))
        }
    };
    result.message = format!("{} {after}", ended(&result.message));
    result
}

/// A sentence with its full stop.
fn ended(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}
