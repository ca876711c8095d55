//! `rotate`: a new password of the database.

use clap::Args;
use statemachine::message::{Operation, Parameters};

use super::start::start;
use crate::cli::{Global, Start};
use crate::commands::consent::{Consent, agreed, to_change};
use crate::error::{Code, Result};
use crate::session::Session;
use crate::show;

/// `rotate`
#[derive(Debug, Args)]
pub struct Rotate {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// How it starts
    #[command(flatten)]
    pub start: Start,
}

pub(crate) async fn rotate(global: &Global, rotate: &Rotate) -> Result<Code> {
    let session = Session::open(global).await?;
    show::note(
        "The database gets a new password, and every service new tasks with it. From the change until the last task is replaced, new connections of the old tasks fail.",
    );
    if to_change(rotate.yes, show::can_ask()) == Consent::ToAsk {
        agreed("Go on?")?;
    }
    start(&session, Operation::Rotate, Parameters::default(), &rotate.start).await
}
