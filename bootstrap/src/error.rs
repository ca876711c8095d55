//! What ends a command: a text for a person, and an exit code.

use statemachine::ErrorKind;
use statemachine::config::Errors;

use crate::install::InstallError;
use crate::local::LocalError;
use crate::show;

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
}

/// The outcome of a command's steps.
pub type Result<T, E = CliError> = std::result::Result<T, E>;

impl CliError {
    /// A failure.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: Code::Failed, message: message.into(), help: None, problems: None }
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

    /// Prints it.
    pub fn show(&self) {
        match &self.problems {
            Some(problems) => show::problems(problems),
            None => show::error(&self.message, self.help.as_deref()),
        }
    }
}

impl From<Errors> for CliError {
    fn from(problems: Errors) -> Self {
        Self { code: Code::Usage, message: problems.to_string(), help: None, problems: Some(problems) }
    }
}

impl From<statemachine::Error> for CliError {
    fn from(error: statemachine::Error) -> Self {
        let expired =
            ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"];
        let code = error.code.as_deref().unwrap_or_default();
        let help = match error.kind {
            ErrorKind::Denied if expired.contains(&code) => Some(
                "The credentials are expired or wrong: sign in again (`aws sso login`, or new keys)."
                    .to_owned(),
            ),
            ErrorKind::Denied => {
                error.action.map(|action| format!("Your own credentials need {action} for this."))
            }
            ErrorKind::Transient if code == "NoConnection" => {
                Some("Check the network, then run the command again.".to_owned())
            }
            ErrorKind::Transient
            | ErrorKind::NotReady
            | ErrorKind::Propagating
            | ErrorKind::Missing
            | ErrorKind::Exists
            | ErrorKind::Quota
            | ErrorKind::Invalid
            | ErrorKind::Internal => None,
        };
        Self { help, ..Self::failed(error.message) }
    }
}

impl From<LocalError> for CliError {
    fn from(error: LocalError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<InstallError> for CliError {
    fn from(error: InstallError) -> Self {
        let help = match &error {
            InstallError::Part { failure } => Some(failure.next.clone()),
            InstallError::Look(_) | InstallError::NoCode(_) | InstallError::Standing(_) => None,
        };
        let code = if matches!(error, InstallError::Standing(_)) { Code::Refused } else { Code::Failed };
        Self { code, help, ..Self::failed(error.to_string()) }
    }
}
