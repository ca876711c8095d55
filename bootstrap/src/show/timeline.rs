//! A run afterwards: when each stage was at work.

use statemachine::message::{RunRecord, StageReport};

use super::Page;
use super::page::duration;
use super::stages::standing;

/// Characters of a timeline's bars, at most and at least.
const BAR: (usize, usize) = (40, 10);

/// The stages of a run, a line each: from when to when after its begin it worked on something, and a bar.
pub fn timeline<'a>(
    record: Option<&RunRecord>,
    reports: impl Iterator<Item = &'a StageReport>,
    page: Page,
) -> Vec<String> {
    let begun = record.and_then(|record| record.run.started_at.parse::<jiff::Timestamp>().ok());
    let begun = begun.and_then(|begun| u64::try_from(begun.as_millisecond()).ok()).unwrap_or(0);
    let since = |ms: u64| ms.saturating_sub(begun);
    let rows: Vec<(&StageReport, Option<(u64, u64)>)> = reports
        .map(|report| {
            let from = report.items.iter().filter_map(|item| item.started_ms).min();
            let ends = report.items.iter().filter(|item| item.started_ms.is_some());
            // What has no end is at work as of the report.
            let to = ends.map(|item| item.ended_ms.unwrap_or(report.at_ms)).max();
            (report, from.zip(to).map(|(from, to)| (since(from), since(to.max(from)))))
        })
        .collect();
    let last = rows.iter().filter_map(|(_, worked)| worked.map(|(_, to)| to)).max().unwrap_or(0).max(1);
    let head = 51;
    let bar = page.width.saturating_sub(head).clamp(BAR.1, BAR.0);
    let at =
        |ms: u64| usize::try_from(u128::from(ms) * bar as u128 / u128::from(last)).unwrap_or(bar).min(bar);
    let line = |(report, worked): &(&StageReport, Option<(u64, u64)>)| {
        let (name, how) = (&report.stage, standing(report.status));
        match worked {
            None => format!("{name:<12} {how:<11}"),
            Some((from, to)) => {
                let (start, end) = (at(*from).min(bar - 1), at(*to));
                let drawn = "█".repeat(end.saturating_sub(start).max(1));
                let (from, to) = (duration(*from), duration(*to));
                format!("{name:<12} {how:<11} {from:>10} to {to:>10}  {:start$}{drawn}", "")
            }
        }
    };
    rows.iter().map(|row| line(row).trim_end().to_owned()).collect()
}
