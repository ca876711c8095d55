//! `attach`: a run as it goes, from any machine.

use clap::Args;

use super::missing::no_run;
use super::outcome::{end, ended};
use super::watch::{Watching, watch};
use crate::cli::Global;
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show;

/// `attach`
#[derive(Debug, Args)]
pub struct Attach {
    /// The run; else the newest
    pub run: Option<String>,
}

pub(crate) async fn attach(global: &Global, attach: &Attach) -> Result<Code> {
    let session = Session::open(global).await?;
    let runs = session.runs().await?;
    let run = match &attach.run {
        Some(run) if runs.contains(run) => run.clone(),
        Some(run) => return Err(no_run(run, &runs)),
        None => runs
            .last()
            .cloned()
            .ok_or_else(|| CliError::refused(format!("{} has no runs.", session.stack())))?,
    };
    let record = session.run_record(&run).await?;
    if let Some(record) = record.filter(|_| !session.json) {
        show::note(&show::record(&record));
    }
    let watching = Watching::new(&session).showing_plan(!session.json);
    let Some(view) = watch(&session, &run, watching).await? else { return Ok(Code::Done) };
    let result = ended(&view)?;
    Ok(end(&session, &run, result, result.duration_ms))
}
