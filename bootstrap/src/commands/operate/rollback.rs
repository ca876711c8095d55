//! `rollback`: back to an earlier release.

use clap::Args;
use statemachine::message::{Operation, Parameters};

use super::start::start;
use crate::cli::{Global, Start};
use crate::error::{Code, Result};
use crate::session::Session;

/// `rollback`
#[derive(Debug, Args)]
pub struct Rollback {
    /// The release's number; else the one before the newest
    #[arg(long, value_name = "N")]
    pub to: Option<u32>,
    /// How it starts
    #[command(flatten)]
    pub start: Start,
}

pub(crate) async fn rollback(global: &Global, rollback: &Rollback) -> Result<Code> {
    let session = Session::open(global).await?;
    let parameters = Parameters { release: rollback.to, ..Parameters::default() };
    start(&session, Operation::Rollback, parameters, &rollback.start).await
}
