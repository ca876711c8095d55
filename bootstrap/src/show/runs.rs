//! Runs and environments at a glance, as a person reads them.

use record::lock::Lock;
use statemachine::message::{RunRecord, RunResult, StageReport, Status, Trigger};
use statemachine::plan::Progress;

use super::history::asked;
use super::page::{duration, moment};
use super::{Page, result, table};

/// A run's first line: what, by whom, when.
pub fn record(record: &RunRecord) -> String {
    let run = &record.run;
    let who = run.caller.as_deref().map(|caller| format!(" by {caller}")).unwrap_or_default();
    format!(
        "{} of {}/{} ({}{who}), begun {}",
        run.operation.name(),
        run.app,
        run.environment,
        word(run.trigger),
        moment(&run.started_at)
    )
}

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
        vec![report.stage.clone(), status.to_owned(), count, took, parked]
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

/// A run as `runs` lists it; what its record does not have (yet) is absent.
pub type Listed = (String, Option<RunRecord>, Option<RunResult>);

/// The table of runs, the newest first as given. The release is the one that the services ran at the run's end.
pub fn runs(runs: &[Listed]) -> Vec<String> {
    let mut rows = vec![["RUN", "WHAT", "BY", "OUTCOME", "RELEASE", "TOOK"].map(str::to_owned).to_vec()];
    rows.extend(runs.iter().map(|(run, record, result)| {
        let what = record.as_ref().map(|record| record.run.operation.name().to_owned());
        let by = record.as_ref().map(|record| match record.run.trigger {
            Trigger::Cli => "cli".to_owned(),
            Trigger::ConfigUpload => "upload".to_owned(),
            Trigger::ImagePush => "push".to_owned(),
            Trigger::Schedule => "schedule".to_owned(),
        });
        let outcome = match (record, result) {
            (_, Some(result)) => word(result.outcome),
            (Some(record), None) if record.waits_for.is_some() => "waiting".to_owned(),
            (Some(_), None) => "running".to_owned(),
            (None, None) => "not begun".to_owned(),
        };
        let release = result.as_ref().and_then(|result| result.outputs.get("release").cloned());
        let took = result.as_ref().map(|result| duration(result.duration_ms));
        let row = [Some(run.clone()), what, by, Some(outcome), release, took];
        row.map(Option::unwrap_or_default).to_vec()
    }));
    table(&rows)
}

/// All that `status` shows.
#[derive(Debug)]
pub struct Glance<'a> {
    /// `app/env`
    pub stack: &'a str,
    /// The account's number.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
    /// The last run that was to change something.
    pub run: &'a str,
    /// That run's request.
    pub record: &'a RunRecord,
    /// And how it ended.
    pub result: Option<&'a RunResult>,
    /// The lock.
    pub lock: Option<&'a Lock>,
    /// The stages of that run.
    pub stages: &'a [StageReport],
}

/// The environment at a glance.
pub fn status(glance: &Glance<'_>, page: Page) -> Vec<String> {
    let mut lines = vec![format!("{}  in {} {}", glance.stack, glance.account, glance.region)];
    lines.extend(page.hang("Last run  ", &format!("{}: {}", glance.run, record(glance.record))));
    lines.extend(asked(glance.record).iter().flat_map(|told| page.hang("          ", told)));
    match glance.lock.and_then(|lock| lock.holder.as_ref()) {
        Some(holder) => lines.extend(page.hang(
            "Lock      ",
            &format!("held by run {} ({}) since {}", holder.run, holder.operation, moment(&holder.since)),
        )),
        None => lines.push("Lock      free".to_owned()),
    }
    let stages = stages(glance.stages.iter());
    if !stages.is_empty() {
        lines.push(String::new());
        lines.extend(stages);
    }
    lines.push(String::new());
    match glance.result {
        Some(ended) => lines.extend(result::result(ended, ended.duration_ms, page)),
        None => lines.push("It is still running: `stepstack attach` shows it.".to_owned()),
    }
    lines
}

/// The public name of a value: `config-upload`.
pub(crate) fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
