//! Starting an operation.

use statemachine::message::{Operation, Parameters};
use statemachine::resource::Options;

use crate::cli::Start;
use crate::commands::outcome::{end, ended, started};
use crate::commands::watch::{Watching, watch};
use crate::error::{Code, Result};
use crate::session::Session;

/// Starts an operation of these parameters, and follows it to its end.
pub(super) async fn start(
    session: &Session,
    operation: Operation,
    parameters: Parameters,
    how: &Start,
) -> Result<Code> {
    let mut request = session.request(operation, Options::default());
    (request.parameters, request.wait) = (parameters, how.wait);
    let run = session.start(request).await?;
    if how.detach {
        started(session, &run);
        return Ok(Code::Done);
    }
    let watching = Watching::new(session).showing_plan(!session.json);
    let Some(view) = watch(session, &run, watching).await? else { return Ok(Code::Done) };
    let mut result = ended(&view)?.clone();
    if !session.json {
        // An operation changes little of what a stack puts out: `stepstack output` has the rest.
        result.outputs.retain(|name, _| matches!(name.as_str(), "image" | "release"));
    }
    Ok(end(session, &run, &result, result.duration_ms))
}
