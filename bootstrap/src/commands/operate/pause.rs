//! `pause` and `resume`: what costs stops while nobody uses it.

use statemachine::config::{Price, monthly_savings};
use statemachine::message::{Operation, Parameters};

use super::start::start;
use crate::cli::{Global, Start};
use crate::error::{Code, Result};
use crate::session::Session;
use crate::show;

pub(crate) async fn pause(global: &Global, how: &Start) -> Result<Code> {
    let session = Session::open(global).await?;
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
    let session = Session::open(global).await?;
    start(&session, Operation::Resume, Parameters::default(), how).await
}
