//! What there is not: each is an error that names what comes near.

use statemachine::config::near;

use crate::error::CliError;
use crate::session::Session;

/// There is no such run; the near misses.
pub(super) fn no_run(run: &str, runs: &[String]) -> CliError {
    let known: Vec<&str> = runs.iter().rev().map(String::as_str).collect();
    let begin = run.chars().take(8).collect::<String>();
    let like = |known: &&&str| known.contains(run) || known.starts_with(&begin);
    let near: Vec<&str> = match near(run, &known) {
        Some(near) => vec![near],
        None => known.iter().filter(like).take(3).copied().collect(),
    };
    let error = CliError::refused(format!("There is no run {run:?}."));
    if near.is_empty() {
        error.help("`stepstack runs` lists them.")
    } else {
        error.help(format!("Did you mean {}?", near.join(" or ")))
    }
}

/// No run was ever to change anything.
pub(super) fn no_runs(session: &Session) -> CliError {
    let error = CliError::refused(format!("{} was never applied.", session.stack()));
    error.help("Stand it up with `stepstack apply`.")
}

/// The environment does not exist.
pub(super) fn no_environment(session: &Session) -> CliError {
    let stack = session.stack();
    CliError::refused(format!("{stack} does not exist: it was never applied, or it was destroyed."))
}

/// There is no such thing of this kind; the near misses.
pub(super) fn unknown(what: &str, name: &str, known: &[String]) -> CliError {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let error = CliError::refused(format!("There is no {what} {name:?}."));
    match near(name, &names) {
        Some(near) => error.help(format!("Did you mean {near:?}?")),
        None if names.is_empty() => error.help(format!("There is no {what} at all yet.")),
        None => error.help(format!("There are: {}.", names.join(", "))),
    }
}
