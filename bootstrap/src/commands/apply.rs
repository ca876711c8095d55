//! `plan`, `apply` and `destroy`: a look, and what may follow it.

use record::keys;
use serde::Serialize;
use statemachine::message::{Operation, Outcome, PlanRecord, RunRecord, RunResult, Waiting};
use statemachine::plan::{Counts, Plan as Joined};

use super::runs::{Watching, end, look, push_if_empty, started, watch};
use super::{engine, options};
use crate::cli::{Apply, Destroy, Global, Plan};
use crate::error::{CliError, Code, Result};
use crate::follow::View;
use crate::install::VERSION;
use crate::session::{Engine, Session, no_engine};
use crate::show::{self, Page};

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
    let session = Session::open(global, !plan.destroy).await?;
    ready_to_look(&session).await?;
    let operation = if plan.destroy { Operation::PlanDestroy } else { Operation::Plan };
    let options = options(plan.delete_data, false, plan.adopt, plan.allow_downtime, false);
    let (run, record, result) = look(&session, operation, options).await?;
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
    let changes = counts.create + counts.update + counts.delete > 0;
    Ok(match (counts.refuse > 0, changes && plan.detailed_exitcode) {
        (true, _) => Code::Refused,
        (false, true) => Code::Changes,
        (false, false) => Code::Done,
    })
}

/// Sees that there is an engine to look with. In local mode it is installed; elsewhere a look changes nothing.
async fn ready_to_look(session: &Session) -> Result<()> {
    if session.local {
        return engine::install(session).await.map(|_| ());
    }
    match session.engine().await? {
        Engine::Missing => return Err(no_engine(&session.scope.app)),
        Engine::Same => {}
        Engine::Older(installed) => show::note(&format!(
            "The installed engine is {installed}; this program is {VERSION}. `stepstack bootstrap` brings it up to date."
        )),
        Engine::Newer(installed) => show::note(&format!(
            "The installed engine is {installed}; this program is {VERSION}, and may not know all that it says. Install version {installed} of the program."
        )),
    }
    Ok(())
}

/// Sees that there is an engine of this version. In local mode it is simply installed; elsewhere it is offered.
/// Refused where the engine is newer.
async fn ready_to_write(session: &Session, yes: bool) -> Result<()> {
    if session.local {
        return engine::install(session).await.map(|_| ());
    }
    session.refuse_when_older().await?;
    let scope = &session.scope;
    match session.engine().await? {
        Engine::Same | Engine::Newer(_) => return Ok(()),
        Engine::Missing => show::note(&format!(
            "The engine of {} is not installed in {} {}.",
            scope.app, scope.account, scope.region
        )),
        Engine::Older(installed) => {
            show::note(&format!("The installed engine is {installed}; this program is {VERSION}."));
        }
    }
    if !yes && show::is_asked() && !show::confirm("Install it now?") {
        return Err(no_engine(&scope.app));
    }
    engine::install(session).await.map(|_| ())
}

/// Shows a plan that somebody is about to be asked about. Fails where it refuses something.
fn show_for_question(record: &PlanRecord) -> Result<()> {
    show::notes(&show::plan::plan(record, Page::stderr()));
    match record.plan.counts().refuse {
        0 => Ok(()),
        _ => Err(CliError::refused("Nothing was changed: decide about what is marked with ! first.")),
    }
}

pub(crate) async fn apply(global: &Global, apply: &Apply) -> Result<Code> {
    let session = Session::open(global, true).await?;
    ready_to_write(&session, apply.yes).await?;
    let options = options(apply.delete_data, false, apply.adopt, apply.allow_downtime, false);
    let mut request = session.request(Operation::Apply, options.clone());
    request.plan.clone_from(&apply.plan);
    let asks = !apply.yes && apply.plan.is_none() && !session.local && show::is_asked();
    if asks {
        let (run, record, result) = look(&session, Operation::Plan, options.clone()).await?;
        let Some(record) = record else { return Ok(end(&session, &run, &result, result.duration_ms)) };
        show_for_question(&record)?;
        let counts = record.plan.counts();
        if counts.create + counts.update + counts.delete > 0 && !show::confirm("Carry this out?") {
            return Err(CliError::refused("Nothing was changed: the question was not answered with yes."));
        }
        request.plan = Some(record.id);
    }
    let run = session.start(request).await?;
    if apply.detach {
        started(&session, &run);
        return Ok(Code::Done);
    }
    let pushes_sample = session.local && !apply.no_sample_image;
    let watching = Watching::new(&session).showing_plan(!asks && !session.json).pushing_sample(pushes_sample);
    let Some(view) = watch(&session, &run, watching).await? else { return Ok(Code::Done) };
    let result = ended(&view)?;
    let waits_for_image = result.waiting.iter().any(|waiting| waiting.what.contains("image"));
    if !(pushes_sample && waits_for_image && result.outcome == Outcome::Succeeded) {
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

/// How a run that was followed to its end did end.
fn ended(view: &View) -> Result<&RunResult> {
    view.result.as_ref().ok_or_else(|| CliError::failed("The run has no result."))
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
            let record: Option<RunRecord> =
                session.get(&keys::of_run(&session.environment, &run, "request.json")).await?;
            if record.is_some_and(|record| record.run.operation == Operation::Deploy) {
                return Ok(Some(run));
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(None)
}

pub(crate) async fn destroy(global: &Global, destroy: &Destroy) -> Result<Code> {
    let session = Session::open(global, false).await?;
    if !destroy.yes && !show::is_asked() {
        let error =
            CliError::usage(format!("Destroying {} needs --yes when nobody can be asked.", session.stack()));
        return Err(error.help("Look at it first with `stepstack plan --destroy`."));
    }
    session.refuse_when_older().await?;
    let options = options(destroy.delete_data, destroy.keep_data, false, false, destroy.skip_final_snapshot);
    let mut request = session.request(Operation::Destroy, options.clone());
    if !destroy.yes {
        let (run, record, result) = look(&session, Operation::PlanDestroy, options).await?;
        let Some(record) = record else { return Ok(end(&session, &run, &result, result.duration_ms)) };
        show_for_question(&record)?;
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

#[cfg(test)]
mod tests {
    use statemachine::message::Document;

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
