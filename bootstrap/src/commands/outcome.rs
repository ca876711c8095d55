//! What a command says of a run that goes on or has ended.

use serde::Serialize;
use statemachine::message::{Outcome, RunResult};

use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show::{self, Page, View};

/// Ends quietly as its run did.
pub(super) fn code_of(result: &RunResult) -> Code {
    match result.outcome {
        Outcome::Succeeded | Outcome::Planned | Outcome::NoChanges | Outcome::Noted | Outcome::Superseded => {
            Code::Done
        }
        Outcome::Blocked | Outcome::Refused => Code::Refused,
        Outcome::Stopped | Outcome::Failed => Code::Failed,
    }
}

/// A run that goes on by itself, for programs.
#[derive(Serialize)]
struct Started<'a> {
    run: &'a str,
    /// The command that shows it.
    attach: &'a str,
}

/// A run that has ended, for programs.
#[derive(Serialize)]
struct Ended<'a> {
    run: &'a str,
    #[serde(flatten)]
    result: &'a RunResult,
}

/// Prints how a run ended: one JSON document, or lines. `took_ms` is the whole command's time in milliseconds.
pub(super) fn end(session: &Session, run: &str, result: &RunResult, took_ms: u64) -> Code {
    if session.json {
        show::json(&Ended { run, result });
    } else {
        show::lines(&show::result(result, took_ms, Page::stdout()));
    }
    code_of(result)
}

/// Says that a run goes on by itself.
pub(super) fn started(session: &Session, run: &str) {
    let attach = session.come_back(run);
    if session.json {
        show::json(&Started { run, attach: &attach });
    } else {
        show::line(&format!("Started run {run}. See it with `{attach}`."));
    }
}

/// Says that a run goes on without the one who watched it.
pub(super) fn detached(session: &Session, run: &str) {
    let attach = session.come_back(run);
    show::note(&format!("Detached. The run {run} goes on in AWS; come back with `{attach}`."));
    if session.json {
        show::json(&Started { run, attach: &attach });
    }
}

/// How a run that was followed to its end did end.
pub(super) fn ended(view: &View) -> Result<&RunResult> {
    view.result.as_ref().ok_or_else(|| CliError::failed("The run has no result."))
}
