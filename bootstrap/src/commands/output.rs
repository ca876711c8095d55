//! `output`: what the last run put out.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::json;
use statemachine::message::{Operation, Outcome};

use super::missing::no_runs;
use crate::cli::Global;
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show;

/// `output`
#[derive(Debug, Args)]
pub struct Output {
    /// `url`, `name_servers`, `repository`, `database_endpoint`, …
    pub name: Option<String>,
}

pub(crate) async fn output(global: &Global, output: &Output) -> Result<Code> {
    let session = Session::open(global).await?;
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

/// What the newest run that ended well put out; `None` when there was none since the last destroy. `runs` are
/// the newest first.
pub(super) async fn outputs(session: &Session, runs: &[String]) -> Result<Option<BTreeMap<String, String>>> {
    for run in runs {
        let Some(operation) = session.run_record(run).await?.map(|record| record.run.operation) else {
            continue;
        };
        if operation.only_looks() {
            continue;
        }
        let result = session.run_result(run).await?;
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
