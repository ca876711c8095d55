//! The stages of a run, as a person reads them.

use statemachine::message::{StageReport, Status};
use statemachine::plan::Progress;

use super::page::duration;
use super::table;

/// The stages of a run, a line each.
pub fn stages<'a>(reports: impl Iterator<Item = &'a StageReport>) -> Vec<String> {
    let row = |report: &StageReport| {
        let worked = report.items.iter().filter(|item| item.started_ms.is_some());
        let from = worked.clone().filter_map(|item| item.started_ms).min();
        let to = worked.filter_map(|item| item.ended_ms).max();
        let took = from.zip(to).map(|(from, to)| duration(to.saturating_sub(from))).unwrap_or_default();
        let status = standing(report.status);
        let count = match report.items.len() {
            1 => "1 resource".to_owned(),
            count => format!("{count} resources"),
        };
        let parked = report.items.iter().filter(|item| item.progress == Progress::Parked).count();
        let parked = if parked > 0 { format!("{parked} waiting for you") } else { String::new() };
        vec![report.stage.to_string(), status.to_owned(), count, took, parked]
    };
    table(&reports.map(row).collect::<Vec<_>>())
}

/// How a stage stands, as a person says it.
pub(super) fn standing(status: Status) -> &'static str {
    match status {
        Status::Pending => "not started",
        Status::Looked => "looked at",
        Status::Ready => "ready",
        Status::NotReady => "at work",
        Status::Failed => "failed",
        Status::Stopped => "stopped",
    }
}
