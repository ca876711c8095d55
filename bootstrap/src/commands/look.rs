//! Commands that read the record: what is there, and what happened.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use record::keys;
use serde_json::{Value, json};
use statemachine::config::near;
use statemachine::message::{Operation, Outcome, PlanRecord, RunRecord, RunResult, STAGES, StageReport};
use statemachine::resource::Options;

use super::runs::look;
use crate::cli::{Global, Output, Runs, RunsCommand, State, StateCommand};
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show::{self, Page, word};

/// How many runs `runs` lists.
const RUNS: usize = 20;

pub(super) async fn of_run<T: serde::de::DeserializeOwned>(
    session: &Session,
    run: &str,
    object: &str,
) -> Result<Option<T>> {
    session.get(&keys::of_run(&session.environment, run, object)).await
}

/// There is no such run; the near misses.
pub(super) fn no_run(run: &str, runs: &[String]) -> CliError {
    let known: Vec<&str> = runs.iter().rev().map(String::as_str).collect();
    let begin = run.chars().take(8).collect::<String>();
    let like = |known: &&&str| known.contains(run) || known.starts_with(&begin);
    let near: Vec<&str> = match near(run, &known) {
        Some(near) => vec![near],
        None => known.iter().filter(like).take(3).copied().collect(),
    };
    let error = CliError::refused(format!("There is no run {run:?}."));
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
    let listed = runs.iter().rev().take(RUNS).map(|run| async move {
        let (record, result) =
            tokio::try_join!(of_run(session, run, "request.json"), of_run(session, run, "result.json"))?;
        Ok::<show::Listed, CliError>((run.clone(), record, result))
    });
    let listed = try_join_all(listed).await?;
    if session.json {
        let one = |(run, record, result): &show::Listed| {
            let outcome = result.as_ref().map_or_else(|| "running".to_owned(), |result| word(result.outcome));
            json!({
                "run": run,
                "operation": record.as_ref().map(|record| record.run.operation),
                "trigger": record.as_ref().map(|record| record.run.trigger),
                "caller": record.as_ref().and_then(|record| record.run.caller.as_ref()),
                "started_at": record.as_ref().map(|record| &record.run.started_at),
                "outcome": outcome,
                "release": result.as_ref().and_then(|result| result.outputs.get("release")),
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
    let page = Page::stdout();
    if let Some(record) = &record {
        show::lines(&page.fit(&show::record(record), 0));
        show::lines(&show::asked(record).iter().flat_map(|told| page.fit(told, 2)).collect::<Vec<_>>());
        if let Some(other) = record.waits_for.as_ref().filter(|_| result.is_none()) {
            show::line(&format!("It waits for run {other}."));
        }
    }
    if let Some(plan) = plan {
        show::lines(&show::plan::plan(&plan, page));
    }
    let timeline = show::timeline(record.as_ref(), reports.iter(), page);
    if !timeline.is_empty() {
        show::line("");
        show::lines(&timeline);
        show::line("");
    }
    match result {
        Some(result) => show::lines(&show::result(&result, result.duration_ms, page)),
        None => show::line("It is still running."),
    }
    Ok(Code::Done)
}

/// The stages' reports of a run, in order; those it only looked at are left out.
pub(super) async fn reports(session: &Session, run: &str) -> Result<Vec<StageReport>> {
    let mut reports = Vec::new();
    for stage in STAGES {
        if let Some(report) = session.get(&keys::report(&session.environment, run, stage)).await? {
            reports.push(report);
        }
    }
    Ok(reports)
}

pub(super) fn no_runs(session: &Session) -> CliError {
    let error = CliError::refused(format!("{} was never applied.", session.stack()));
    error.help("Stand it up with `stepstack apply`.")
}

/// What the newest run that ended well put out; `None` when there was none since the last destroy. `runs` are
/// the newest first.
pub(super) async fn outputs(session: &Session, runs: &[String]) -> Result<Option<BTreeMap<String, String>>> {
    for run in runs {
        let record: Option<RunRecord> = of_run(session, run, "request.json").await?;
        let Some(operation) = record.map(|record| record.run.operation) else { continue };
        if operation.only_looks() {
            continue;
        }
        let result: Option<RunResult> = of_run(session, run, "result.json").await?;
        let Some(result) = result.filter(|result| result.failure.is_none()) else { continue };
        if operation == Operation::Destroy && result.outcome == Outcome::Succeeded {
            return Ok(None);
        }
        // A run that ended early has put out nothing.
        if result.outputs.len() > 1 {
            return Ok(Some(result.outputs));
        }
    }
    Ok(None)
}

pub(crate) async fn output(global: &Global, output: &Output) -> Result<Code> {
    let session = Session::open(global, false).await?;
    let runs: Vec<String> = session.runs().await?.into_iter().rev().collect();
    let outputs = outputs(&session, &runs).await?.ok_or_else(|| no_runs(&session))?;
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
                let error = CliError::refused(format!("There is no resource {name:?}."));
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
