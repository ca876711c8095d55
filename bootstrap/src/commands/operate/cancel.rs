//! Stopping a run: one at work ends at its next wave of writes, one that waits for its turn at once.

use aws::failed;
use clap::Args;
use serde::Serialize;
use statemachine::message::{Outcome, Run, RunRecord, RunResult};

use crate::cli::Global;
use crate::commands::missing::no_run;
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show;

/// `cancel`
#[derive(Debug, Args)]
pub struct Cancel {
    /// The run
    pub run: String,
}

/// What `cancel --json` says.
#[derive(Serialize)]
struct Cancelled<'a> {
    run: &'a str,
    message: &'a str,
}

pub(crate) async fn cancel(global: &Global, cancel: &Cancel) -> Result<Code> {
    let session = Session::open(global).await?;
    let run = &cancel.run;
    let Some(record) = session.run_record(run).await? else {
        return Err(no_run(run, &session.runs().await?));
    };
    if session.run_result(run).await?.is_some() {
        return Err(ended_already(run));
    }
    session.refuse_when_older().await?;
    let who = session.caller.clone().unwrap_or_else(|| "the command line".to_owned());
    let why = format!("cancelled by {who}");
    let standing = stop(&session, &record, &why).await?;
    if let Some(result) = standing.result(&record.run, &why)
        && session.record.run(run).result().put_over(&result, None).await?.is_none()
    {
        return Err(ended_already(run));
    }
    let message = standing.message();
    if session.json {
        show::json(&Cancelled { run, message });
    } else {
        show::line(&format!("Run {run} is cancelled. {message}"));
    }
    Ok(Code::Done)
}

/// Stops a run; answers how it stood. One that holds the lock is told to stop, and ends itself. One that does not
/// has changed nothing, and its execution is ended.
async fn stop(session: &Session, record: &RunRecord, why: &str) -> Result<Standing> {
    let (lock, execution) = (session.record.lock(), &record.run.execution);
    if lock.stop(execution, why).await.map_err(again)? {
        return Ok(Standing::AtWork);
    }
    let stop = session.sfn.stop_execution().execution_arn(execution).error("Cancelled").cause(why);
    stop.send().await.map_err(failed("states:StopExecution"))?;
    // Its turn may have come between the look at the lock and its end.
    let holds = lock.get().await?.is_some_and(|lock| lock.is_of(execution));
    Ok(if holds { Standing::Beginning } else { Standing::Waiting })
}

/// How a run stood when it was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It held the lock, and was told to stop.
    AtWork,
    /// It had just taken the lock as its execution was ended.
    Beginning,
    /// It waited for its turn.
    Waiting,
}

impl Standing {
    /// The result that the run cannot write any more; `None` where it writes its own.
    fn result(self, run: &Run, why: &str) -> Option<RunResult> {
        let before = match self {
            Self::AtWork => return None,
            Self::Beginning => "as it began",
            Self::Waiting => "before it changed anything",
        };
        Some(RunResult::without_plan(run, Outcome::Stopped, format!("The run was {why} {before}.")))
    }

    /// What a person should know of it.
    fn message(self) -> &'static str {
        match self {
            Self::AtWork => {
                "It stops before its next change. `stepstack attach` shows its end; what it made stays."
            }
            Self::Beginning => {
                "It had just begun: the lock frees itself within a minute, and the next run goes on from there."
            }
            Self::Waiting => "It waited for its turn, and has changed nothing.",
        }
    }
}

/// What is to be done about a lock that could not be written just now.
fn again(error: statemachine::Error) -> CliError {
    let error = CliError::from(error);
    if error.is_passing() && error.help.is_none() { error.help("Run the command again.") } else { error }
}

fn ended_already(run: &str) -> CliError {
    let error = CliError::refused(format!("The run {run} has ended already."));
    error.help(format!("See how with `stepstack runs show {run}`."))
}

#[cfg(test)]
mod tests {
    use statemachine::message::{Document, Operation};

    use super::*;

    #[test]
    fn a_run_at_work_writes_its_own_result_and_one_that_was_ended_gets_it() {
        let run = Document::example(Operation::Apply, None).run;
        for (standing, said, of_changes) in [
            (Standing::AtWork, None, "what it made stays"),
            (Standing::Beginning, Some("The run was cancelled by ada as it began."), "goes on from there"),
            (
                Standing::Waiting,
                Some("The run was cancelled by ada before it changed anything."),
                "has changed nothing",
            ),
        ] {
            let result = standing.result(&run, "cancelled by ada");
            assert_eq!(result.as_ref().map(|result| result.message.as_str()), said);
            assert!(result.is_none_or(|result| result.outcome == Outcome::Stopped));
            assert!(standing.message().contains(of_changes), "{standing:?}");
        }
    }
}
