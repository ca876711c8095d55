//! `scale`: how many tasks run.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use statemachine::message::{Operation, Outcome, Parameters};

use super::start::start;
use crate::cli::{Global, Start};
use crate::commands::missing::no_environment;
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show;

/// `scale`
#[derive(Debug, Args)]
pub struct Scale {
    /// `SERVICE=COUNT`; with --reset services alone
    #[arg(value_name = "SERVICE=COUNT", required_unless_present = "reset")]
    pub counts: Vec<String>,
    /// Back to what the file says, for these services or for all
    #[arg(long)]
    pub reset: bool,
    /// How it starts
    #[command(flatten)]
    pub start: Start,
}

pub(crate) async fn scale(global: &Global, scale: &Scale) -> Result<Code> {
    let session = Session::open(global).await?;
    let counts = if scale.reset { reset(&session, &scale.counts).await? } else { set(&scale.counts)? };
    if counts.is_empty() {
        return Ok(nothing_to_do(&session, "Nothing was scaled: every count is the file's."));
    }
    let parameters = Parameters { counts, ..Parameters::default() };
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

/// Services with the counts that they are to have; `None` is the file's.
type CountsOf = BTreeMap<String, Option<u32>>;

fn set(words: &[String]) -> Result<CountsOf> {
    words.iter().map(|word| count(word).map(|(service, count)| (service, Some(count)))).collect()
}

/// Services back at the file's counts: those that are named, else all that were scaled.
async fn reset(session: &Session, words: &[String]) -> Result<CountsOf> {
    if words.is_empty() {
        let intent = session.intent().await?.ok_or_else(|| no_environment(session))?;
        return Ok(intent.counts.into_keys().map(|service| (service, None)).collect());
    }
    words.iter().map(|word| service(word).map(|service| (service, None))).collect()
}

/// `api=3`
fn count(word: &str) -> Result<(String, u32)> {
    let Some((service, count)) = word.split_once('=') else {
        return Err(wrong(word, &format!("Write `stepstack scale {word}=3`.")));
    };
    match count.parse() {
        Ok(count) if !service.is_empty() => Ok((service.to_owned(), count)),
        _ => Err(wrong(word, "A count is a whole number, 0 or more: `stepstack scale api=3`.")),
    }
}

/// `api`, for a reset.
fn service(word: &str) -> Result<String> {
    if word.contains('=') {
        return Err(wrong(word, "With --reset the file's count is taken: name the service alone."));
    }
    Ok(word.to_owned())
}

fn wrong(word: &str, help: &str) -> CliError {
    CliError::usage(format!("{word:?} is no SERVICE=COUNT.")).help(help)
}

#[cfg(test)]
mod tests {
    use super::{count, service};

    #[test]
    fn counts_are_read_and_what_is_none_says_how_it_is_written() {
        assert_eq!(count("api=3").expect("a count"), ("api".to_owned(), 3));
        assert_eq!(count("api=0").expect("a count"), ("api".to_owned(), 0));
        assert_eq!(service("api").expect("a reset"), "api");
        let wrong = ["api", "api=", "api=-1", "=3", "api=x"].map(|word| (word, count(word).err()));
        for (word, error) in wrong.into_iter().chain([("api=3", service("api=3").err())]) {
            let error = error.expect(word);
            assert_eq!(error.code.number(), 2);
            assert!(error.help.is_some());
        }
    }
}
