//! `destroy`: everything goes.

use clap::Args;
use statemachine::message::Operation;
use statemachine::resource::{DataPolicy, Options};

use super::consent::{Consent, needs_yes, to_remove};
use super::look::look;
use super::outcome::{end, ended, started};
use super::plan::propose;
use super::watch::{Watching, watch};
use crate::cli::Global;
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show;

/// `destroy`
#[derive(Debug, Args)]
pub struct Destroy {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Start it and return
    #[arg(long)]
    pub detach: bool,
    /// Objects, images and records go too
    #[arg(long, conflicts_with = "keep_data")]
    pub delete_data: bool,
    /// What holds data stays, and is listed
    #[arg(long)]
    pub keep_data: bool,
    /// Take no final snapshot of the database
    #[arg(long)]
    pub skip_final_snapshot: bool,
}

impl Destroy {
    /// What it may do, as the engine is told it.
    fn options(&self) -> Options {
        let data = match (self.delete_data, self.keep_data) {
            (true, _) => DataPolicy::Delete,
            (false, true) => DataPolicy::Keep,
            (false, false) => DataPolicy::Refuse,
        };
        Options { data, skip_final_snapshot: self.skip_final_snapshot, ..Options::default() }
    }
}

pub(crate) async fn destroy(global: &Global, destroy: &Destroy) -> Result<Code> {
    let session = Session::open(global).await?;
    let consent = to_remove(destroy.yes, show::can_ask());
    if consent == Consent::Missing {
        let error = needs_yes(&format!("Destroying {}", session.stack()));
        return Err(error.help("Look at it first with `stepstack plan --destroy`."));
    }
    session.refuse_when_older().await?;
    let options = destroy.options();
    let mut request = session.request(Operation::Destroy, options.clone());
    if consent == Consent::ToAsk {
        let (run, record, result) = look(&session, Operation::PlanDestroy, options).await?;
        let Some(record) = record else { return Ok(end(&session, &run, &result, result.duration_ms)) };
        propose(&record)?;
        let typed =
            show::typed(&format!("Type the environment's name ({}) to destroy it", session.environment));
        if typed.trim() != session.environment {
            return Err(CliError::refused("Nothing was changed: that is not the environment's name."));
        }
        // What is destroyed is what was shown, or nothing.
        request.plan = Some(record.id);
    }
    let run = session.start(request).await?;
    if destroy.detach {
        started(&session, &run);
        return Ok(Code::Done);
    }
    let watching = Watching::new(&session).showing_plan(destroy.yes && !session.json);
    let Some(view) = watch(&session, &run, watching).await? else { return Ok(Code::Done) };
    let result = ended(&view)?;
    Ok(end(&session, &run, result, result.duration_ms))
}
