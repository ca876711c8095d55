//! `status`: the environment on one screen.

mod gather;
mod metrics;
mod now;

use record::lock::Lock;
use serde::Serialize;
use statemachine::message::{RunRecord, RunResult, StageReport};

use super::missing::no_runs;
use crate::cli::Global;
use crate::error::{Code, Result};
use crate::session::Session;
use crate::show::{self, Glance, Now, Page};

use gather::facts;
use now::now;

/// What `status --json` says.
#[derive(Serialize)]
struct Status<'a> {
    stack: &'a str,
    /// The run in progress, or the last one.
    run: &'a str,
    request: &'a RunRecord,
    result: Option<&'a RunResult>,
    lock: Option<&'a Lock>,
    stages: &'a [StageReport],
    /// What runs; absent where nothing is asked for any more.
    now: Option<&'a Now>,
}

pub(crate) async fn status(global: &Global) -> Result<Code> {
    let session = Session::open(global).await?;
    let runs: Vec<String> = session.runs().await?.into_iter().rev().collect();
    let (run, record, result) = last(&session, &runs).await?.ok_or_else(|| no_runs(&session))?;
    let (lock, reports, accepted) =
        tokio::try_join!(session.lock(), session.reports(&run), session.accepted_stack())?;
    let now = match accepted {
        Some(stack) => {
            let facts = facts(&session, &stack, &runs, &reports, lock.as_ref()).await;
            Some(now(&stack, facts))
        }
        None => None,
    };
    let stack = session.stack();
    if session.json {
        show::json(&Status {
            stack: &stack,
            run: &run,
            request: &record,
            result: result.as_ref(),
            lock: lock.as_ref(),
            stages: &reports,
            now: now.as_ref(),
        });
        return Ok(Code::Done);
    }
    // What a run put out stands below, as it is now; the rest `stepstack output` has.
    let result = result.map(|result| RunResult { outputs: std::collections::BTreeMap::new(), ..result });
    let glance = Glance {
        stack: &stack,
        account: &session.scope.account,
        region: &session.scope.region,
        run: &run,
        record: &record,
        result: result.as_ref(),
        lock: lock.as_ref(),
        stages: &reports,
    };
    show::lines(&show::status(&glance, Page::stdout()));
    if let Some(now) = now {
        show::line("");
        show::lines(&show::now(&now, Page::stdout()));
    }
    Ok(Code::Done)
}

/// The newest run that was meant to change something, with its result. `runs` are the newest first.
async fn last(session: &Session, runs: &[String]) -> Result<Option<(String, RunRecord, Option<RunResult>)>> {
    for run in runs {
        let record = session.run_record(run).await?;
        if let Some(record) = record.filter(|record| !record.run.operation.only_looks()) {
            let result = session.run_result(run).await?;
            return Ok(Some((run.clone(), record, result)));
        }
    }
    Ok(None)
}
