//! An environment at a glance, as a person reads it.

use record::lock::Lock;
use statemachine::message::{RunRecord, RunResult, StageReport};

use super::Page;
use super::page::moment;
use super::request::{parameters, record};
use super::result::result;
use super::stages::stages;

/// All that `status` shows.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Glance<'a> {
    /// `app/env`
    pub stack: &'a str,
    /// The account's number.
    pub account: &'a str,
    pub region: &'a str,
    /// The last run that was to change something.
    pub run: &'a str,
    /// That run's request.
    pub record: &'a RunRecord,
    /// And how it ended.
    pub result: Option<&'a RunResult>,
    pub lock: Option<&'a Lock>,
    /// The stages of that run.
    pub stages: &'a [StageReport],
}

/// The environment at a glance.
pub fn status(glance: &Glance<'_>, page: Page) -> Vec<String> {
    let mut lines = vec![format!("{}  in {} {}", glance.stack, glance.account, glance.region)];
    lines.extend(page.hang("Last run  ", &format!("{}: {}", glance.run, record(glance.record))));
    lines.extend(parameters(glance.record).iter().flat_map(|told| page.hang("          ", told)));
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
        Some(ended) => lines.extend(result(ended, ended.duration_ms, page)),
        None => lines.push("It is still running: `stepstack attach` shows it.".to_owned()),
    }
    lines
}
