//! What a stage's report keeps of the one before it. Pure.

use statemachine::message::StageReport;
use statemachine::plan::{Item, Progress};
use statemachine::tick::now_ms;

/// A resource that an earlier tick worked on, and that is now as described, keeps what was done and when.
pub(crate) fn merge(report: &mut StageReport, earlier: StageReport, since_ms: u64) {
    for old in earlier.items {
        let worked = old.started_ms.is_some();
        match report.items.iter_mut().find(|item| item.name == old.name) {
            Some(item) if worked => take_over(item, old),
            None if worked && old.action.is_change() => {
                // A delete that was asked for, and is not listed any more, is done.
                let ended = old.ended_ms.or(Some(report.at_ms.max(since_ms)));
                report.items.push(Item { progress: Progress::Done, ended_ms: ended, ..old });
            }
            Some(_) | None => {}
        }
    }
}

fn take_over(item: &mut Item, old: Item) {
    item.started_ms = old.started_ms.or(item.started_ms);
    if item.progress == Progress::Done {
        item.ended_ms = item.ended_ms.or(old.ended_ms).or_else(|| Some(now_ms()));
    }
    if !item.action.is_change() {
        item.action = old.action;
        item.changes = old.changes;
        item.to = old.to;
    }
}
