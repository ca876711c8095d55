//! What is wrong with a configuration, each with its line.

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents, miette,
};
use statemachine::config::{Errors, Problem, Snippet};

use super::{Page, failure};

/// The screen that a bad configuration gets.
pub fn problems(problems: &Errors, page: Page) -> Vec<String> {
    let theme = if page.colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(page.width).with_context_lines(0);
    let mut lines: Vec<String> =
        problems.0.iter().flat_map(|problem| screen(problem, &handler, page)).collect();
    let count = problems.0.len();
    let s = if count == 1 { "" } else { "s" };
    lines.push(format!("{count} problem{s} in the configuration; nothing was started."));
    lines
}

fn screen(problem: &Problem, handler: &GraphicalReportHandler, page: Page) -> Vec<String> {
    let (Some(snippet), Some(line)) = (&problem.snippet, problem.line) else {
        let message = format!("{}: {}.", problem.file, problem.message);
        return failure("Error", &message, problem.help.as_deref(), page);
    };
    // The space at the end is there to be marked where something is missing.
    let code = Line { file: problem.file.clone(), number: line, text: format!("{} ", snippet.line) };
    let label = LabeledSpan::new_with_span(None, mark(snippet));
    let report = match &problem.help {
        Some(help) => miette!(labels = vec![label], help = help.clone(), "{}", problem.message),
        None => miette!(labels = vec![label], "{}", problem.message),
    };
    let mut text = String::new();
    match handler.render_report(&mut text, report.with_source_code(code).as_ref()) {
        Ok(()) => text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect(),
        Err(_) => problem.to_string().lines().map(str::to_owned).collect(),
    }
}

/// The mark in bytes, as miette wants it; a snippet has it in characters.
fn mark(snippet: &Snippet) -> SourceSpan {
    let bytes = |characters: usize| {
        snippet.line.char_indices().nth(characters).map_or(snippet.line.len(), |(offset, _)| offset)
    };
    let start = bytes(snippet.mark_start);
    let end = bytes(snippet.mark_start + snippet.mark_length);
    (start, (end - start).max(1)).into()
}

/// The one line of a file that may be shown: values elsewhere in it may be secret.
#[derive(Debug)]
struct Line {
    file: String,
    /// From 1.
    number: usize,
    text: String,
}

impl SourceCode for Line {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let column = self.text.get(..span.offset()).ok_or(MietteError::OutOfBounds)?.chars().count();
        let whole = SourceSpan::from((0, self.text.len()));
        Ok(Box::new(MietteSpanContents::new_named(
            self.file.clone(),
            self.text.as_bytes(),
            whole,
            self.number - 1,
            column,
            1,
        )))
    }
}
