//! `apply`: AWS becomes as the file says.

use clap::Args;
use statemachine::message::{Operation, Outcome, RunResult};

use super::consent::{Consent, agreed, to_change};
use super::engine::ready_to_write;
use super::look::look;
use super::outcome::{end, ended, started};
use super::plan::{Proposal, propose};
use super::sample::push_if_empty;
use super::watch::{Watching, watch};
use crate::cli::{Global, May};
use crate::error::{Code, Result};
use crate::session::Session;
use crate::show::{self, View};

/// `apply`
#[derive(Debug, Args)]
pub struct Apply {
    /// Carry out exactly this plan, or stop
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Start it and return
    #[arg(long)]
    pub detach: bool,
    /// What it may do.
    #[command(flatten)]
    pub may: May,
    /// With --local: put no sample image into an empty repository
    #[arg(long)]
    pub no_sample_image: bool,
}

pub(crate) async fn apply(global: &Global, apply: &Apply) -> Result<Code> {
    let session = Session::open_with_file(global).await?;
    ready_to_write(&session, apply.yes).await?;
    let options = apply.may.options();
    let mut request = session.request(Operation::Apply, options.clone());
    request.plan.clone_from(&apply.plan);
    let agreed_to = apply.yes || apply.plan.is_some() || session.local;
    let consent = to_change(agreed_to, show::can_ask());
    if consent == Consent::ToAsk {
        let (run, record, result) = look(&session, Operation::Plan, options.clone()).await?;
        let Some(record) = record else { return Ok(end(&session, &run, &result, result.duration_ms)) };
        if propose(&record)? == Proposal::Changes {
            agreed("Carry this out?")?;
        }
        request.plan = Some(record.id);
    }
    let run = session.start(request).await?;
    if apply.detach {
        started(&session, &run);
        return Ok(Code::Done);
    }
    let pushes_sample = session.local && !apply.no_sample_image;
    let watching = Watching::new(&session)
        .showing_plan(consent == Consent::Given && !session.json)
        .pushing_sample(pushes_sample);
    let Some(view) = watch(&session, &run, watching).await? else { return Ok(Code::Done) };
    let result = ended(&view)?;
    if !(pushes_sample && is_short_of_image(result)) {
        return Ok(end(&session, &run, result, result.duration_ms));
    }
    // The image came too late for this run. Where its push started a deploy, that is the one to follow;
    // where it came before the rule that starts one, a second run does the rest.
    push_if_empty(&session).await?;
    let run = match deploy_after(&session, &run).await? {
        Some(run) => run,
        None => session.start(session.request(Operation::Apply, options)).await?,
    };
    let Some(second) = watch(&session, &run, Watching::new(&session)).await? else { return Ok(Code::Done) };
    let result = ended(&second)?;
    Ok(end(&session, &run, result, took_ms(&view, result)))
}

/// Whether a run did all that it could without an image, and waits for one.
fn is_short_of_image(result: &RunResult) -> bool {
    result.outcome == Outcome::Succeeded
        && result.waiting.iter().any(|waiting| waiting.what.contains("image"))
}

/// From the begin of the first run to the end of the last, in milliseconds.
fn took_ms(first: &View, last: &RunResult) -> u64 {
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let begun = first.record.as_ref().and_then(|record| time(&record.run.started_at));
    let both = begun.zip(time(&last.ended_at));
    let between = both.and_then(|(from, to)| u64::try_from(to.duration_since(from).as_millis()).ok());
    between.unwrap_or(last.duration_ms)
}

/// The deploy that a push has started after the run `after`, if it comes within a second.
async fn deploy_after(session: &Session, after: &str) -> Result<Option<String>> {
    for _ in 0..10 {
        if let Some(run) = session.runs().await?.into_iter().next_back().filter(|run| run.as_str() > after) {
            let record = session.run_record(&run).await?;
            if record.is_some_and(|record| record.run.operation == Operation::Deploy) {
                return Ok(Some(run));
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use statemachine::message::{Document, RunRecord};

    use super::*;

    #[test]
    fn a_command_of_two_runs_took_both_and_what_was_between() {
        let run = Document::example(Operation::Apply, None).run;
        let view = View { record: Some(RunRecord { run: run.clone(), waits_for: None }), ..View::default() };
        let mut last = RunResult::without_plan(&run, Outcome::Succeeded, String::new());
        (last.ended_at, last.duration_ms) = ("2026-11-23T10:15:07.5Z".to_owned(), 900);
        assert_eq!(took_ms(&view, &last), 7_500);
        assert_eq!(took_ms(&View::default(), &last), 900, "without a record, the last run's own");
    }
}
