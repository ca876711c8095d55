//! Following a run by its record: the same for `apply`, `destroy`, `deploy` and `attach`, from any machine.

mod execution;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use record::News;
use statemachine::message::{RunRecord, RunResult};

use crate::error::{CliError, Result};
use crate::session::Session;
use crate::show::View;

use execution::{Verdict, is_due, verdict};

/// A run that finds nothing to do takes about as long as this on an emulator; nothing is worth showing before.
const FIRST_PAUSE_MS: u64 = 600;
/// Pauses between reads, and how many of each: fast at first, as most of a run's news comes early.
const PAUSES_MS: [(u64, usize); 3] = [(200, 15), (500, 10), (1_000, 20)];
/// And from then on.
const LAST_PAUSE_MS: u64 = 2_000;
/// The longest pause where the run waits for us.
const HURRIED_PAUSE_MS: u64 = 80;
/// What is live is drawn anew this often.
const DRAWN_EVERY_MS: u64 = 100;
/// How many reads in a row may be lost: about a minute.
const LOST: u32 = 30;

/// Whoever is told what the record of a run says.
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
    let mut follower = Follower::new(session, run);
    let mut view = View::default();
    let mut checked: Option<Instant> = None;
    let mut pauses = PAUSES_MS.into_iter().flat_map(|(pause, times)| std::iter::repeat_n(pause, times));
    let (begun, mut losses) = (Instant::now(), Losses::default());
    if began_just_now(run) {
        nap(FIRST_PAUSE_MS, &view, watcher).await;
        view.result = session.run_result(run).await.ok().flatten();
        if view.result.is_some() {
            watcher.seen(&view).await?;
            return Ok(view);
        }
    }
    loop {
        match follower.read_news(&mut view).await {
            Ok(true) => watcher.seen(&view).await?,
            Ok(false) => {}
            Err(error) => {
                losses.endure(error)?;
                nap(LAST_PAUSE_MS, &view, watcher).await;
                continue;
            }
        }
        losses = Losses::default();
        if view.result.is_some() {
            return Ok(view);
        }
        let age_s = view.record.as_ref().map(age_s);
        if is_due(age_s, begun.elapsed(), checked.map(|checked| checked.elapsed())) {
            checked = Some(Instant::now());
            follower.check_execution(view.record.as_ref(), begun.elapsed()).await?;
        }
        let pause = pauses.next().unwrap_or(LAST_PAUSE_MS);
        nap(if watcher.hurries(&view) { pause.min(HURRIED_PAUSE_MS) } else { pause }, &view, watcher).await;
    }
}

/// A run's result, once it is there: for a look, which has nothing to show on the way.
pub(crate) async fn ended(session: &Session, run: &str) -> Result<RunResult> {
    let follower = Follower::new(session, run);
    let (begun, mut checked) = (Instant::now(), Instant::now());
    // A look takes about as long as this on an emulator, and some seconds on AWS.
    let mut pause = Duration::from_millis(400);
    let mut losses = Losses::default();
    loop {
        tokio::time::sleep(pause).await;
        match session.run_result(run).await {
            Ok(Some(result)) => return Ok(result),
            Ok(None) => losses = Losses::default(),
            Err(error) => losses.endure(error)?,
        }
        if is_due(None, begun.elapsed(), Some(checked.elapsed())) {
            checked = Instant::now();
            follower.check_execution(None, begun.elapsed()).await?;
        }
        pause = (pause / 3).max(Duration::from_millis(130));
    }
}

/// Reads in a row that were lost. The run goes on without us: a connection that is lost for a while ends nothing.
#[derive(Default)]
struct Losses(u32);

impl Losses {
    /// Counts one more; fails where it is no passing one, or one too many.
    fn endure(&mut self, error: CliError) -> Result<()> {
        if !error.is_passing() || self.0 >= LOST {
            return Err(error);
        }
        self.0 += 1;
        Ok(())
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

struct Follower<'a> {
    session: &'a Session,
    run: &'a str,
    /// The ETag of each object that was read.
    known: BTreeMap<News, String>,
}

impl<'a> Follower<'a> {
    fn new(session: &'a Session, run: &'a str) -> Self {
        Self { session, run, known: BTreeMap::new() }
    }

    /// Reads what is new of the record. Answers whether anything was.
    async fn read_news(&mut self, view: &mut View) -> Result<bool> {
        let run = self.session.record.run(self.run);
        let mut is_any = false;
        for (news, etag) in run.news().await? {
            if self.known.get(&news) == Some(&etag) {
                continue;
            }
            match news {
                News::Request => view.record = run.request().get().await?,
                News::Plan => view.plan = run.plan().get().await?,
                News::Result => view.result = run.result().get().await?,
                News::Report(stage) => {
                    view.stages.extend(run.report(stage).get().await?.map(|report| (stage, report)));
                }
            }
            self.known.insert(news, etag);
            is_any = true;
        }
        Ok(is_any)
    }

    /// Asks Step Functions about the execution. Fails when it ended without a result, or is unknown: following
    /// it would never end. What cannot be asked now is asked again later.
    async fn check_execution(&self, record: Option<&RunRecord>, followed: Duration) -> Result<()> {
        let execution =
            record.map_or_else(|| self.session.execution(self.run), |record| record.run.execution.clone());
        let described = match self.session.describe(&execution).await {
            Ok(described) => described,
            Err(error) => {
                let error = CliError::from(error);
                return if error.is_passing() { Ok(()) } else { Err(error) };
            }
        };
        let end = match verdict(described.as_ref(), record.map(age_s), followed) {
            Verdict::GoesOn => return Ok(()),
            Verdict::Over(end) => end,
        };
        // It may have written its result between the read and the question.
        if self.session.run_result(self.run).await?.is_some() { Ok(()) } else { Err(end.error(self.run)) }
    }
}
