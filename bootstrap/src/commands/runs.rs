//! Runs: starting one, looking by one, following one.

use record::keys;
use serde::Serialize;
use statemachine::message::{Operation, Outcome, Parameters, PlanRecord, Request, RunRecord, RunResult};
use statemachine::resource::{Name, Options};

use crate::cli::{Attach, Global, Start};
use crate::error::{CliError, Code, Result};
use crate::follow::{View, Watcher, ended, follow};
use crate::local::{has_images, push_sample};
use crate::session::{Session, saying};
use crate::show::{self, Live, Page};

impl Session {
    pub(super) fn request(&self, operation: Operation, options: Options) -> Request {
        Request {
            app: self.scope.app.clone(),
            environment: self.environment.clone(),
            operation,
            // Replaced by the key of the run, once there is one.
            config_key: self
                .file
                .as_ref()
                .filter(|_| !operation.removes_all() && !operation.is_overlay())
                .map(|_| String::new()),
            plan: None,
            parameters: Parameters::default(),
            wait: false,
            options,
            caller: self.caller.clone(),
        }
    }
}

/// Ends quietly as its run did.
pub(super) fn code_of(result: &RunResult) -> Code {
    match result.outcome {
        Outcome::Succeeded | Outcome::Planned | Outcome::NoChanges | Outcome::Noted | Outcome::Superseded => {
            Code::Done
        }
        Outcome::Blocked | Outcome::Refused => Code::Refused,
        Outcome::Stopped | Outcome::Failed => Code::Failed,
    }
}

/// What a command watches a run for.
pub(super) struct Watching<'a> {
    session: &'a Session,
    live: Live,
    /// The plan is shown as soon as it is there.
    shows_plan: bool,
    /// A sample image is put into an empty repository.
    pushes_sample: bool,
    pushed: bool,
}

impl<'a> Watching<'a> {
    pub(super) fn new(session: &'a Session) -> Self {
        Self { session, live: Live::new(), shows_plan: false, pushes_sample: false, pushed: false }
    }

    /// A way to print above what it draws.
    pub(super) fn above(&self) -> show::Above {
        self.live.above()
    }

    /// Shows the plan as soon as there is one.
    #[must_use]
    pub(super) fn showing_plan(self, shows_plan: bool) -> Self {
        Self { shows_plan, ..self }
    }

    /// Puts a sample image into the repository as soon as there is one.
    #[must_use]
    pub(super) fn pushing_sample(self, pushes_sample: bool) -> Self {
        Self { pushes_sample, ..self }
    }
}

impl Watcher for Watching<'_> {
    async fn seen(&mut self, view: &View) -> Result<()> {
        if let Some(plan) = view.plan.as_ref().filter(|_| self.shows_plan) {
            self.live.print(&show::plan::plan(plan, Page::stderr()));
            self.shows_plan = false;
        }
        let repository = Name::new("repository", "main");
        let has_repository =
            view.stages.get("foundation").is_some_and(|report| report.names.id(&repository).is_some());
        if self.pushes_sample && !self.pushed && has_repository {
            self.pushed = true;
            push_if_empty(self.session).await?;
        }
        self.live.seen(view);
        Ok(())
    }

    fn passed(&mut self, view: &View) {
        self.live.draw(view);
    }

    /// The services look for an image soon after the repository is made.
    fn hurries(&self, view: &View) -> bool {
        let repository = Name::new("repository", "main");
        let plan = view.plan.as_ref().filter(|_| self.pushes_sample && !self.pushed);
        plan.is_some_and(|record| {
            record.plan.items().any(|(_, item)| item.name == repository && item.action.is_change())
        })
    }
}

/// Puts a sample image into the stack's repository, where it holds none.
pub(super) async fn push_if_empty(session: &Session) -> Result<bool> {
    let ecr = aws_sdk_ecr::Client::new(&session.config);
    let repository = session.stack();
    let tag = session
        .file
        .as_ref()
        .and_then(|file| file.stack.image.deploy_on_push.first().cloned())
        .unwrap_or_else(|| "latest".to_owned());
    if has_images(&ecr, &repository).await? {
        return Ok(false);
    }
    push_sample(&ecr, &repository, &tag, "sample").await?;
    Ok(true)
}

/// Follows a run to its end, or until Ctrl-C: then says how to come back.
pub(super) async fn watch(session: &Session, run: &str, mut watching: Watching<'_>) -> Result<Option<View>> {
    let come_back = || session.come_back(run);
    tokio::select! {
        view = follow(session, run, &mut watching) => {
            watching.live.end(view.as_ref().ok());
            view.map(Some).map_err(|error| match error.kind {
                // A call failed, and not the run.
                Some(_) => error.help_too(&format!("The run goes on in AWS; come back with `{}`.", come_back())),
                None => error,
            })
        }
        _ = tokio::signal::ctrl_c() => {
            watching.live.end(None);
            show::note(&format!("Detached. The run {run} goes on in AWS; come back with `{}`.", come_back()));
            if session.json {
                show::json(&Started { run, attach: &come_back() });
            }
            Ok(None)
        }
    }
}

/// A run that goes on by itself, for programs.
#[derive(Serialize)]
struct Started<'a> {
    run: &'a str,
    /// The command that shows it.
    attach: &'a str,
}

/// A run that has ended, for programs.
#[derive(Serialize)]
struct Ended<'a> {
    run: &'a str,
    #[serde(flatten)]
    result: &'a RunResult,
}

/// Prints how a run ended: one JSON document, or lines. `took_ms` is the whole command's time in milliseconds.
pub(super) fn end(session: &Session, run: &str, result: &RunResult, took_ms: u64) -> Code {
    if session.json {
        show::json(&Ended { run, result });
    } else {
        show::lines(&show::result(result, took_ms, Page::stdout()));
    }
    code_of(result)
}

/// Runs a look to its end, quietly.
pub(super) async fn look(
    session: &Session,
    operation: Operation,
    options: Options,
) -> Result<(String, Option<PlanRecord>, RunResult)> {
    let progress = saying("Looking at AWS");
    let run = session.start(session.request(operation, options)).await;
    let ended = match run {
        Ok(run) => ended(session, &run).await.map(|result| (run, result)),
        Err(error) => Err(error),
    };
    progress.clear();
    let (run, result) = ended?;
    let record = match result.outcome {
        Outcome::Planned => session.get(&keys::of_run(&session.environment, &run, "plan.json")).await?,
        _ => None,
    };
    Ok((run, record, result))
}

/// Starts an operation and follows it to its end.
pub(super) async fn operate(session: &Session, mut request: Request, start: &Start) -> Result<Code> {
    request.wait = start.wait;
    let run = session.start(request).await?;
    if start.detach {
        started(session, &run);
        return Ok(Code::Done);
    }
    let watching = Watching::new(session).showing_plan(!session.json);
    let Some(view) = watch(session, &run, watching).await? else { return Ok(Code::Done) };
    let mut result = view.result.ok_or_else(|| CliError::failed("The run has no result."))?;
    if !session.json {
        // An operation changes little of what a stack puts out: `stepstack output` has the rest.
        result.outputs.retain(|name, _| matches!(name.as_str(), "image" | "release"));
    }
    Ok(end(session, &run, &result, result.duration_ms))
}

/// Says that a run goes on by itself.
pub(super) fn started(session: &Session, run: &str) {
    let attach = session.come_back(run);
    if session.json {
        show::json(&Started { run, attach: &attach });
    } else {
        show::line(&format!("Started run {run}. See it with `{attach}`."));
    }
}

pub(crate) async fn attach(global: &Global, attach: &Attach) -> Result<Code> {
    let session = Session::open(global, false).await?;
    let runs = session.runs().await?;
    let run = match &attach.run {
        Some(run) if runs.contains(run) => run.clone(),
        Some(run) => return Err(super::look::no_run(run, &runs)),
        None => runs.last().cloned().ok_or_else(|| CliError {
            code: Code::Refused,
            ..CliError::failed(format!("{} has no runs.", session.stack()))
        })?,
    };
    let record: Option<RunRecord> =
        session.get(&keys::of_run(&session.environment, &run, "request.json")).await?;
    if let Some(record) = record.filter(|_| !session.json) {
        show::note(&show::record(&record));
    }
    let watching = Watching::new(&session).showing_plan(!session.json);
    let Some(view) = watch(&session, &run, watching).await? else { return Ok(Code::Done) };
    let result = view.result.ok_or_else(|| CliError::failed("The run has no result."))?;
    Ok(end(&session, &run, &result, result.duration_ms))
}
