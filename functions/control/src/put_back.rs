//! A failed deploy, rollback, restart or rotation puts back what was there before it: the same stages are
//! made once more, with the earlier intent.

use std::collections::BTreeMap;

use statemachine::Stage;
use statemachine::message::{
    Document, Failure, Intent, Mode, PuttingBack, Release, RunResult, Slot, StageReport, Wanted,
};
use statemachine::naming::resource;
use statemachine::plan::Progress;

use crate::intent::counts_when_done;

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

/// Makes it the document of a run that makes its stages with the intent that was there before it. Answers that intent,
/// where the record holds another.
pub(crate) fn put_back(document: &mut Document, why: PuttingBack) -> Option<Intent> {
    let operation = document.run.operation;
    let before = document.before.take();
    let written = before.is_some() && !counts_when_done(operation);
    if let Some(before) = before {
        document.intent = *before;
    }
    document.image = document.intent.release.clone().map(Wanted::Released);
    for stage in Stage::ALL {
        let slot = &mut document.stages[stage];
        if operation.stages().contains(&stage) {
            *slot = again(slot);
        } else {
            slot.make = false;
        }
    }
    document.caught = None;
    document.undiagnosed = None;
    document.putting_back = Some(Box::new(why));
    written.then(|| document.intent.clone())
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
        .any(|item| item.name.kind() == resource::kind::SERVICE && item.progress != Progress::Done);
    let after = match (failure, stopped) {
        (Some(second), _) => format!(
            "Putting back what ran before failed too: {} {}: {}",
            second.stage, second.name, second.message
        ),
        (None, Some(why)) => format!("Putting back what ran before was stopped: {why}."),
        (None, None) if open => "What ran before is asked for again, and not all of it runs yet.".to_owned(),
        (None, None) => {
            let now =
                services.and_then(|report| report.names.attribute(&resource::current_image(), "digest"));
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
