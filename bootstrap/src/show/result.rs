//! How a run ended, as a person reads it.

use std::io::IsTerminal as _;

use owo_colors::Style;
use statemachine::message::{Outcome, RunRecord, RunResult, StageReport};
use statemachine::plan::Progress;

use super::plan::wrap;
use super::{colours, duration, paint, table, width};

/// The lines that end a run.
pub(crate) fn result(result: &RunResult) -> Vec<String> {
    let on = colours(std::io::stdout().is_terminal());
    let took = duration(result.duration_ms);
    let mut lines = Vec::new();
    let (word, style) = match result.outcome {
        Outcome::Succeeded => ("Done", Style::new().green().bold()),
        Outcome::Planned => ("Planned", Style::new().bold()),
        Outcome::NoChanges => ("No changes", Style::new().green().bold()),
        Outcome::Noted => ("Noted", Style::new().yellow().bold()),
        Outcome::Blocked => ("Blocked", Style::new().red().bold()),
        Outcome::Refused => ("Refused", Style::new().red().bold()),
        Outcome::Superseded => ("Superseded", Style::new().yellow().bold()),
        Outcome::Stopped => ("Stopped", Style::new().yellow().bold()),
        Outcome::Failed => ("Failed", Style::new().red().bold()),
    };
    lines.push(format!("{} after {took}.", paint(word, style, on)));
    let body = |lines: &mut Vec<String>, text: &str| {
        lines.extend(wrap(text, width().saturating_sub(2)).into_iter().map(|line| format!("  {line}")));
    };
    match &result.failure {
        Some(failure) => {
            body(&mut lines, &format!("{} {}: {}", failure.stage, failure.name, failure.message));
            match &result.diagnosis {
                Some(diagnosis) => {
                    body(&mut lines, &format!("Cause: {}", diagnosis.cause));
                    for evidence in diagnosis.evidence.iter().filter(|evidence| **evidence != failure.message)
                    {
                        lines.push(format!("    {evidence}"));
                    }
                    body(&mut lines, &format!("Next: {}", diagnosis.next));
                }
                None => body(&mut lines, &format!("Next: {}", failure.next)),
            }
        }
        None if result.sweep.is_some() => {}
        None => body(&mut lines, &result.message),
    }
    if let Some(sweep) = &result.sweep {
        lines.push(format!("  {} left{}", sweep.left.len(), if sweep.left.is_empty() { "." } else { ":" }));
        lines.extend(sweep.left.iter().map(|left| format!("    {left}")));
        if !sweep.kept.is_empty() {
            lines.push("  Kept on purpose:".to_owned());
            lines.extend(sweep.kept.iter().map(|kept| format!("    {kept}")));
        }
    }
    if !result.waiting.is_empty() {
        lines.push("Waiting for you:".to_owned());
        for (number, waiting) in result.waiting.iter().enumerate() {
            lines.push(format!("  {}. {}", number + 1, waiting.what));
            lines.extend(
                wrap(&waiting.next, width().saturating_sub(5)).into_iter().map(|line| format!("     {line}")),
            );
        }
    }
    let ended_well =
        matches!(result.outcome, Outcome::Succeeded | Outcome::NoChanges) && result.sweep.is_none();
    if ended_well && !result.outputs.is_empty() {
        lines.push(String::new());
        lines.extend(outputs(result));
    }
    lines
}

/// The outputs, aligned, most wanted first.
pub(crate) fn outputs(result: &RunResult) -> Vec<String> {
    let known = [
        ("url", "URL"),
        ("name_servers", "Name servers"),
        ("repository", "Repository"),
        ("database_endpoint", "Database"),
        ("uploads_bucket", "Uploads"),
        ("load_balancer", "Load balancer"),
        ("state_machine", "This run"),
    ];
    let row = |(key, title): (&str, &str)| Some(vec![title.to_owned(), result.outputs.get(key)?.clone()]);
    table(&known.into_iter().filter_map(row).collect::<Vec<_>>())
}

/// A run's first line: what, by whom, when.
pub(crate) fn record(record: &RunRecord) -> String {
    let run = &record.run;
    let who = run.caller.as_deref().map(|caller| format!(" by {caller}")).unwrap_or_default();
    let text = |value: serde_json::Result<serde_json::Value>| {
        value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let operation = text(serde_json::to_value(run.operation));
    let trigger = text(serde_json::to_value(run.trigger));
    format!("{} of {}/{} ({trigger}{who}), begun {}", operation, run.app, run.environment, run.started_at)
}

/// The stages of a run, a line each.
pub(crate) fn stages<'a>(reports: impl Iterator<Item = &'a StageReport>) -> Vec<String> {
    let row = |report: &StageReport| {
        let worked = report.items.iter().filter(|item| item.started_ms.is_some());
        let from = worked.clone().filter_map(|item| item.started_ms).min();
        let to = worked.filter_map(|item| item.ended_ms).max();
        let took = from.zip(to).map(|(from, to)| duration(to.saturating_sub(from))).unwrap_or_default();
        let status = serde_json::to_value(report.status)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default();
        let parked = report.items.iter().filter(|item| item.progress == Progress::Parked).count();
        let parked = if parked > 0 { format!("{parked} waiting for you") } else { String::new() };
        vec![report.stage.clone(), status, format!("{} resources", report.items.len()), took, parked]
    };
    table(&reports.map(row).collect::<Vec<_>>())
}
