//! What ends a command: a text for a person, and an exit code.

use serde::Serialize;
use statemachine::ErrorKind;
use statemachine::config::{Errors, Problem};

use crate::install::InstallError;
use crate::local::LocalError;
use crate::show::{self, Page};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Wrong usage or configuration.
    Usage,
    /// Changes are present (`plan --detailed-exitcode`).
    Changes,
    /// Refused or blocked: nothing was changed.
    Refused,
    /// The exit code of a command that was run in a task.
    Command(u8),
}

impl Code {
    /// The process's exit code.
    pub fn number(self) -> u8 {
        match self {
            Code::Done => 0,
            Code::Failed => 1,
            Code::Usage => 2,
            Code::Changes => 3,
            Code::Refused => 4,
            Code::Command(code) => code,
        }
    }
}

/// A command that could not do what was asked.
#[derive(Debug)]
pub struct CliError {
    /// How it ends.
    pub code: Code,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// What is wrong with the configuration, where that is it.
    pub problems: Option<Errors>,
    /// What the failed call of AWS means, where it was one.
    pub kind: Option<ErrorKind>,
}

/// A failure for programs: the one document that `--json` prints then.
#[derive(Debug, Serialize)]
pub struct ErrorDocument<'a> {
    /// What happened.
    pub error: ErrorBody<'a>,
}

/// What happened, for programs.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    /// What happened.
    pub message: &'a str,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<&'a str>,
    /// The process's exit code.
    pub exit_code: u8,
    /// What is wrong with the configuration, where that is it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problems: Option<&'a [Problem]>,
}

/// The outcome of a command's steps.
pub type Result<T, E = CliError> = std::result::Result<T, E>;

impl CliError {
    /// A failure.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: Code::Failed, message: message.into(), help: None, problems: None, kind: None }
    }

    /// Refused: nothing was changed.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { code: Code::Refused, ..Self::failed(message) }
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: Code::Usage, ..Self::failed(message) }
    }

    /// With what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With one sentence more about what to do.
    #[must_use]
    pub fn help_too(self, more: &str) -> Self {
        let help = self.help.as_ref().map_or_else(|| more.to_owned(), |help| format!("{help} {more}"));
        self.help(help)
    }

    /// Whether the same call may go through a moment later.
    pub fn is_passing(&self) -> bool {
        self.kind.is_some_and(ErrorKind::is_passing)
    }

    /// It for programs.
    pub fn document(&self) -> ErrorDocument<'_> {
        let problems = self.problems.as_ref().map(|problems| problems.0.as_slice());
        let (message, help) = (self.message.as_str(), self.help.as_deref());
        ErrorDocument { error: ErrorBody { message, help, exit_code: self.code.number(), problems } }
    }

    /// It as a person reads it.
    pub fn screen(&self, page: Page) -> Vec<String> {
        if let Some(problems) = &self.problems {
            return show::problems(problems, page);
        }
        let word = if self.code == Code::Refused { "Refused" } else { "Error" };
        show::failure(word, &self.message, self.help.as_deref(), page)
    }
}

impl From<Errors> for CliError {
    fn from(problems: Errors) -> Self {
        Self { problems: Some(problems.clone()), ..Self::usage(problems.to_string()) }
    }
}

/// AWS's codes for credentials that were good once.
const EXPIRED: [&str; 3] = ["ExpiredToken", "ExpiredTokenException", "RequestExpired"];
/// And for those that never were.
const WRONG: [&str; 4] =
    ["InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidAccessKeyId"];

impl From<statemachine::Error> for CliError {
    fn from(error: statemachine::Error) -> Self {
        let code = error.code.as_deref().unwrap_or_default();
        let (message, help) = if EXPIRED.contains(&code) {
            let help = "Sign in again (`aws sso login`), or take new keys.".to_owned();
            ("The AWS credentials have expired.".to_owned(), Some(help))
        } else if WRONG.contains(&code) {
            let help = "Sign in (`aws sso login`), set AWS_PROFILE, or correct the keys.".to_owned();
            (format!("AWS does not accept these credentials ({code})."), Some(help))
        } else if ["NoConnection", "Timeout"].contains(&code) {
            let help = "Check the network and the region, then run the command again.".to_owned();
            (format!("AWS cannot be reached: {}", sentence(error.message)), Some(help))
        } else {
            let needs = |action| format!("Your own credentials need {action} for this.");
            let help = error.action.filter(|_| error.kind == ErrorKind::Denied).map(needs);
            (sentence(error.message), help)
        };
        Self { help, kind: Some(error.kind), ..Self::failed(message) }
    }
}

impl From<LocalError> for CliError {
    fn from(error: LocalError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<InstallError> for CliError {
    fn from(error: InstallError) -> Self {
        match error {
            InstallError::Look(error) => error.into(),
            InstallError::Part { ref failure } => {
                let next = failure.next.clone();
                Self::failed(sentence(error.to_string())).help(next)
            }
            InstallError::NoCode(_) => Self::failed(error.to_string()),
            InstallError::Standing(_) => Self::refused(error.to_string()),
        }
    }
}

/// With its full stop: AWS's own words often have none.
fn sentence(mut text: String) -> String {
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}
