//! One call of a stage's function: what it starts from is gathered, a tick goes as far as AWS lets it, and its report is
//! kept.

use std::collections::BTreeSet;
use std::time::Instant;

use aws::Function;
use record::Bucket;
use statemachine::message::{Document, Failure, Mode, Slot, StageCall, StageReport, Status, Told};
use statemachine::plan::Action;
use statemachine::resource::{Context, Name, Names};
use statemachine::tick::{Input, now_ms, tick};
use statemachine::{Error, ErrorKind, Result, Stage};
use tracing::{error, info};

use crate::link::RunLink;
use crate::merge::merge;

/// So many kinds are looked at again sooner than a call is spent on not having to.
const FEW_KINDS: usize = 3;

/// Answers the stage's next slot. `Transient` where Step Functions is to call again, with backoff.
pub(crate) async fn answer<F: Function>(
    function: &F,
    bucket: &Bucket,
    call: StageCall,
    deadline: Instant,
) -> Result<Slot> {
    let started = Instant::now();
    let StageCall { stage, mode, document } = call;
    let (run, slot) = (&document.run, &document.stages[stage]);
    let (ctx, names) = (context(&document, stage, deadline), names_of_others(&document, stage));
    let link = RunLink::new(bucket, run, stage);
    let input = Input { held_ms: run.lock_ms, ..Input::of(slot, mode, now_ms(), names.clone()) };
    let since_ms = input.since_ms;
    let input = go_on_from_look(input, slot, stage, mode, &link).await?;
    let result = match function.resources(&ctx, &document, &names).await {
        Ok(resources) => tick(resources, &ctx, mode, input, &link).await,
        Err(error) => Err(error),
    };
    let report = match result {
        Ok(report) => report,
        Err(error) if error.kind.is_passing() => {
            error!(run = run.id, %stage, kind = %error.kind, message = error.message, "look failed, to be tried again");
            return Err(Error { kind: ErrorKind::Transient, ..error });
        }
        Err(error) => failed(stage, mode, slot, Failure::of(stage, &Name::from_tag("*"), &error)),
    };
    if report.status == Status::Failed && mode != Mode::Plan {
        bucket.record(&run.environment).lock().fail(&run.execution, stage).await?;
    }
    let report = keep(bucket, &document, stage, report, since_ms).await?;
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

fn context(document: &Document, stage: Stage, deadline: Instant) -> Context {
    let run = &document.run;
    Context {
        app: run.app.clone(),
        environment: run.environment.clone(),
        stage: stage.into(),
        account: std::env::var("STEPSTACK_ACCOUNT").unwrap_or_default(),
        region: std::env::var("AWS_REGION").unwrap_or_default(),
        run: run.id.clone(),
        options: run.options.clone(),
        deadline,
    }
}

/// The ids that the other stages own.
fn names_of_others(document: &Document, stage: Stage) -> Names {
    let mut names = Names::default();
    for (_, slot) in document.stages.iter().filter(|(other, _)| *other != stage) {
        names.extend(&slot.outputs);
    }
    names
}

/// The input of the first call that may write goes on from what the look has just not found. To be known as the first
/// costs a call itself.
async fn go_on_from_look(
    input: Input,
    slot: &Slot,
    stage: Stage,
    mode: Mode,
    link: &RunLink<'_>,
) -> Result<Input> {
    let Some(FirstTick { absent, creates }) = first_tick(slot, stage, mode) else { return Ok(input) };
    if !link.is_first(&creates, now_ms()).await? {
        return Ok(input);
    }
    Ok(Input { absent, noted: creates, ..input })
}

/// What the first tick that may write knows from the look.
struct FirstTick {
    absent: BTreeSet<String>,
    creates: BTreeSet<Name>,
}

/// What a tick may know from the look, if it is the first after it and that spares enough.
fn first_tick(slot: &Slot, stage: Stage, mode: Mode) -> Option<FirstTick> {
    if mode != Mode::Make || slot.mode != Some(Mode::Plan) {
        return None;
    }
    let look = slot.report(stage).filter(|look| look.absent.len() > FEW_KINDS)?;
    let creates = look.items.iter().filter(|item| item.action == Action::Create);
    Some(FirstTick { creates: creates.map(|item| item.name.clone()).collect(), absent: look.absent })
}

/// Puts the report into the run's record. What earlier ticks of this mode did stays on it.
async fn keep(
    bucket: &Bucket,
    document: &Document,
    stage: Stage,
    mut report: StageReport,
    since_ms: u64,
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
    let goes_on = match report.mode {
        Mode::Plan => false,
        Mode::Make => document.stages[stage].mode == Some(Mode::Make),
        // What was made is in the same report.
        Mode::Remove => true,
    };
    if goes_on && let Some(earlier) = bucket.work_report(document, stage).await? {
        merge(&mut report, earlier, since_ms);
    }
    object.put(&report).await?;
    Ok(report)
}

/// The report of a stage that could not even look.
fn failed(stage: Stage, mode: Mode, slot: &Slot, failure: Failure) -> StageReport {
    let told = Told { failure: Some(failure), at_ms: now_ms(), ..Told::default() };
    StageReport { mode, status: Status::Failed, retry_after_s: 0, ..slot.with(stage, told) }
}
