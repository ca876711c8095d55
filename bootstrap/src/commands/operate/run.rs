//! `run`: one command in a task of its own, its log as it comes, and its exit code.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use clap::Args;
use statemachine::Stage;
use statemachine::message::{Operation, Parameters, RunResult};
use statemachine::naming::resource;
use statemachine::resource::Options;

use crate::cli::{Global, Start};
use crate::commands::logs::page;
use crate::commands::outcome::{code_of, end, ended, started};
use crate::commands::watch::{Watching, watch};
use crate::error::{Code, Result};
use crate::session::Session;
use crate::show::{self, Above, Page};

/// How often the log of a running task is read.
const READ_EVERY: Duration = Duration::from_millis(700);
/// CloudWatch shows a line some moments after it was written: a log is at its end when nothing has come for so
/// long after the task's end,
const QUIET: Duration = Duration::from_millis(1_500);
/// or after this.
const LATEST: Duration = Duration::from_secs(10);

/// `run`
#[derive(Debug, Args)]
pub struct Run {
    /// The service whose task definition is used
    #[arg(long)]
    pub service: Option<String>,
    /// How it starts
    #[command(flatten)]
    pub start: Start,
    /// The command, word by word; it stands in the run's record
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

/// Standard output is the command's own, as if it ran here: what is said of the run goes to standard error.
/// With `--json` it is the other way round.
pub(crate) async fn run(global: &Global, run: &Run) -> Result<Code> {
    let session = Session::open(global).await?;
    let mut request = session.request(Operation::Run, Options::default());
    request.wait = run.start.wait;
    request.parameters = Parameters {
        command: run.command.clone(),
        services: run.service.clone().into_iter().collect(),
        ..Parameters::default()
    };
    let id = session.start(request).await?;
    if run.start.detach {
        started(&session, &id);
        return Ok(Code::Done);
    }
    let watching = Watching::new(&session);
    let mut log = TaskLog { session: &session, run: &id, above: watching.above(), seen: BTreeSet::new() };
    let view = tokio::select! {
        view = watch(&session, &id, watching) => view?,
        never = log.stream() => match never {},
    };
    let Some(view) = view else { return Ok(Code::Done) };
    log.read_to_end().await;
    let result = ended(&view)?;
    if session.json {
        end(&session, &id, result, result.duration_ms);
    } else if exit_code(result).is_none() {
        show::notes(&show::result(result, result.duration_ms, Page::stderr()));
    }
    Ok(exit_code(result).unwrap_or(code_of(result)))
}

/// The command's own exit code, where it ran to its end. Codes that a process here cannot have become 1.
fn exit_code(result: &RunResult) -> Option<Code> {
    result.exit_code.map(|code| Code::Command(u8::try_from(code).unwrap_or(1)))
}

/// The log of a run's task, printed as it comes.
struct TaskLog<'a> {
    session: &'a Session,
    run: &'a str,
    above: Above,
    /// CloudWatch's ids of the lines that were printed.
    seen: BTreeSet<String>,
}

impl TaskLog<'_> {
    /// Reads until it is dropped.
    async fn stream(&mut self) -> std::convert::Infallible {
        loop {
            self.read().await;
            tokio::time::sleep(READ_EVERY).await;
        }
    }

    /// Reads what was written last, once the task has ended. A task that never began has no log.
    async fn read_to_end(&mut self) {
        let begun = Instant::now();
        let mut last = begun;
        while let Some(news) = self.read().await {
            if news {
                last = Instant::now();
            }
            if last.elapsed() >= QUIET || begun.elapsed() >= LATEST {
                return;
            }
            tokio::time::sleep(READ_EVERY).await;
        }
    }

    /// Prints what is new, and answers whether anything was; `None` where there is no task. A log that cannot be
    /// read is no failure of the command.
    async fn read(&mut self) -> Option<bool> {
        let report = self.session.report(self.run, Stage::Services).await.ok().flatten()?;
        let task = resource::run_task();
        let (stream, service) =
            (report.names.attribute(&task, "log_stream")?, report.names.attribute(&task, "service")?);
        let client = aws_sdk_cloudwatchlogs::Client::new(&self.session.config);
        let request = client
            .filter_log_events()
            .log_group_name(self.session.log_group(service))
            .log_stream_names(stream);
        let mut news = false;
        for event in page(request).await.unwrap_or_default() {
            if self.seen.insert(event.event_id().unwrap_or_default().to_owned()) {
                news = true;
                let text = event.message().unwrap_or_default().trim_end();
                self.above.print(|| if self.session.json { show::note(text) } else { show::line(text) });
            }
        }
        Some(news)
    }
}

#[cfg(test)]
mod tests {
    use statemachine::message::{Document, Outcome};

    use super::*;

    #[test]
    fn the_command_s_own_code_is_the_program_s() {
        let run = Document::example(Operation::Run, None).run;
        let code = |code: Option<i32>| {
            let result = RunResult::without_plan(&run, Outcome::Failed, String::new());
            exit_code(&RunResult { exit_code: code, ..result }).map(Code::number)
        };
        assert_eq!(code(Some(0)), Some(0));
        assert_eq!(code(Some(137)), Some(137));
        assert_eq!(code(Some(-1)), Some(1));
        assert_eq!(code(Some(256)), Some(1));
        assert_eq!(code(None), None, "it never ran");
    }
}
