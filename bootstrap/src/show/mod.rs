//! Everything that a person reads. No other module prints.

pub mod plan;
mod progress;
mod result;
mod table;

use std::io::{IsTerminal as _, Write as _};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, miette};
use owo_colors::{OwoColorize as _, Style};
use statemachine::config::Errors;

pub(crate) use progress::{Live, Progress, progress};
pub(crate) use result::{record as show_record, result as show_result, stages as show_stages};
pub(crate) use table::table;

/// How wide lines may be.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)).clamp(40, 160)
}

/// Whether to use colours on this stream.
pub(crate) fn colours(is_terminal: bool) -> bool {
    is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A text in a style, where colours are on.
pub(crate) fn paint(text: &str, style: Style, on: bool) -> String {
    if on { text.style(style).to_string() } else { text.to_owned() }
}

/// One line on standard output.
pub(crate) fn line(text: &str) {
    // A closed pipe is the reader's business.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Lines on standard output.
pub(crate) fn lines(lines: &[String]) {
    for text in lines {
        line(text);
    }
}

/// One line on standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A JSON document on standard output.
pub(crate) fn json(value: &impl serde::Serialize) {
    line(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// An error, and what to do about it.
pub(crate) fn error(message: &str, help: Option<&str>) {
    let on = colours(std::io::stderr().is_terminal());
    note(&format!("{} {message}", paint("Error:", Style::new().red().bold(), on)));
    if let Some(help) = help {
        note(&format!("  {help}"));
    }
}

/// What is wrong with a configuration, each with its line.
pub(crate) fn problems(problems: &Errors) {
    let on = colours(std::io::stderr().is_terminal());
    let theme = if on { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(width());
    for problem in &problems.0 {
        let Some(snippet) = &problem.snippet else {
            error(&format!("{}: {}", problem.file, problem.message), problem.help.as_deref());
            continue;
        };
        // Only the offending line is shown: values elsewhere in the file may be secret.
        let blank = "\n".repeat(problem.line.unwrap_or(1).saturating_sub(1));
        let source = NamedSource::new(&problem.file, format!("{blank}{}", snippet.line));
        let label = LabeledSpan::new(None, blank.len() + snippet.mark_start, snippet.mark_length.max(1));
        let report = match &problem.help {
            Some(help) => miette!(labels = vec![label], help = help.clone(), "{}", problem.message),
            None => miette!(labels = vec![label], "{}", problem.message),
        };
        let report = report.with_source_code(source);
        let mut text = String::new();
        match handler.render_report(&mut text, report.as_ref()) {
            Ok(()) => note(text.trim_end()),
            Err(_) => note(&problem.to_string()),
        }
    }
    let count = problems.0.len();
    note(&format!(
        "{count} problem{} in the configuration; nothing was started.",
        if count == 1 { "" } else { "s" }
    ));
}

/// Asks a question with yes or no; `false` off a terminal.
pub(crate) fn confirm(question: &str) -> bool {
    is_asked() && dialoguer::Confirm::new().with_prompt(question).default(false).interact().unwrap_or(false)
}

/// Asks for a text to be typed.
pub(crate) fn typed(question: &str) -> String {
    dialoguer::Input::<String>::new()
        .with_prompt(question)
        .allow_empty(true)
        .interact_text()
        .unwrap_or_default()
}

/// Questions are asked only when somebody is there to answer.
pub(crate) fn is_asked() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// `0.4 s`, `1 m 05 s`.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} m {:02} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// Cut at a width, with an ellipsis.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}
