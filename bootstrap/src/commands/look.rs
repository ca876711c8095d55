//! A look: a run of the engine that reads AWS, makes a plan and changes nothing.

use statemachine::message::{Operation, Outcome, PlanRecord, RunResult};
use statemachine::resource::Options;

use crate::error::Result;
use crate::follow::ended;
use crate::session::Session;
use crate::show::progress;

/// Runs a look to its end, quietly.
pub(super) async fn look(
    session: &Session,
    operation: Operation,
    options: Options,
) -> Result<(String, Option<PlanRecord>, RunResult)> {
    let progress = progress("Looking at AWS");
    let run = session.start(session.request(operation, options)).await;
    let ended = match run {
        Ok(run) => ended(session, &run).await.map(|result| (run, result)),
        Err(error) => Err(error),
    };
    progress.clear();
    let (run, result) = ended?;
    let record = match result.outcome {
        Outcome::Planned => session.plan_record(&run).await?,
        Outcome::Succeeded
        | Outcome::NoChanges
        | Outcome::Blocked
        | Outcome::Refused
        | Outcome::Noted
        | Outcome::Superseded
        | Outcome::Stopped
        | Outcome::Failed => None,
    };
    Ok((run, record, result))
}
