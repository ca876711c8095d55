//! `plan`: what an apply or a destroy would do.

use clap::Args;
use serde::Serialize;
use statemachine::message::{Operation, PlanRecord, Waiting};
use statemachine::plan::{Counts, Plan as Joined};

use super::engine::ready_to_look;
use super::look::look;
use super::outcome::end;
use crate::cli::{Global, May};
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show::{self, Page};

/// `plan`
#[derive(Debug, Args)]
pub struct Plan {
    /// Exit with 3 when there is something to do
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Show what a destroy would do
    #[arg(long)]
    pub destroy: bool,
    /// What it may do.
    #[command(flatten)]
    pub may: May,
}

/// What `plan --json` says.
#[derive(Serialize)]
struct Planned<'a> {
    id: &'a str,
    run: &'a str,
    counts: Counts,
    plan: &'a Joined,
    notes: &'a [String],
    waiting: &'a [Waiting],
}

pub(crate) async fn plan(global: &Global, plan: &Plan) -> Result<Code> {
    let (session, operation) = if plan.destroy {
        (Session::open(global).await?, Operation::PlanDestroy)
    } else {
        (Session::open_with_file(global).await?, Operation::Plan)
    };
    ready_to_look(&session).await?;
    let (run, record, result) = look(&session, operation, plan.may.options()).await?;
    let Some(record) = record else { return Ok(end(&session, &run, &result, result.duration_ms)) };
    let counts = record.plan.counts();
    if session.json {
        show::json(&Planned {
            id: &record.id,
            run: &run,
            counts,
            plan: &record.plan,
            notes: &record.notes,
            waiting: &result.waiting,
        });
    } else {
        show::lines(&show::plan::plan(&record, Page::stdout()));
        show::lines(&show::waiting(&result, Page::stdout()));
    }
    Ok(match Proposal::of(counts) {
        Proposal::Refused => Code::Refused,
        Proposal::Changes if plan.detailed_exitcode => Code::Changes,
        Proposal::Changes | Proposal::NoChanges => Code::Done,
    })
}

/// What a plan comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proposal {
    /// It cannot be carried out: something in it is refused.
    Refused,
    /// There is something to do.
    Changes,
    /// There is nothing to do.
    NoChanges,
}

impl Proposal {
    fn of(counts: Counts) -> Self {
        match counts {
            Counts { refuse: 1.., .. } => Self::Refused,
            Counts { create: 0, update: 0, delete: 0, .. } => Self::NoChanges,
            Counts { .. } => Self::Changes,
        }
    }
}

/// Shows a plan that somebody is about to be asked about. Fails where it refuses something.
pub(super) fn propose(record: &PlanRecord) -> Result<Proposal> {
    show::notes(&show::plan::plan(record, Page::stderr()));
    match Proposal::of(record.plan.counts()) {
        Proposal::Refused => {
            Err(CliError::refused("Nothing was changed: decide about what is marked with ! first."))
        }
        proposal => Ok(proposal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_comes_first_and_what_is_as_it_should_be_is_no_change() {
        let none = Counts::default();
        for (counts, expected) in [
            (none, Proposal::NoChanges),
            (Counts { keep: 9, ..none }, Proposal::NoChanges),
            (Counts { create: 1, ..none }, Proposal::Changes),
            (Counts { update: 1, ..none }, Proposal::Changes),
            (Counts { delete: 1, ..none }, Proposal::Changes),
            (Counts { refuse: 1, ..none }, Proposal::Refused),
            (Counts { refuse: 1, create: 5, ..none }, Proposal::Refused),
        ] {
            assert_eq!(Proposal::of(counts), expected, "{counts:?}");
        }
    }
}
