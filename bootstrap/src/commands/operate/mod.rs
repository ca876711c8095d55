//! The day-to-day of a running environment. Each command starts a run of its own; what is asked for and
//! refused is the engine's business, so that every trigger is answered alike.

mod cancel;
mod database;
mod exec;
mod image;
mod task;
mod uploads;

use record::keys;
use serde::Serialize;
use statemachine::config::{Price, monthly_savings, near};
use statemachine::message::{Intent, Operation, Outcome, Parameters};
use statemachine::resource::Options;

use super::runs::operate;
use crate::cli::{Global, Restart, Rollback, Scale, Start};
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show;

pub(crate) use cancel::cancel;
pub(crate) use database::{rotate, snapshot};
pub(crate) use exec::exec;
pub(crate) use image::build_and_push;
pub(crate) use task::run;
pub(crate) use uploads::objects;

/// Starts an operation of these parameters.
async fn start(
    session: &Session,
    operation: Operation,
    parameters: Parameters,
    start: &Start,
) -> Result<Code> {
    let mut request = session.request(operation, Options::default());
    request.parameters = parameters;
    operate(session, request, start).await
}

/// What was asked of the environment; fails where it does not exist.
async fn intent(session: &Session) -> Result<Intent> {
    let intent: Option<Intent> = session.get(&keys::intent(&session.environment)).await?;
    intent.ok_or_else(|| no_environment(session))
}

/// The environment does not exist.
pub(super) fn no_environment(session: &Session) -> CliError {
    let stack = session.stack();
    CliError::refused(format!("{stack} does not exist: it was never applied, or it was destroyed."))
}

pub(crate) async fn rollback(global: &Global, rollback: &Rollback) -> Result<Code> {
    let session = Session::open(global, false).await?;
    let parameters = Parameters { release: rollback.to, ..Parameters::default() };
    start(&session, Operation::Rollback, parameters, &rollback.start).await
}

pub(crate) async fn scale(global: &Global, scale: &Scale) -> Result<Code> {
    let session = Session::open(global, false).await?;
    let mut counts =
        scale.counts.iter().map(|asked| count(asked, scale.reset)).collect::<Result<Vec<_>>>()?;
    if scale.reset && counts.is_empty() {
        counts = intent(&session).await?.counts.into_keys().map(|service| (service, None)).collect();
        if counts.is_empty() {
            return Ok(nothing_to_do(&session, "Nothing was scaled: every count is the file's."));
        }
    }
    let parameters = Parameters { counts: counts.into_iter().collect(), ..Parameters::default() };
    start(&session, Operation::Scale, parameters, &scale.start).await
}

/// Says that it is so already: no run is needed for it.
fn nothing_to_do(session: &Session, message: &str) -> Code {
    if session.json {
        show::json(&NothingToDo { outcome: Outcome::NoChanges, message });
    } else {
        show::line(message);
    }
    Code::Done
}

/// What a run would have said, without a run.
#[derive(Serialize)]
struct NothingToDo<'a> {
    outcome: Outcome,
    message: &'a str,
}

/// `api=3`; `api` alone for a reset.
fn count(asked: &str, reset: bool) -> Result<(String, Option<u32>)> {
    let wrong = |help: &str| CliError::usage(format!("{asked:?} is no SERVICE=COUNT.")).help(help);
    match (asked.split_once('='), reset) {
        (None, true) => Ok((asked.to_owned(), None)),
        (Some(_), true) => Err(wrong("With --reset the file's count is taken: name the service alone.")),
        (None, false) => Err(wrong(&format!("Write `stepstack scale {asked}=3`."))),
        (Some((service, count)), false) => match count.parse() {
            Ok(count) if !service.is_empty() => Ok((service.to_owned(), Some(count))),
            _ => Err(wrong("A count is a whole number, 0 or more: `stepstack scale api=3`.")),
        },
    }
}

pub(crate) async fn restart(global: &Global, restart: &Restart) -> Result<Code> {
    let session = Session::open(global, false).await?;
    let parameters = Parameters { services: restart.services.clone(), ..Parameters::default() };
    start(&session, Operation::Restart, parameters, &restart.start).await
}

pub(crate) async fn pause(global: &Global, how: &Start) -> Result<Code> {
    let session = Session::open(global, false).await?;
    if !session.json {
        for line in savings(&session).await? {
            show::note(&line);
        }
    }
    start(&session, Operation::Pause, Parameters::default(), how).await
}

/// What a pause saves, and what still costs, a month.
async fn savings(session: &Session) -> Result<Vec<String>> {
    let Some(stack) = session.accepted_stack().await? else { return Ok(Vec::new()) };
    let words = |prices: &[Price]| {
        let total: f64 = prices.iter().map(|price| price.dollars).sum();
        let each: Vec<String> =
            prices.iter().map(|price| format!("{} ${:.2}", price.what, price.dollars)).collect();
        format!("${total:.2} a month ({})", each.join(", "))
    };
    let (saved, stays) = monthly_savings(&stack);
    Ok(vec![
        format!("A pause saves about {}.", words(&saved)),
        format!("What stays costs about {}, and what is stored.", words(&stays)),
    ])
}

pub(crate) async fn resume(global: &Global, how: &Start) -> Result<Code> {
    let session = Session::open(global, false).await?;
    start(&session, Operation::Resume, Parameters::default(), how).await
}

/// There is no such thing of this kind; the near misses.
pub(super) fn unknown(what: &str, asked: &str, known: &[String]) -> CliError {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let error = CliError::refused(format!("There is no {what} {asked:?}."));
    match near(asked, &names) {
        Some(near) => error.help(format!("Did you mean {near:?}?")),
        None if names.is_empty() => error.help(format!("There is no {what} at all yet.")),
        None => error.help(format!("There are: {}.", names.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn counts_are_read_and_what_is_none_says_how_it_is_written() {
        assert_eq!(count("api=3", false).expect("a count"), ("api".to_owned(), Some(3)));
        assert_eq!(count("api=0", false).expect("a count"), ("api".to_owned(), Some(0)));
        assert_eq!(count("api", true).expect("a reset"), ("api".to_owned(), None));
        for (asked, reset) in [
            ("api", false),
            ("api=", false),
            ("api=-1", false),
            ("=3", false),
            ("api=x", false),
            ("api=3", true),
        ] {
            let error = count(asked, reset).expect_err(asked);
            assert_eq!(error.code.number(), 2);
            assert!(error.help.is_some());
        }
    }
}
