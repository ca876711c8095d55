//! `runs`: what happened.

use clap::{Args, Subcommand};
use futures_util::future::try_join_all;
use serde_json::json;

use super::missing::no_run;
use crate::cli::Global;
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show::{self, Page, word};

/// How many runs `runs` lists.
const RUNS: usize = 20;

/// `runs`
#[derive(Debug, Args)]
pub struct Runs {
    /// What to do
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
}

/// What can be asked of runs.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List them
    List,
    /// Show one: request, plan, timeline, result
    Show {
        /// The run's id
        run: String,
    },
}

pub(crate) async fn runs(global: &Global, runs: &Runs) -> Result<Code> {
    let session = Session::open(global).await?;
    match &runs.command {
        None | Some(RunsCommand::List) => list(&session).await,
        Some(RunsCommand::Show { run }) => show_run(&session, run).await,
    }
}

async fn list(session: &Session) -> Result<Code> {
    let runs = session.runs().await?;
    let listed = runs.iter().rev().take(RUNS).map(|run| async move {
        let (record, result) = tokio::try_join!(session.run_record(run), session.run_result(run))?;
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
    let record = session.run_record(run).await?;
    let plan = session.plan_record(run).await?;
    let result = session.run_result(run).await?;
    let reports = session.reports(run).await?;
    if session.json {
        show::json(
            &json!({ "run": run, "request": record, "plan": plan, "stages": reports, "result": result }),
        );
        return Ok(Code::Done);
    }
    let page = Page::stdout();
    if let Some(record) = &record {
        show::lines(&page.fit(&show::record(record), 0));
        show::lines(&show::parameters(record).iter().flat_map(|told| page.fit(told, 2)).collect::<Vec<_>>());
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
