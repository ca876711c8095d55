//! Commands that read the record: what is there, and what happened.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use statemachine::lock::Lock;
use statemachine::message::{Operation, PlanRecord, RunRecord, RunResult, STAGES, StageReport, keys};
use statemachine::resource::Options;

use super::now::now;
use super::runs::look;
use crate::cli::{Global, Output, Runs, RunsCommand, State, StateCommand};
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show::{self, Page, word};

/// How many runs `runs` lists.
const RUNS: usize = 20;

async fn of_run<T: serde::de::DeserializeOwned>(
    session: &Session,
    run: &str,
    object: &str,
) -> Result<Option<T>> {
    session.get(&keys::of_run(&session.environment, run, object)).await
}

/// There is no such run; the near misses.
pub(super) fn no_run(run: &str, runs: &[String]) -> CliError {
    let begin = run.chars().take(8).collect::<String>();
    let near: Vec<&str> = runs
        .iter()
        .rev()
        .filter(|known| known.contains(run) || known.starts_with(&begin))
        .take(3)
        .map(String::as_str)
        .collect();
    let error = CliError { code: Code::Refused, ..CliError::failed(format!("There is no run {run:?}.")) };
    if near.is_empty() {
        error.help("`stepstack runs` lists them.")
    } else {
        error.help(format!("Did you mean {}?", near.join(" or ")))
    }
}

pub(crate) async fn runs(global: &Global, runs: &Runs) -> Result<Code> {
    let session = Session::open(global, false).await?;
    match &runs.command {
        None | Some(RunsCommand::List) => list(&session).await,
        Some(RunsCommand::Show { run }) => show_run(&session, run).await,
    }
}

async fn list(session: &Session) -> Result<Code> {
    let runs = session.runs().await?;
    let mut listed = Vec::new();
    for run in runs.iter().rev().take(RUNS) {
        let record: Option<RunRecord> = of_run(session, run, "request.json").await?;
        let result: Option<RunResult> = of_run(session, run, "result.json").await?;
        listed.push((run.clone(), record, result));
    }
    if session.json {
        let one = |(run, record, result): &show::Listed| {
            let outcome = result.as_ref().map_or_else(|| "running".to_owned(), |result| word(result.outcome));
            json!({
                "run": run,
                "operation": record.as_ref().map(|record| record.run.operation),
                "trigger": record.as_ref().map(|record| record.run.trigger),
                "outcome": outcome,
                "result": result,
            })
        };
        show::json(&listed.iter().map(one).collect::<Vec<_>>());
    } else if listed.is_empty() {
        show::line(&format!("{} has no runs.", session.stack()));
    } else {
        show::lines(&show::runs(&listed));
    }
    Ok(Code::Done)
}

async fn show_run(session: &Session, run: &str) -> Result<Code> {
    let runs = session.runs().await?;
    if !runs.iter().any(|known| known == run) {
        return Err(no_run(run, &runs));
    }
    let record: Option<RunRecord> = of_run(session, run, "request.json").await?;
    let plan: Option<PlanRecord> = of_run(session, run, "plan.json").await?;
    let result: Option<RunResult> = of_run(session, run, "result.json").await?;
    let reports = reports(session, run).await?;
    if session.json {
        show::json(
            &json!({ "run": run, "request": record, "plan": plan, "stages": reports, "result": result }),
        );
        return Ok(Code::Done);
    }
    if let Some(record) = record {
        show::line(&show::record(&record));
    }
    if let Some(plan) = plan {
        show::lines(&show::plan::plan(&plan, Page::stdout()));
    }
    show::line("");
    show::lines(&show::stages(reports.iter()));
    match result {
        Some(result) => show::lines(&show::result(&result, result.duration_ms, Page::stdout())),
        None => show::line("It is still running."),
    }
    Ok(Code::Done)
}

/// The stages' reports of a run, in order; those it only looked at are left out.
async fn reports(session: &Session, run: &str) -> Result<Vec<StageReport>> {
    let mut reports = Vec::new();
    for stage in STAGES {
        if let Some(report) = session.get(&keys::report(&session.environment, run, stage)).await? {
            reports.push(report);
        }
    }
    Ok(reports)
}

/// The newest run that was meant to change something, with its result.
async fn last(session: &Session) -> Result<Option<(String, RunRecord, Option<RunResult>)>> {
    for run in session.runs().await?.into_iter().rev() {
        let record: Option<RunRecord> = of_run(session, &run, "request.json").await?;
        if let Some(record) = record.filter(|record| !record.run.operation.only_looks()) {
            let result = of_run(session, &run, "result.json").await?;
            return Ok(Some((run, record, result)));
        }
    }
    Ok(None)
}

fn no_runs(session: &Session) -> CliError {
    let error = CliError {
        code: Code::Refused,
        ..CliError::failed(format!("{} was never applied.", session.stack()))
    };
    error.help("Stand it up with `stepstack apply`.")
}

pub(crate) async fn status(global: &Global) -> Result<Code> {
    let session = Session::open(global, false).await?;
    let (run, record, result) = last(&session).await?.ok_or_else(|| no_runs(&session))?;
    let lock: Option<Lock> = session.get(&keys::lock(&session.environment)).await?;
    let reports = reports(&session, &run).await?;
    let now = match session.accepted_stack().await? {
        Some(stack) => Some(now(&session, &stack, &reports).await),
        None => None,
    };
    if session.json {
        show::json(
            &json!({ "stack": session.stack(), "run": run, "request": record, "result": result, "lock": lock, "stages": reports, "now": now }),
        );
        return Ok(Code::Done);
    }
    let stack = session.stack();
    let glance = show::Glance {
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

pub(crate) async fn output(global: &Global, output: &Output) -> Result<Code> {
    let session = Session::open(global, false).await?;
    let mut outputs: Option<BTreeMap<String, String>> = None;
    for run in session.runs().await?.into_iter().rev() {
        let record: Option<RunRecord> = of_run(&session, &run, "request.json").await?;
        let operation = record.map(|record| record.run.operation);
        let destroyed = operation == Some(Operation::Destroy);
        let is_apply = operation.is_some_and(|operation| !operation.only_looks());
        let result: Option<RunResult> = of_run(&session, &run, "result.json").await?;
        if destroyed && result.as_ref().is_some_and(|result| result.failure.is_none()) {
            break;
        }
        if let Some(result) = result.filter(|result| is_apply && result.outputs.len() > 1) {
            outputs = Some(result.outputs);
            break;
        }
    }
    let outputs = outputs.ok_or_else(|| no_runs(&session))?;
    match &output.name {
        None if session.json => show::json(&outputs),
        None => {
            let rows: Vec<Vec<String>> = outputs.into_iter().map(|(name, value)| vec![name, value]).collect();
            show::lines(&show::table(&rows));
        }
        Some(name) => match outputs.get(name) {
            Some(value) if session.json => show::json(&json!({ name: value })),
            Some(value) => show::line(value),
            None => {
                let names: Vec<&str> = outputs.keys().map(String::as_str).collect();
                let error = CliError::usage(format!("There is no output {name:?}."));
                return Err(error.help(format!("There are: {}.", names.join(", "))));
            }
        },
    }
    Ok(Code::Done)
}

pub(crate) async fn state(global: &Global, state: &State) -> Result<Code> {
    let session = Session::open(global, false).await?;
    let (_, record, result) = look(&session, Operation::Plan, Options::default()).await?;
    let record = record.ok_or_else(|| CliError::failed(result.message))?;
    let mut rows = Vec::new();
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    for stage in &record.plan.stages {
        for item in &stage.items {
            let Some(id) = stage.names.id(&item.name) else { continue };
            let prefix = format!("{}#", item.name);
            let attributes: BTreeMap<&str, &str> = stage
                .names
                .iter()
                .filter_map(|(name, value)| Some((name.as_str().strip_prefix(&prefix)?, value)))
                .collect();
            rows.push(vec![stage.stage.clone(), item.name.to_string(), id.to_owned()]);
            let value = json!({
                "stage": stage.stage, "name": item.name, "id": id, "attributes": attributes,
                "state": word(item.action), "differs": item.changes,
            });
            all.insert(item.name.to_string(), value);
        }
    }
    match &state.command {
        StateCommand::Pull => show::json(&all.values().collect::<Vec<_>>()),
        StateCommand::List if session.json => show::json(&all.values().collect::<Vec<_>>()),
        StateCommand::List => show::lines(&show::table(&rows)),
        StateCommand::Show { name } => {
            if let Some(value) = all.get(name) {
                show::json(value);
            } else {
                let near: Vec<&str> = all
                    .keys()
                    .filter(|known| {
                        known.contains(name.as_str())
                            || name.contains(known.split('@').next().unwrap_or(known))
                    })
                    .take(3)
                    .map(String::as_str)
                    .collect();
                let error = CliError {
                    code: Code::Refused,
                    ..CliError::failed(format!("There is no resource {name:?}."))
                };
                return Err(if near.is_empty() {
                    error.help("`stepstack state list` lists them.")
                } else {
                    error.help(format!("Did you mean {}?", near.join(" or ")))
                });
            }
        }
    }
    Ok(Code::Done)
}
