//! How a run ended, as a person reads it.

use owo_colors::Style;
use statemachine::message::{Failure, Outcome, RunResult};

use super::page::duration;
use super::{Page, table};

/// The lines that end a run. `took_ms` is the time of the whole command in milliseconds, which may have been
/// more than one run.
pub fn result(result: &RunResult, took_ms: u64, page: Page) -> Vec<String> {
    let (green, yellow, red) =
        (Style::new().green().bold(), Style::new().yellow().bold(), Style::new().red().bold());
    let (word, style) = match result.outcome {
        Outcome::Succeeded => ("Done", green),
        Outcome::Planned => ("Planned", Style::new().bold()),
        Outcome::NoChanges => ("No changes", green),
        Outcome::Noted => ("Noted", yellow),
        Outcome::Blocked => ("Blocked", red),
        Outcome::Refused => ("Refused", red),
        Outcome::Superseded => ("Superseded", yellow),
        Outcome::Stopped => ("Stopped", yellow),
        Outcome::Failed => ("Failed", red),
    };
    let mut lines = vec![format!("{} after {}.", page.paint(word, style), duration(took_ms))];
    match &result.failure {
        Some(failure) => lines.extend(failed(failure, result, page)),
        None if result.sweep.is_some() => {}
        None => lines.extend(page.fit(&result.message, 2)),
    }
    if let Some(sweep) = &result.sweep {
        match sweep.left.len() {
            0 => lines.push("  0 left.".to_owned()),
            left => lines.push(format!("  {left} left:")),
        }
        lines.extend(sweep.left.iter().flat_map(|left| page.hang("    - ", left)));
        if !sweep.kept.is_empty() {
            lines.push("  Kept on purpose:".to_owned());
            lines.extend(sweep.kept.iter().flat_map(|kept| page.hang("    = ", kept)));
        }
    }
    lines.extend(waiting(result, page));
    let ended_well = result.outcome.is_reached() && result.sweep.is_none();
    if ended_well && !result.outputs.is_empty() {
        lines.push(String::new());
        lines.extend(outputs(result));
    }
    lines
}

fn failed(failure: &Failure, result: &RunResult, page: Page) -> Vec<String> {
    // The run's own words: what failed, and what became of it.
    let mut lines = page.fit(&result.message, 2);
    let next = match &result.diagnosis {
        Some(diagnosis) => {
            lines.extend(page.hang("  Cause: ", &diagnosis.cause));
            // Words of AWS and lines of logs are evidence as they are: not broken, not cut.
            let said = diagnosis.evidence.iter().filter(|evidence| **evidence != failure.message);
            lines.extend(said.flat_map(|said| said.lines()).map(|line| format!("    {line}")));
            &diagnosis.next
        }
        None => &failure.next,
    };
    lines.extend(page.hang("  Next: ", next));
    lines
}

/// What only the user can bring about, numbered.
pub(crate) fn waiting(result: &RunResult, page: Page) -> Vec<String> {
    if result.waiting.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["Waiting for you:".to_owned()];
    for (number, waiting) in result.waiting.iter().enumerate() {
        let head = format!("  {}. ", number + 1);
        lines.extend(page.hang(&head, &waiting.what));
        lines.extend(page.fit(&waiting.next, head.len()));
    }
    lines
}

/// The outputs, aligned, most wanted first. What is of several is one below the other.
fn outputs(result: &RunResult) -> Vec<String> {
    let known = [
        ("url", "URL"),
        ("name_servers", "Name servers"),
        ("repository", "Repository"),
        ("release", "Release"),
        ("database_endpoint", "Database"),
        ("uploads_bucket", "Uploads"),
        ("load_balancer", "Load balancer"),
        ("state_machine", "This run"),
    ];
    let row = |(key, title): (&str, &str)| {
        let value = result.outputs.get(key)?;
        let value = if key == "name_servers" { value.replace(',', "\n") } else { value.clone() };
        Some(vec![title.to_owned(), value])
    };
    table(&known.into_iter().filter_map(row).collect::<Vec<_>>())
}
