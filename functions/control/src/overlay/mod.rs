//! What an operation lays over the configuration: a change of the intent, which the stages then make true. Pure: the
//! intent of an operation that is not laid is not used, but for that of a push that is noted.

mod database;
mod pause;
mod services;

use statemachine::config::Stack;
use statemachine::message::{By, Document, Intent, Needs, Operation, ReleaseRecord};

pub use services::release_of_rollback;

/// Why an operation is not laid over the intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotLaid {
    /// It is kept for later, in the intent.
    Noted(String),
    /// It is so already.
    SoAlready(String),
    /// It cannot be, and why.
    Refused(String),
}

fn refused(reason: impl Into<String>) -> NotLaid {
    NotLaid::Refused(reason.into())
}

/// Lays the run's operation over the document's intent. `earlier` is the release that a rollback goes to.
pub fn lay_over(document: &mut Document, earlier: Option<ReleaseRecord>) -> Result<(), NotLaid> {
    let operation = document.run.operation;
    if !operation.is_overlay() {
        return Ok(());
    }
    let stack = document.stack.clone().ok_or_else(|| refused("There is no configuration to lay it over."))?;
    pause::check(document)?;
    if let Some(missing) = missing(operation.facts().needs, &stack, &document.intent) {
        return Err(refused(missing));
    }
    let by = By::of(&document.run);
    match operation {
        Operation::Plan | Operation::PlanDestroy | Operation::Apply | Operation::Destroy => Ok(()),
        Operation::Deploy => services::deploy(document),
        Operation::Rollback => services::roll_back(document, earlier, by),
        Operation::Scale => services::scale(document, &stack, &by),
        Operation::Restart => services::restart(document, &stack, &by),
        Operation::Run => services::run(document, &stack),
        Operation::Rotate => {
            database::rotate(document, by);
            Ok(())
        }
        Operation::SnapshotCreate | Operation::SnapshotForget => database::snapshot(document),
        Operation::Restore => database::restore(document, by),
        Operation::RestoreObject => restore_object(document, &stack),
        Operation::Pause => {
            pause::pause(document, by);
            Ok(())
        }
        Operation::Resume => pause::resume(document),
    }
}

/// What an operation needs and is not there, in words.
fn missing(needs: Needs, stack: &Stack, intent: &Intent) -> Option<&'static str> {
    match needs {
        Needs::Release(otherwise) => intent.release.is_none().then_some(otherwise),
        Needs::Database => stack.database.is_none().then_some("This stack has no database."),
        Needs::Uploads => stack.uploads.is_none().then_some("This stack has no uploads bucket."),
        Needs::Nothing => None,
    }
}

fn restore_object(document: &Document, stack: &Stack) -> Result<(), NotLaid> {
    if document.run.parameters.object.is_none() {
        return Err(refused("No object is named."));
    }
    let readable = format!("{}-", stack.app);
    match stack.uploads.as_ref().filter(|uploads| !uploads.bucket.starts_with(&readable)) {
        Some(uploads) => Err(refused(format!(
            "The engine may read no object of the bucket {}: its name does not begin with `{readable}`. Copy the version yourself with `aws s3api copy-object`.",
            uploads.bucket
        ))),
        None => Ok(()),
    }
}
