//! The runtime loop of a function.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::{Duration, Instant, SystemTime};

use aws::{Function, config_from_environment};
use aws_types::SdkConfig;
use futures_util::future::BoxFuture;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use record::Bucket;
use serde::Serialize;
use serde::de::DeserializeOwned;
use statemachine::message::{Document, Failure, Mode, Slot, StageCall, StageReport, Status, Told};
use statemachine::plan::{Action, Item, Progress};
use statemachine::resource::{Context, Name, Names};
use statemachine::tick::{Input, now_ms, tick};
use statemachine::{Error, ErrorKind, Result, Stage};
use tracing::{error, info};

use crate::link::RunLink;

/// A function answers within this time, whatever its own timeout.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
/// It starts no call in the last part of it.
const QUIET_BEFORE_END: Duration = Duration::from_secs(10);

/// So many kinds are looked at again sooner than a call is spent on not having to.
const FEW_KINDS: usize = 3;

/// An error as Step Functions sees it: its errorType is the kind's public name, so that `Retry` can list it.
#[derive(Debug)]
pub struct Fault(Error);

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Fault> for Diagnostic {
    fn from(Fault(error): Fault) -> Self {
        Self { error_type: error.kind.to_string(), error_message: error.message }
    }
}

/// Serves a stage's function until Lambda ends the process.
pub async fn serve<F: Function>() -> Result<(), lambda_runtime::Error> {
    serve_with(|config| {
        let (function, bucket) = (F::new(config), bucket(config));
        move |call: StageCall, deadline| {
            let (function, bucket) = (function.clone(), bucket.clone());
            // Boxed: the stages' futures are deeper than the compiler cares to look through.
            let answer: BoxFuture<'static, Result<Slot>> =
                Box::pin(async move { answer(&function, &bucket, call, deadline).await });
            answer
        }
    })
    .await
}

/// Serves any handler: `build` makes its clients once, the handler gets each request and the time by which
/// it has to have started its last call.
pub async fn serve_with<Q, A, B, H, R>(build: B) -> Result<(), lambda_runtime::Error>
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    B: FnOnce(&SdkConfig) -> H,
    H: Fn(Q, Instant) -> R + Send + Sync,
    R: Future<Output = Result<A>> + Send,
{
    // Lambda's log is the function's standard output; time and level come from Lambda itself.
    tracing_subscriber::fmt().json().with_target(false).with_current_span(false).without_time().init();
    let handler = build(&config_from_environment());
    let handler = &handler;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Q>| async move {
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let deadline = Instant::now() + left.min(ANSWER_WITHIN).saturating_sub(QUIET_BEFORE_END);
        handler(event.payload, deadline).await.map_err(Fault)
    }))
    .await
}

/// The provisioner's bucket, from the function's environment.
pub fn bucket(config: &SdkConfig) -> Bucket {
    Bucket::new(config, std::env::var("STEPSTACK_BUCKET").unwrap_or_default())
}

async fn answer<F: Function>(
    function: &F,
    bucket: &Bucket,
    call: StageCall,
    deadline: Instant,
) -> Result<Slot> {
    let started = Instant::now();
    let StageCall { stage, mode, document } = call;
    let run = &document.run;
    let slot = document.stages[stage].clone();
    let ctx = Context {
        app: run.app.clone(),
        environment: run.environment.clone(),
        stage: stage.into(),
        account: std::env::var("STEPSTACK_ACCOUNT").unwrap_or_default(),
        region: std::env::var("AWS_REGION").unwrap_or_default(),
        run: run.id.clone(),
        options: run.options.clone(),
        deadline,
    };
    let mut names = Names::default();
    for (other, slot) in document.stages.iter() {
        if other != stage {
            names.extend(&slot.outputs);
        }
    }
    let mut input = Input::of(&slot, mode, now_ms(), names.clone());
    let since_ms = input.since_ms;
    let link = RunLink::new(bucket, run, stage);
    input.held_ms = run.lock_ms;
    // The first call that may write goes on from what the look has just not found. To be known as the first costs
    // a call itself.
    if mode == Mode::Make
        && slot.mode == Some(Mode::Plan)
        && let Some(look) = slot.report(stage)
        && look.absent.len() > FEW_KINDS
    {
        let creates = look.items.iter().filter(|item| item.action == Action::Create);
        let creates: BTreeSet<Name> = creates.map(|item| item.name.clone()).collect();
        if link.is_first(&creates, now_ms()).await? {
            input.absent = look.absent;
            input.noted = creates;
        }
    }
    let result = match function.resources(&ctx, &document, &names).await {
        Ok(resources) => tick(resources, &ctx, mode, input, &link).await,
        Err(error) => Err(error),
    };
    let report = match result {
        Ok(report) => report,
        // Step Functions calls again, with backoff.
        Err(error) if matches!(error.kind, ErrorKind::Transient | ErrorKind::NotReady) => {
            error!(run = run.id, %stage, kind = %error.kind, message = error.message, "look failed, to be tried again");
            return Err(Error { kind: ErrorKind::Transient, ..error });
        }
        Err(error) => failed(stage, mode, &slot, Failure::of(stage, &Name::from_tag("*"), &error)),
    };
    if report.status == Status::Failed && mode != Mode::Plan {
        bucket.record(&run.environment).lock().fail(&run.execution, stage).await?;
    }
    let report = keep(bucket, &document, stage, report, since_ms, slot.mode == Some(mode)).await?;
    info!(
        run = run.id,
        %stage,
        ?mode,
        status = ?report.status,
        items = report.items.len(),
        ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        failure = report.failure.as_ref().map(|failure| failure.message.as_str()),
        "tick"
    );
    Ok(slot.after(report, since_ms))
}

/// Puts the report into the run's record. What earlier ticks of this mode did stays on it.
async fn keep(
    bucket: &Bucket,
    document: &Document,
    stage: Stage,
    mut report: StageReport,
    since_ms: u64,
    again: bool,
) -> Result<StageReport> {
    // What a look has found travels with the document, where it is not too much.
    if report.mode == Mode::Plan && (report.is_quiet() || report.travels()) {
        return Ok(report);
    }
    let run = bucket.run(&document.run);
    let object = match report.mode {
        Mode::Plan => run.look(stage),
        Mode::Make | Mode::Remove => run.report(stage),
    };
    let removes_after_make = report.mode == Mode::Remove;
    let goes_on = (again && report.mode != Mode::Plan) || removes_after_make;
    if goes_on && let Some(earlier) = bucket.work_report(document, stage).await? {
        merge(&mut report, earlier, since_ms);
    }
    object.put(&report).await?;
    Ok(report)
}

/// A resource that an earlier tick worked on, and that is now as described, keeps what was done and when.
fn merge(report: &mut StageReport, earlier: StageReport, since_ms: u64) {
    for old in earlier.items {
        let worked = old.started_ms.is_some();
        match report.items.iter_mut().find(|item| item.name == old.name) {
            Some(item) if worked => take_over(item, old),
            None if worked && old.action.is_change() => {
                // A delete that was asked for, and is not listed any more, is done.
                let ended = old.ended_ms.or(Some(report.at_ms.max(since_ms)));
                report.items.push(Item { progress: Progress::Done, ended_ms: ended, ..old });
            }
            Some(_) | None => {}
        }
    }
}

fn take_over(item: &mut Item, old: Item) {
    item.started_ms = old.started_ms.or(item.started_ms);
    if item.progress == Progress::Done {
        item.ended_ms = item.ended_ms.or(old.ended_ms).or_else(|| Some(now_ms()));
    }
    if !item.action.is_change() {
        item.action = old.action;
        item.changes = old.changes;
        item.to = old.to;
    }
}

/// The report of a stage that could not even look.
fn failed(stage: Stage, mode: Mode, slot: &Slot, failure: Failure) -> StageReport {
    let told = Told { failure: Some(failure), at_ms: now_ms(), ..Told::default() };
    StageReport { mode, status: Status::Failed, retry_after_s: 0, ..slot.with(stage, told) }
}
