//! Stopping a run: one at work ends at its next wave of writes, one that waits for its turn at once.

use aws::failed;
use statemachine::lock::Lock;
use statemachine::message::{Outcome, RunRecord, RunResult, keys};

use crate::cli::{Cancel, Global};
use crate::commands::look::no_run;
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show;

/// How often the lock is read again where somebody else was faster in writing it.
const TRIES: u32 = 5;

pub(crate) async fn cancel(global: &Global, cancel: &Cancel) -> Result<Code> {
    let session = Session::open(global, false).await?;
    let run = &cancel.run;
    let object = |name: &str| keys::of_run(&session.environment, run, name);
    let Some(record) = session.get::<RunRecord>(&object("request.json")).await? else {
        return Err(no_run(run, &session.runs().await?));
    };
    if session.get::<RunResult>(&object("result.json")).await?.is_some() {
        let message = format!("The run {run} has ended already: see `stepstack runs show {run}`.");
        return Err(CliError { code: Code::Refused, ..CliError::failed(message) });
    }
    let who = session.caller.clone().unwrap_or_else(|| "the command line".to_owned());
    let why = format!("cancelled by {who}");
    if stop(&session, &record.run.execution, &why).await? {
        say(
            &session,
            run,
            "It stops before its next change. `stepstack attach` shows its end; what it made stays.",
        );
        return Ok(Code::Done);
    }
    // It holds no lock, so it has changed nothing: it can simply end.
    let stop =
        session.sfn.stop_execution().execution_arn(&record.run.execution).error("Cancelled").cause(&why);
    stop.send().await.map_err(failed("states:StopExecution"))?;
    let message = format!("The run was {why} before it changed anything.");
    let result = RunResult::without_plan(&record.run, Outcome::Stopped, message);
    let body = serde_json::to_vec(&result).map_err(|error| CliError::failed(error.to_string()))?;
    let put = session.s3.put_object().bucket(session.scope.bucket()).key(object("result.json"));
    // A result that it wrote at the last moment is the true one.
    let put = put.if_none_match("*").body(body.into()).send().await.map_err(failed("s3:PutObject"));
    match put {
        Err(error) if !is_lost_race(&error) => return Err(error.into()),
        Ok(_) | Err(_) => {}
    }
    say(&session, run, "It waited for its turn, and has changed nothing.");
    Ok(Code::Done)
}

fn say(session: &Session, run: &str, what: &str) {
    if session.json {
        show::json(&serde_json::json!({ "run": run, "cancelled": true, "message": what }));
    } else {
        show::line(&format!("Run {run} is cancelled. {what}"));
    }
}

/// Tells the holder of the lock to stop; `false` where the execution does not hold it.
async fn stop(session: &Session, execution: &str, why: &str) -> Result<bool> {
    let key = keys::lock(&session.environment);
    for _ in 0..TRIES {
        let get = session.s3.get_object().bucket(session.scope.bucket()).key(&key).send().await;
        let Ok(object) = get else { return Ok(false) };
        let etag = object.e_tag().unwrap_or_default().to_owned();
        let bytes = object.body.collect().await.map_err(|error| CliError::failed(error.to_string()))?;
        let lock: Lock = serde_json::from_slice(&bytes.into_bytes())
            .map_err(|error| CliError::failed(error.to_string()))?;
        if lock.holder.as_ref().is_none_or(|holder| holder.execution != execution) {
            return Ok(false);
        }
        let stopped = Lock { stop: Some(why.to_owned()), ..lock };
        let body = serde_json::to_vec(&stopped).map_err(|error| CliError::failed(error.to_string()))?;
        let put =
            session.s3.put_object().bucket(session.scope.bucket()).key(&key).if_match(etag).body(body.into());
        match put.send().await.map_err(failed("s3:PutObject")) {
            Ok(_) => return Ok(true),
            Err(error) if is_lost_race(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(CliError::failed("The lock changes all the time. Try it again."))
}

/// 412 and 409: somebody else was faster.
fn is_lost_race(error: &statemachine::Error) -> bool {
    matches!(error.code.as_deref(), Some("PreconditionFailed" | "ConditionalRequestConflict"))
}
