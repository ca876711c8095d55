//! Following a run by its record: the same for `apply`, `destroy`, `deploy` and `attach`, from any machine.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_sfn::types::ExecutionStatus;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use record::keys;
use serde::de::DeserializeOwned;
use statemachine::message::{Caught, PlanRecord, RunRecord, RunResult, StageReport};

use crate::error::{CliError, Result};
use crate::session::Session;

/// A run that finds nothing to do takes about as long as this on an emulator; nothing is worth showing before.
const FIRST_PAUSE_MS: u64 = 600;
/// Pauses between looks, and how many of each: fast at first, as most of a run's news comes early.
const PAUSES_MS: [(u64, usize); 3] = [(200, 15), (500, 10), (1_000, 20)];
/// And from then on.
const LAST_PAUSE_MS: u64 = 2_000;
/// The longest pause where the run waits for us.
const HURRIED_PAUSE_MS: u64 = 80;
/// What is live is drawn anew this often.
const DRAWN_EVERY_MS: u64 = 100;
/// How many looks in a row may be lost: about a minute.
const LOST: u32 = 30;
/// How often the execution itself is asked whether it still runs.
const ASK_AFTER: Duration = Duration::from_secs(10);
/// An execution that was started is known to AWS everywhere after this.
const KNOWN_AFTER_S: i64 = 60;

/// All that the record says of a run so far.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// What was asked for.
    pub record: Option<RunRecord>,
    /// The joined plan.
    pub plan: Option<PlanRecord>,
    /// The stages' last reports.
    pub stages: BTreeMap<String, StageReport>,
    /// How it ended.
    pub result: Option<RunResult>,
}

/// What a look at a run has brought.
pub(crate) trait Watcher {
    /// Something is new.
    async fn seen(&mut self, view: &View) -> Result<()>;
    /// Time has passed, and nothing else.
    fn passed(&mut self, view: &View);
    /// The run goes on sooner if what it does now is seen soon.
    fn hurries(&self, view: &View) -> bool;
}

/// Follows a run to its end. Fails when it can have none: the execution ended without a result, or AWS does not
/// know it.
pub(crate) async fn follow(session: &Session, run: &str, watcher: &mut impl Watcher) -> Result<View> {
    let mut follower =
        Follower { session, run, prefix: keys::run(&session.environment, run), known: BTreeMap::new() };
    let mut view = View::default();
    // Of a run that began long ago it is asked at once whether it still runs.
    let mut asked: Option<Instant> = None;
    let mut pauses = PAUSES_MS.into_iter().flat_map(|(pause, times)| std::iter::repeat_n(pause, times));
    let (begun, mut lost) = (Instant::now(), 0);
    if began_just_now(run) {
        nap(FIRST_PAUSE_MS, &view, watcher).await;
        view.result = session.get(&format!("{}result.json", follower.prefix)).await.ok().flatten();
        if view.result.is_some() {
            watcher.seen(&view).await?;
            return Ok(view);
        }
    }
    loop {
        match follower.look(&mut view).await {
            Ok(true) => watcher.seen(&view).await?,
            Ok(false) => {}
            // The run goes on without us: a connection that is lost for a while ends nothing.
            Err(error) if error.is_passing() && lost < LOST => {
                lost += 1;
                nap(LAST_PAUSE_MS, &view, watcher).await;
                continue;
            }
            Err(error) => return Err(error),
        }
        lost = 0;
        if view.result.is_some() {
            return Ok(view);
        }
        let is_old = view.record.as_ref().is_some_and(|record| age_s(record) >= KNOWN_AFTER_S);
        let is_due = asked.map_or(is_old || begun.elapsed() > ASK_AFTER, |asked| asked.elapsed() > ASK_AFTER);
        if is_due {
            asked = Some(Instant::now());
            follower.ask(view.record.as_ref(), begun.elapsed()).await?;
        }
        let pause = pauses.next().unwrap_or(LAST_PAUSE_MS);
        nap(if watcher.hurries(&view) { pause.min(HURRIED_PAUSE_MS) } else { pause }, &view, watcher).await;
    }
}

/// A run's result, once it is there: for a look, which has nothing to show on the way.
pub(crate) async fn ended(session: &Session, run: &str) -> Result<RunResult> {
    let follower =
        Follower { session, run, prefix: keys::run(&session.environment, run), known: BTreeMap::new() };
    let (begun, mut asked) = (Instant::now(), Instant::now());
    // A look takes about as long as this on an emulator, and some seconds on AWS.
    let mut pause = Duration::from_millis(400);
    let mut lost = 0;
    loop {
        tokio::time::sleep(pause).await;
        match session.get(&format!("{}result.json", follower.prefix)).await {
            Ok(Some(result)) => return Ok(result),
            Ok(None) => lost = 0,
            Err(error) if error.is_passing() && lost < LOST => lost += 1,
            Err(error) => return Err(error),
        }
        if asked.elapsed() > ASK_AFTER {
            asked = Instant::now();
            follower.ask(None, begun.elapsed()).await?;
        }
        pause = (pause / 3).max(Duration::from_millis(130));
    }
}

/// Waits, and draws meanwhile.
async fn nap(ms: u64, view: &View, watcher: &mut impl Watcher) {
    let mut left = ms;
    while left > 0 {
        let step = left.min(DRAWN_EVERY_MS);
        tokio::time::sleep(Duration::from_millis(step)).await;
        left -= step;
        watcher.passed(view);
    }
}

/// Whether a run's id names this second or the one before it.
fn began_just_now(run: &str) -> bool {
    let begun = run.get(..15).and_then(|time| DateTime::strptime("%Y%m%d-%H%M%S", time).ok());
    let begun = begun.and_then(|begun| begun.to_zoned(TimeZone::UTC).ok());
    begun.is_some_and(|begun| Timestamp::now().duration_since(begun.timestamp()).as_secs() < 2)
}

fn age_s(record: &RunRecord) -> i64 {
    let started = record.run.started_at.parse::<Timestamp>().ok();
    started.map_or(0, |started| Timestamp::now().duration_since(started).as_secs())
}

/// Only what is shown while a run goes: its looks stand in the plan.
fn is_followed(name: &str) -> bool {
    matches!(name, "request.json" | "plan.json" | "result.json") || name.starts_with("stages/")
}

struct Follower<'a> {
    session: &'a Session,
    run: &'a str,
    prefix: String,
    /// The ETag of each object that was read.
    known: BTreeMap<String, String>,
}

impl Follower<'_> {
    /// Reads what is new of the record. Answers whether anything was.
    async fn look(&mut self, view: &mut View) -> Result<bool> {
        let mut news = false;
        for (key, etag) in self.session.list(&self.prefix).await? {
            let Some(name) = key.strip_prefix(&self.prefix) else { continue };
            if !is_followed(name) || self.known.get(name) == Some(&etag) {
                continue;
            }
            self.take(&key, name, view).await?;
            self.known.insert(name.to_owned(), etag);
            news = true;
        }
        Ok(news)
    }

    async fn take(&self, key: &str, name: &str, view: &mut View) -> Result<()> {
        async fn get<T: DeserializeOwned>(session: &Session, key: &str) -> Result<Option<T>> {
            session.get(key).await
        }
        match name {
            "request.json" => view.record = get(self.session, key).await?,
            "plan.json" => view.plan = get(self.session, key).await?,
            "result.json" => view.result = get(self.session, key).await?,
            _ => {
                if let Some(report) = get::<StageReport>(self.session, key).await? {
                    view.stages.insert(report.stage.clone(), report);
                }
            }
        }
        Ok(())
    }

    /// Asks Step Functions about the execution. Fails when it ended without a result, or is unknown: following
    /// it would never end. What cannot be asked now is asked again later.
    async fn ask(&self, record: Option<&RunRecord>, followed: Duration) -> Result<()> {
        let execution =
            record.map_or_else(|| self.session.execution(self.run), |record| record.run.execution.clone());
        let described = match self.session.describe(&execution).await {
            Ok(described) => described,
            Err(error) => {
                let error = CliError::from(error);
                return if error.is_passing() { Ok(()) } else { Err(error) };
            }
        };
        let is_young = record.map_or(0, age_s) < KNOWN_AFTER_S && followed < 3 * ASK_AFTER;
        let end = match &described {
            None if is_young => return Ok(()),
            None => End { status: None, error: None, cause: None },
            Some(execution) if execution.stop_date().is_none() => return Ok(()),
            Some(execution) => End {
                status: Some(execution.status().clone()),
                error: execution.error().map(str::to_owned),
                cause: execution.cause().map(str::to_owned),
            },
        };
        // It may have written its result between the look and the question.
        let result: Option<RunResult> = self.session.get(&format!("{}result.json", self.prefix)).await?;
        if result.is_some() { Ok(()) } else { Err(end.error(self.run)) }
    }
}

/// How an execution ended that left no result; no status: AWS does not know it.
struct End {
    status: Option<ExecutionStatus>,
    error: Option<String>,
    cause: Option<String>,
}

impl End {
    fn error(self, run: &str) -> CliError {
        let is_denied = self.error.as_deref() == Some("Denied");
        let why = match (self.error, self.cause) {
            (Some(error), Some(cause)) => {
                let caught = Caught { error, cause };
                // It is control's: the machine catches every other.
                match caught.raised() {
                    Some(message) => format!(". The function control ended with {}: {message}", caught.error),
                    None => format!(": {}: {}", caught.error, caught.cause),
                }
            }
            (Some(one), None) | (None, Some(one)) => format!(": {one}"),
            (None, None) => String::new(),
        };
        let what = match self.status {
            None => format!("AWS knows no execution of the run {run}, and its record has no result"),
            Some(ExecutionStatus::Aborted) => format!("The run {run} was stopped from outside{why}"),
            Some(ExecutionStatus::TimedOut) => format!("The run {run} ran out of time{why}"),
            Some(_) => format!("The run {run} ended without a result{why}"),
        };
        let what = if what.ends_with('.') { what } else { format!("{what}.") };
        let first = if is_denied {
            "Run `stepstack bootstrap`: it brings the engine's roles up to date. If it is a policy of your organization, ask whoever owns that. "
        } else {
            ""
        };
        CliError::failed(what).help(format!(
            "{first}What it made stays. Run the command again: it goes on from there. The lock frees itself a minute after the run's end."
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(status: Option<ExecutionStatus>, error: Option<&str>, cause: Option<&str>) -> String {
        let end = End { status, error: error.map(str::to_owned), cause: cause.map(str::to_owned) };
        end.error("R").message
    }

    #[test]
    fn an_end_without_a_result_says_which_end_it_was() {
        assert_eq!(
            message(Some(ExecutionStatus::Aborted), None, Some("by hand")),
            "The run R was stopped from outside: by hand."
        );
        assert_eq!(message(Some(ExecutionStatus::TimedOut), None, None), "The run R ran out of time.");
        assert_eq!(
            message(Some(ExecutionStatus::Failed), Some("Internal"), Some("No bucket.")),
            "The run R ended without a result: Internal: No bucket."
        );
        let denied = r#"{"errorType":"Denied","errorMessage":"PutObject failed: no (AccessDenied)"}"#;
        assert_eq!(
            message(Some(ExecutionStatus::Failed), Some("Denied"), Some(denied)),
            "The run R ended without a result. The function control ended with Denied: PutObject failed: no (AccessDenied)."
        );
        let unknown = message(None, None, None);
        assert!(unknown.starts_with("AWS knows no execution of the run R"), "{unknown}");
    }
}
