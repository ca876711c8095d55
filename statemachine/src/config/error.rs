//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::words::clean_lines;

/// Everything that is wrong with one configuration, in the file's order; never empty.
///
/// Displayed, it is plain text for the run record; the command line renders the same problems in colour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errors(pub Vec<Problem>);

impl std::error::Error for Errors {}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file's name, as the caller of `parse` gave it.
    pub file: String,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// From 1. Absent where the whole file is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// From 1, in characters. Absent where the whole file is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// Bytes of the file that are meant. Absent where the whole file is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Range<usize>>,
    /// The offending text, at most 80 characters; empty where it may hold a secret (an environment value).
    pub text: String,
    /// The offending line, fit to be shown. Absent where the whole file is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snippet: Option<Snippet>,
    /// What to do about it, in one sentence without a full stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// A line of the file as it may be shown: cut to a readable length, without control characters, and without
/// the values of environment variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snippet {
    /// The line, or the part of it around the mark.
    pub line: String,
    /// Where the mark begins in `line`, in characters from 0.
    pub mark_start: usize,
    /// How many characters are marked, at least 1.
    pub mark_length: usize,
}

impl Problem {
    /// A problem of the whole file: there is no line to show.
    pub(super) fn of_file(
        file_name: &str,
        message: impl AsRef<str>,
        help: impl Into<Option<String>>,
    ) -> Self {
        Self {
            file: file_name.to_owned(),
            // Values of the file stand in both, also with what TOML's escapes can put into them.
            message: clean_lines(message.as_ref()),
            line: None,
            column: None,
            span: None,
            text: String::new(),
            snippet: None,
            help: help.into().map(|help| clean_lines(&help)),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        if let (Some(line), Some(snippet)) = (self.line, &self.snippet) {
            let number = line.to_string();
            let margin = " ".repeat(number.len());
            let indent = " ".repeat(snippet.mark_start);
            let mark = "^".repeat(snippet.mark_length);
            write!(f, "\n{margin} |\n{number} | {}\n{margin} | {indent}{mark}", snippet.line)?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}
