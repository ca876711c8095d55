//! Following a run by its record: the same for `apply`, `destroy`, `deploy` and `attach`, from any machine.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws::failed;
use serde::de::DeserializeOwned;
use statemachine::error::Optional as _;
use statemachine::message::{PlanRecord, RunRecord, RunResult, StageReport, keys};

use crate::error::{CliError, Result};
use crate::session::Session;

/// Pauses between looks, and how many of each: fast at first, as most of a run's news comes early.
const PAUSES_MS: [(u64, usize); 4] = [(100, 10), (150, 20), (500, 10), (1_000, 20)];
/// And from then on.
const LAST_PAUSE_MS: u64 = 2_000;
/// How many looks in a row may be lost: about a minute.
const LOST: u32 = 30;
/// How often the execution itself is asked whether it still runs.
const ASK_AFTER: Duration = Duration::from_secs(10);

/// All that the record says of a run so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) record: Option<RunRecord>,
    pub(crate) plan: Option<PlanRecord>,
    pub(crate) stages: BTreeMap<String, StageReport>,
    pub(crate) result: Option<RunResult>,
}

/// What a look at a run has brought.
pub(crate) trait Watcher {
    /// Something is new.
    async fn seen(&mut self, view: &View) -> Result<()>;
}

/// Follows a run to its end.
pub(crate) async fn follow(session: &Session, run: &str, watcher: &mut impl Watcher) -> Result<View> {
    let prefix = keys::run(&session.environment, run);
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut view = View::default();
    let mut asked = Instant::now();
    let mut pauses = PAUSES_MS.into_iter().flat_map(|(pause, times)| std::iter::repeat_n(pause, times));
    let mut lost = 0;
    loop {
        let mut news = false;
        let listed = match session.list(&prefix).await {
            Ok(listed) => listed,
            // The run goes on without us: a connection that is lost for a while ends nothing.
            Err(_) if lost < LOST => {
                lost += 1;
                tokio::time::sleep(Duration::from_millis(LAST_PAUSE_MS)).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        lost = 0;
        for (key, etag) in listed {
            let Some(name) = key.strip_prefix(&prefix) else { continue };
            if !is_followed(name) || known.get(name) == Some(&etag) {
                continue;
            }
            take(session, &key, name, &mut view).await?;
            known.insert(name.to_owned(), etag);
            news = true;
        }
        if news {
            watcher.seen(&view).await?;
        }
        if view.result.is_some() {
            return Ok(view);
        }
        if asked.elapsed() > ASK_AFTER {
            asked = Instant::now();
            dead(session, run, &prefix).await?;
        }
        let pause = pauses.next().unwrap_or(LAST_PAUSE_MS);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// A run's result, once it is there: for a look, which has nothing to show on the way.
pub(crate) async fn ended(session: &Session, run: &str) -> Result<RunResult> {
    let prefix = keys::run(&session.environment, run);
    let mut asked = Instant::now();
    // A look takes about as long as this on an emulator, and some seconds on AWS.
    let mut pause = Duration::from_millis(400);
    loop {
        tokio::time::sleep(pause).await;
        if let Some(result) = session.get(&format!("{prefix}result.json")).await? {
            return Ok(result);
        }
        if asked.elapsed() > ASK_AFTER {
            asked = Instant::now();
            dead(session, run, &prefix).await?;
        }
        pause = (pause / 3).max(Duration::from_millis(130));
    }
}

/// Only what is shown while a run goes: its looks stand in the plan.
fn is_followed(name: &str) -> bool {
    matches!(name, "request.json" | "plan.json" | "result.json") || name.starts_with("stages/")
}

async fn take(session: &Session, key: &str, name: &str, view: &mut View) -> Result<()> {
    async fn get<T: DeserializeOwned>(session: &Session, key: &str) -> Result<Option<T>> {
        session.get(key).await
    }
    match name {
        "request.json" => view.record = get(session, key).await?,
        "plan.json" => view.plan = get(session, key).await?,
        "result.json" => view.result = get(session, key).await?,
        _ => {
            if let Some(report) = get::<StageReport>(session, key).await? {
                view.stages.insert(report.stage.clone(), report);
            }
        }
    }
    Ok(())
}

/// An execution that ended without a result would be followed for ever.
async fn dead(session: &Session, run: &str, prefix: &str) -> Result<()> {
    let execution = session
        .get::<RunRecord>(&format!("{prefix}request.json"))
        .await?
        .map_or_else(|| session.execution(run), |record| record.run.execution);
    let describe = session.sfn.describe_execution().execution_arn(execution).send().await;
    let described = describe.map_err(failed("states:DescribeExecution")).optional()?;
    let ended = described.as_ref().is_some_and(|execution| execution.stop_date().is_some());
    let result: Option<RunResult> = session.get(&format!("{prefix}result.json")).await?;
    if ended && result.is_none() {
        let cause =
            described.as_ref().and_then(|execution| execution.cause()).unwrap_or("no cause given").to_owned();
        let error = CliError::failed(format!("The run {run} ended without a result: {cause}"));
        return Err(error.help(
            "Run it again: it goes on from where it was. Its lock frees itself a minute after its end.",
        ));
    }
    Ok(())
}
