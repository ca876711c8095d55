//! The first step of a run: whether its trigger is acted on.

use std::num::NonZeroU32;

use jiff::Timestamp;
use record::lock::Claim;
use record::{Holder, keys};
use statemachine::message::{
    Document, Intent, Operation, Outcome, ReleaseRecord, Run, RunResult, Trigger, Wanted,
};
use statemachine::permission::Scope;
use statemachine::resource::DataPolicy;

use super::{Course, Decided};
use crate::ask::{Ask, NotAsked, Source};
use crate::configuration::{self, Configuration};
use crate::overlay::{NotLaid, lay_over, release_of_rollback};

/// The configuration that a run works from; `Ok(None)` where it describes nothing. The error says why there is none to
/// work from.
type Read = Result<Option<Configuration>, String>;

/// What is known of a trigger. What is `None` was not read yet: [`begin`] says when it has to be.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Whom the engine serves.
    pub scope: Scope,
    /// The run's id.
    pub run: String,
    /// ARN of its execution.
    pub execution: String,
    /// RFC 3339.
    pub started_at: String,
    /// What the trigger asks for.
    pub ask: Result<Ask, NotAsked>,
    /// The configuration that the run works from.
    pub configuration: Option<Read>,
    /// Whose turn it is.
    pub turn: Option<Claim>,
    /// The run that this one waits for, as its record says.
    pub waits_for: Option<Option<String>>,
    /// The environment's intent.
    pub intent: Option<Intent>,
    /// The version of the newest upload, or the digest of the newest image with the pushed tag.
    pub newest: Option<Option<String>>,
    /// The release that a rollback goes to.
    pub earlier: Option<Option<ReleaseRecord>>,
}

/// What has to be known before a trigger can be decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The configuration at this place.
    Configuration(Source),
    /// Whose turn it is: the lock is taken for this holder, if it is free. The one write before the decision.
    Turn(Holder),
    /// For whom the run's record says that it waits.
    WaitsFor,
    /// The environment's intent.
    Intent,
    /// The newest version of the object with this key.
    NewestUpload(String),
    /// The digest of the image with this tag.
    NewestImage(String),
    /// The release with this number.
    Release(NonZeroU32),
}

impl Begun {
    /// Of a trigger of which nothing is read yet.
    pub fn new(
        scope: Scope,
        run: String,
        execution: String,
        started_at: String,
        ask: Result<Ask, NotAsked>,
    ) -> Self {
        Self {
            scope,
            run,
            execution,
            started_at,
            ask,
            configuration: None,
            turn: None,
            waits_for: None,
            intent: None,
            newest: None,
            earlier: None,
        }
    }

    /// The environment that the trigger is about.
    pub fn environment(&self) -> &str {
        match &self.ask {
            Ok(ask) => &ask.environment,
            Err(not) => &not.environment,
        }
    }

    /// Takes note of the bytes of the configuration at `source`; `None` when there is none.
    pub fn see_configuration(&mut self, source: &Source, bytes: Option<&[u8]>) {
        if let Ok(ask) = &self.ask {
            let read = configuration::read(bytes, source, ask, &self.scope);
            self.configuration = Some(read.map(Some));
        }
    }

    fn run(&self, ask: &Ask) -> Run {
        let mut options = ask.options.clone();
        // A destroy may take what its final snapshot keeps, and a kept cluster leaves one.
        let takes_what_is_kept = ask.operation.removes_all() && options.data == DataPolicy::Refuse;
        if takes_what_is_kept || ask.operation == Operation::SnapshotForget {
            options.data = DataPolicy::Snapshot;
        }
        Run {
            id: self.run.clone(),
            execution: self.execution.clone(),
            app: self.scope.app.clone(),
            environment: ask.environment.clone(),
            operation: ask.operation,
            trigger: ask.trigger,
            caller: ask.caller.clone(),
            started_at: self.started_at.clone(),
            plan: ask.plan.clone(),
            options,
            parameters: ask.parameters.clone(),
            config_key: ask.source.as_ref().map(|source| source.key.clone()),
            lock: None,
            lock_ms: None,
            lock_etag: None,
        }
    }

    /// The configuration at `source`; nothing is read for a run that describes nothing.
    fn configuration(&self, ask: &Ask, source: impl FnOnce() -> Source) -> Result<Read, Unknown> {
        if ask.operation.removes_all() {
            return Ok(Ok(None));
        }
        self.configuration.clone().ok_or_else(|| Unknown::Configuration(source()))
    }

    /// The configuration that was accepted last, for an operation that is laid over it.
    fn accepted(&self, ask: &Ask, intent: &Intent) -> Result<Read, Unknown> {
        let name = format!("{}/{}", self.scope.app, ask.environment);
        let Some(run) = &intent.run else {
            return Ok(Err(match ask.trigger {
                Trigger::ImagePush => format!("An image was pushed, but {name} has no configuration yet."),
                Trigger::Cli | Trigger::ConfigUpload | Trigger::Schedule => {
                    format!("{name} does not exist: it was never applied, or it was destroyed.")
                }
            }));
        };
        let key = || keys::of_run(&ask.environment, run, "config.toml");
        self.configuration(ask, || Source { key: key(), version: None })
    }
}

/// Decides about a trigger. A bad configuration is refused before anything waits for it; the intent is read under the
/// lock.
pub fn begin(known: &Begun, now: Timestamp) -> Result<Decided, Unknown> {
    let ask = match &known.ask {
        Ok(ask) => ask,
        Err(NotAsked { environment, trigger, reason }) => {
            let run = known.run(&Ask::new(*trigger, environment.clone(), Operation::Apply));
            return Ok(early(run, Outcome::Refused, reason.clone(), now, Course::Refuse));
        }
    };
    let mut run = known.run(ask);
    let refuse = |run, reason| Ok(early(run, Outcome::Refused, reason, now, Course::Refuse));
    let given = match &ask.source {
        Some(source) => match known.configuration(ask, || source.clone())? {
            Ok(found) => Some(found),
            Err(reason) => return refuse(run, reason),
        },
        None => None,
    };
    if !ask.operation.only_looks() {
        match known.turn.as_ref().ok_or_else(|| Unknown::Turn(holder(&run, now)))? {
            Claim::Taken { generation, etag, held_ms } => {
                (run.lock, run.lock_etag, run.lock_ms) = (Some(*generation), etag.clone(), *held_ms);
            }
            Claim::Busy(holder) => return wait_for(holder, known, ask, run, now),
        }
    }
    let before = known.intent.as_ref().ok_or(Unknown::Intent)?;
    if let Some((outcome, reason)) = overtaken(known, ask, before)? {
        return Ok(early(run, outcome, reason, now, Course::Overtaken));
    }
    let found = match given {
        Some(given) => given,
        None => match known.accepted(ask, before)? {
            Ok(found) => found,
            Err(reason) => return refuse(run, reason),
        },
    };
    let mut document = document(run, found.as_ref(), before);
    let earlier = match release_of_rollback(&document) {
        Some(number) => known.earlier.clone().ok_or(Unknown::Release(number))?,
        None => None,
    };
    match lay_over(&mut document, earlier) {
        Ok(()) => {}
        Err(NotLaid::Noted(reason)) => {
            let result = RunResult::at(now, &document.run, Outcome::Noted, reason);
            let course = Course::Note { intent: Box::new(document.intent), result };
            return Ok(Decided { course, document: Document::new(document.run, None) });
        }
        Err(NotLaid::SoAlready(reason)) => {
            return Ok(early(document.run, Outcome::NoChanges, reason, now, Course::SoAlready));
        }
        Err(NotLaid::Refused(reason)) => return refuse(document.run, reason),
    }
    document.before = (document.intent != *before).then(|| Box::new(before.clone()));
    let own = keys::of_run(&ask.environment, &document.run.id, "config.toml");
    let is_recorded = ask.source.as_ref().is_some_and(|source| source.key == own);
    let configuration = found.filter(|_| !is_recorded).map(|found| found.text);
    Ok(Decided { course: Course::Look { configuration }, document })
}

/// The document of a run that is to look, before its operation is laid over the intent.
fn document(run: Run, configuration: Option<&Configuration>, before: &Intent) -> Document {
    let mut document = Document::new(run, configuration.map(|found| found.stack.clone()));
    document.config = configuration.map(Configuration::fingerprint);
    document.known_hosts.clone_from(&before.hosts);
    document.known_buckets.clone_from(&before.buckets);
    document.intent = before.clone();
    document.image = before.release.clone().map(Wanted::Released);
    if let Some(stack) = &document.stack {
        document.intent.settle(stack, document.config.as_ref());
    }
    document
}

/// A trigger that something newer, or something already done, has made pointless.
fn overtaken(known: &Begun, ask: &Ask, intent: &Intent) -> Result<Option<(Outcome, String)>, Unknown> {
    match (ask.trigger, &ask.source, &ask.parameters.image) {
        (Trigger::ConfigUpload, Some(Source { key, version: Some(version) }), _) => {
            let newest = known.newest.as_ref().ok_or_else(|| Unknown::NewestUpload(key.clone()))?;
            let is_newest = newest.as_ref() == Some(version);
            Ok((!is_newest).then(|| (Outcome::Superseded, "A newer configuration was uploaded.".to_owned())))
        }
        (Trigger::ImagePush, _, Some(image)) => {
            if intent.release.as_ref().is_some_and(|release| release.image.digest == *image) {
                return Ok(Some((Outcome::NoChanges, "This image is already deployed.".to_owned())));
            }
            let Some(tag) = &ask.parameters.tag else { return Ok(None) };
            let newest = known.newest.as_ref().ok_or_else(|| Unknown::NewestImage(tag.clone()))?;
            let newer = newest.as_ref().filter(|newest| *newest != image);
            Ok(newer
                .map(|newer| (Outcome::Superseded, format!("A newer image was pushed as {tag}: {newer}."))))
        }
        (Trigger::Cli | Trigger::ConfigUpload | Trigger::ImagePush | Trigger::Schedule, _, _) => Ok(None),
    }
}

/// Another run holds the lock. A trigger during a destroy is refused; anything else waits its turn, and says for
/// whom.
fn wait_for(holder: &Holder, known: &Begun, ask: &Ask, run: Run, now: Timestamp) -> Result<Decided, Unknown> {
    if holder.operation == Operation::Destroy.name() && ask.trigger != Trigger::Cli {
        let reason = format!("The environment is being destroyed by run {}.", holder.run);
        return Ok(early(run, Outcome::Refused, reason, now, Course::Refuse));
    }
    if !ask.waits {
        let reason = format!(
            "Run {} ({}) is at work on {}/{} since {}. Nothing was changed. See it with `stepstack attach {}`, or say --wait.",
            holder.run, holder.operation, known.scope.app, ask.environment, holder.since, holder.run
        );
        return Ok(early(run, Outcome::Blocked, reason, now, Course::Busy));
    }
    let waits_for = known.waits_for.as_ref().ok_or(Unknown::WaitsFor)?;
    let is_recorded = waits_for.as_ref() == Some(&holder.run);
    let waits_for = (!is_recorded).then(|| holder.run.clone());
    let course = Course::Wait { holder: holder.clone(), waits_for };
    Ok(Decided { course, document: Document::new(run, None) })
}

fn holder(run: &Run, now: Timestamp) -> Holder {
    Holder {
        run: run.id.clone(),
        execution: run.execution.clone(),
        operation: run.operation.name().to_owned(),
        since: now.to_string(),
    }
}

/// The end of a run before it looked at anything. A trigger never ends in silence.
fn early(
    run: Run,
    outcome: Outcome,
    message: String,
    now: Timestamp,
    course: fn(RunResult) -> Course,
) -> Decided {
    let result = RunResult::at(now, &run, outcome, message);
    Decided { course: course(result), document: Document::new(run, None) }
}
