//! Commands that start a run, or follow one.

use aws::failed;
use serde_json::json;
use statemachine::config::near;
use statemachine::error::Optional as _;
use statemachine::message::{
    Operation, Outcome, Parameters, PlanRecord, Request, RunRecord, RunResult, keys,
};
use statemachine::resource::{Name, Options};

use super::{engine, options};
use crate::cli::{Apply, Attach, Deploy, Destroy, Global, Plan, Start};
use crate::error::{CliError, Code, Result};
use crate::follow::{View, Watcher, ended, follow};
use crate::local::{has_images, push_sample};
use crate::session::{Session, no_engine, saying};
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
fn code_of(result: &RunResult) -> Code {
    match result.outcome {
        Outcome::Succeeded | Outcome::Planned | Outcome::NoChanges | Outcome::Noted | Outcome::Superseded => {
            Code::Done
        }
        Outcome::Blocked | Outcome::Refused => Code::Refused,
        Outcome::Stopped | Outcome::Failed => Code::Failed,
    }
}

/// What a command watches a run for.
struct Watching<'a> {
    session: &'a Session,
    live: Live,
    /// The plan is shown as soon as it is there.
    shows_plan: bool,
    /// A sample image is put into an empty repository.
    pushes_sample: bool,
    pushed: bool,
}

impl<'a> Watching<'a> {
    fn new(session: &'a Session) -> Self {
        Self { session, live: Live::new(), shows_plan: false, pushes_sample: false, pushed: false }
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
}

async fn push_if_empty(session: &Session) -> Result<bool> {
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
async fn watch(session: &Session, run: &str, mut watching: Watching<'_>) -> Result<Option<View>> {
    tokio::select! {
        view = follow(session, run, &mut watching) => {
            watching.live.end(view.as_ref().ok());
            view.map(Some)
        }
        _ = tokio::signal::ctrl_c() => {
            watching.live.end(None);
            show::note(&format!("Detached. The run {run} goes on in AWS; come back with `{}`.", come_back(session, run)));
            Ok(None)
        }
    }
}

fn come_back(session: &Session, run: &str) -> String {
    let local = if session.local { " --local" } else { "" };
    format!("stepstack attach{local} --stack {} {run}", session.stack())
}

/// Prints how a run ended: one JSON document, or lines.
fn end(session: &Session, run: &str, result: &RunResult) -> Code {
    if session.json {
        let mut value = serde_json::to_value(result).unwrap_or_default();
        value["run"] = json!(run);
        show::json(&value);
    } else {
        show::lines(&show::result(result, result.duration_ms, Page::stdout()));
    }
    code_of(result)
}

pub(crate) async fn plan(global: &Global, plan: &Plan) -> Result<Code> {
    let session = Session::open(global, !plan.destroy).await?;
    make_ready(&session, true, false).await?;
    let operation = if plan.destroy { Operation::PlanDestroy } else { Operation::Plan };
    let options = options(plan.delete_data, false, plan.adopt, plan.allow_downtime, false);
    let (run, record, result) = look(&session, operation, options).await?;
    let Some(record) = record else { return Ok(end(&session, &run, &result)) };
    let counts = record.plan.counts();
    if session.json {
        show::json(&json!({
            "id": record.id, "run": run, "counts": counts, "plan": record.plan, "notes": record.notes, "waiting": result.waiting,
        }));
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

/// Sees that there is an engine of this version. In local mode it is simply installed; elsewhere it is
/// offered. `only_looks`: a look at an account without an engine says so and changes nothing.
async fn make_ready(session: &Session, only_looks: bool, yes: bool) -> Result<()> {
    let Some(why) = engine::needs_install(session).await? else { return Ok(()) };
    if session.local {
        return engine::install(session).await;
    }
    if only_looks && why.contains("is not installed") {
        return Err(no_engine(&session.scope.app));
    }
    if only_looks {
        show::note(&format!("{why} `stepstack bootstrap` brings it up to date."));
        return Ok(());
    }
    show::note(&why);
    if !yes && show::is_asked() && !show::confirm("Install it now?") {
        return Err(no_engine(&session.scope.app));
    }
    engine::install(session).await
}

pub(crate) async fn apply(global: &Global, apply: &Apply) -> Result<Code> {
    let session = Session::open(global, true).await?;
    make_ready(&session, false, apply.yes).await?;
    let options = options(apply.delete_data, false, apply.adopt, apply.allow_downtime, false);
    let mut request = session.request(Operation::Apply, options.clone());
    request.plan.clone_from(&apply.plan);
    let asks = !apply.yes && apply.plan.is_none() && !session.local && show::is_asked();
    if asks {
        let (run, record, result) = look(&session, Operation::Plan, options.clone()).await?;
        let Some(record) = record else { return Ok(end(&session, &run, &result)) };
        show::notes(&show::plan::plan(&record, Page::stderr()));
        let counts = record.plan.counts();
        if counts.refuse > 0 {
            return Ok(Code::Refused);
        }
        if counts.create + counts.update + counts.delete > 0 && !show::confirm("Carry this out?") {
            return Ok(Code::Refused);
        }
        request.plan = Some(record.id);
    }
    let run = session.start(request).await?;
    if apply.detach {
        started(&session, &run);
        return Ok(Code::Done);
    }
    let pushes_sample = session.local && !apply.no_sample_image;
    let watching = Watching { shows_plan: !asks && !session.json, pushes_sample, ..Watching::new(&session) };
    let Some(view) = watch(&session, &run, watching).await? else { return Ok(Code::Done) };
    let Some(result) = view.result else { return Ok(Code::Failed) };
    let waits_for_image = result.waiting.iter().any(|waiting| waiting.what.contains("image"));
    if pushes_sample && waits_for_image && result.outcome == Outcome::Succeeded {
        // The image came too late for this run. Where its push started a deploy, that is the one to follow;
        // where it came before the rule that starts one, a second run does the rest.
        push_if_empty(&session).await?;
        let deploy = follow_deploy(&session, &run).await?;
        let (run, result) = match deploy {
            Some(followed) => followed,
            None => again(&session, options).await?,
        };
        return Ok(end(&session, &run, &result));
    }
    Ok(end(&session, &run, &result))
}

/// Applies the same file once more.
async fn again(session: &Session, options: Options) -> Result<(String, RunResult)> {
    let run = session.start(session.request(Operation::Apply, options)).await?;
    let view = watch(session, &run, Watching::new(session)).await?;
    let result = view
        .and_then(|view| view.result)
        .ok_or_else(|| CliError::failed("The second run was not followed to its end."))?;
    Ok((run, result))
}

/// Follows the run that a push has started after `after`.
async fn follow_deploy(session: &Session, after: &str) -> Result<Option<(String, RunResult)>> {
    for _ in 0..10 {
        if let Some(run) = session.runs().await?.into_iter().next_back().filter(|run| run.as_str() > after) {
            let record: Option<RunRecord> =
                session.get(&keys::of_run(&session.environment, &run, "request.json")).await?;
            if record.is_some_and(|record| record.run.operation == Operation::Deploy) {
                let view = watch(session, &run, Watching::new(session)).await?;
                return Ok(view.and_then(|view| view.result).map(|result| (run, result)));
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
    let options = options(destroy.delete_data, destroy.keep_data, false, false, destroy.skip_final_snapshot);
    if !destroy.yes {
        let (run, record, result) = look(&session, Operation::PlanDestroy, options.clone()).await?;
        let Some(record) = record else { return Ok(end(&session, &run, &result)) };
        show::notes(&show::plan::plan(&record, Page::stderr()));
        if record.plan.counts().refuse > 0 {
            return Ok(Code::Refused);
        }
        let typed =
            show::typed(&format!("Type the environment's name ({}) to destroy it", session.environment));
        if typed.trim() != session.environment {
            show::note("That is not its name: nothing was changed.");
            return Ok(Code::Refused);
        }
    }
    let run = session.start(session.request(Operation::Destroy, options)).await?;
    if destroy.detach {
        started(&session, &run);
        return Ok(Code::Done);
    }
    let watching = Watching { shows_plan: destroy.yes && !session.json, ..Watching::new(&session) };
    let Some(view) = watch(&session, &run, watching).await? else { return Ok(Code::Done) };
    let result = view.result.ok_or_else(|| CliError::failed("The run has no result."))?;
    Ok(end(&session, &run, &result))
}

/// Starts an operation and follows it to its end.
pub(super) async fn operate(session: &Session, mut request: Request, start: &Start) -> Result<Code> {
    request.wait = start.wait;
    let run = session.start(request).await?;
    if start.detach {
        started(session, &run);
        return Ok(Code::Done);
    }
    follow_to_end(session, &run).await.map(|ended| ended.map_or(Code::Done, |(_, code)| code))
}

/// Follows a run to its end and says how that was; `None` where the user has let go of it.
pub(super) async fn follow_to_end(session: &Session, run: &str) -> Result<Option<(RunResult, Code)>> {
    let watching = Watching { shows_plan: !session.json, ..Watching::new(session) };
    let Some(view) = watch(session, run, watching).await? else { return Ok(None) };
    let result = view.result.ok_or_else(|| CliError::failed("The run has no result."))?;
    let code = end(session, run, &result);
    Ok(Some((result, code)))
}

/// Says that a run goes on by itself.
pub(super) fn started(session: &Session, run: &str) {
    if session.json {
        show::json(&json!({ "run": run }));
    } else {
        show::line(&format!("Started run {run}. See it with `{}`.", come_back(session, run)));
    }
}

pub(crate) async fn deploy(global: &Global, deploy: &Deploy) -> Result<Code> {
    let session = Session::open(global, false).await?;
    let built = match &deploy.build {
        Some(directory) => Some(super::operate::build_and_push(&session, directory).await?),
        None => None,
    };
    let image = built.as_deref().or(deploy.image.as_deref()).unwrap_or_default();
    let (digest, tag) = resolve(&session, image).await?;
    let mut request = session.request(Operation::Deploy, Options::default());
    (request.parameters.image, request.parameters.tag) = (Some(digest), tag);
    operate(&session, request, &deploy.start).await
}

/// The digest of a tag or digest in the stack's repository, and the tag where it is one.
async fn resolve(session: &Session, image: &str) -> Result<(String, Option<String>)> {
    let wanted = image.rsplit('@').next().filter(|part| part.starts_with("sha256:"));
    let tag = wanted.is_none().then(|| image.rsplit(':').next().unwrap_or(image));
    let id = aws_sdk_ecr::types::ImageIdentifier::builder()
        .set_image_digest(wanted.map(str::to_owned))
        .set_image_tag(tag.map(str::to_owned));
    let ecr = aws_sdk_ecr::Client::new(&session.config);
    let found = ecr.describe_images().repository_name(session.stack()).image_ids(id.build()).send().await;
    let found = found.map_err(failed("ecr:DescribeImages")).optional()?;
    let digest = found.and_then(|found| {
        found.image_details().first().and_then(|image| image.image_digest().map(str::to_owned))
    });
    if let Some(digest) = digest {
        return Ok((digest, tag.map(str::to_owned)));
    }
    let known = tags(&ecr, &session.stack()).await?;
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let message = format!("There is no image {image:?} in the repository {}.", session.stack());
    let error = CliError { code: Code::Refused, ..CliError::failed(message) };
    Err(match tag.and_then(|tag| near(tag, &known)) {
        Some(near) => error.help(format!("Did you mean {near:?}?")),
        None if known.is_empty() => {
            error.help("Push it first, or build and deploy it with `deploy --build DIR`.")
        }
        None => error.help(format!("Push it first, or name one of the newest tags: {}.", known.join(", "))),
    })
}

/// The newest tags of a repository, without the engine's own.
async fn tags(ecr: &aws_sdk_ecr::Client, repository: &str) -> Result<Vec<String>> {
    let pages = ecr.describe_images().repository_name(repository).into_paginator().items().send();
    let images =
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ecr:DescribeImages")).optional()?;
    let mut images = images.unwrap_or_default();
    images.sort_by_key(|image| {
        std::cmp::Reverse(image.image_pushed_at().map_or(0, aws_sdk_ecr::primitives::DateTime::secs))
    });
    let tags = images.iter().flat_map(|image| image.image_tags());
    Ok(tags.filter(|tag| !tag.starts_with("release-")).take(10).cloned().collect())
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
    let watching = Watching { shows_plan: !session.json, ..Watching::new(&session) };
    let Some(view) = watch(&session, &run, watching).await? else { return Ok(Code::Done) };
    let result = view.result.ok_or_else(|| CliError::failed("The run has no result."))?;
    Ok(end(&session, &run, &result))
}
