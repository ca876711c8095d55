//! `restart`: new tasks of the same image.

use clap::Args;
use statemachine::message::{Operation, Parameters};

use super::start::start;
use crate::cli::{Global, Start};
use crate::error::{Code, Result};
use crate::session::Session;

/// `restart`
#[derive(Debug, Args)]
pub struct Restart {
    /// The services; else all
    pub services: Vec<String>,
    /// How it starts
    #[command(flatten)]
    pub start: Start,
}

pub(crate) async fn restart(global: &Global, restart: &Restart) -> Result<Code> {
    let session = Session::open(global).await?;
    let parameters = Parameters { services: restart.services.clone(), ..Parameters::default() };
    start(&session, Operation::Restart, parameters, &restart.start).await
}
