//! Carries the installation out: ticks until everything is as described.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aws_types::SdkConfig;
use futures_util::future::{BoxFuture, try_join};
use record::Bucket;
use statemachine::definition::FUNCTIONS;
use statemachine::message::{Failure, Mode, StageReport, Status};
use statemachine::permission::Scope;
use statemachine::plan::Action;
use statemachine::resource::{Context, DataPolicy, Name, Options};
use statemachine::tick::{Hold, Input, Link, Resources, now_ms, tick};
use statemachine::{Error, ErrorKind, Part, Result};

use super::state_machine::{FINGERPRINT_TAG, VERSION_TAG, tags_of};
use super::{Clients, FunctionZip, Target, context, engine, github, no_engine};

/// For this long a look that fails for a moment is repeated.
const LOOK_AGAIN_FOR: Duration = Duration::from_mins(1);

/// What an installation came to.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The provisioner's bucket.
    pub bucket: String,
    /// ARN of the state machine.
    pub state_machine: String,
    /// What was made, changed or deleted. Nothing: the engine was as described already.
    pub changed: BTreeSet<Name>,
    /// The bucket was made just now: AWS begins to send its events about five minutes later, and until then
    /// an upload starts nothing.
    pub bucket_is_new: bool,
}

/// Why the engine could not be installed or removed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// AWS could not be looked at.
    #[error("{0}")]
    Look(#[from] Error),
    /// A part of the engine failed; `failure.next` says what to do.
    #[error("{}: {}", failure.name, failure.message)]
    Part {
        /// What failed.
        failure: Box<Failure>,
    },
    /// Functions are missing from what is to be installed.
    #[error("The code of these functions is missing: {}. Build them with `cargo bundle`.", .0.join(", "))]
    NoCode(Vec<String>),
    /// Environments still stand.
    #[error("The engine is still needed: {}. Destroy these environments first.", .0.join("; "))]
    Standing(Vec<String>),
}

/// Installs the engine, or brings it up to date. `progress` hears every tick's report.
///
/// Everything may be repeated: what a broken-off installation left is taken up where it stands.
pub async fn bring_up(
    config: &SdkConfig,
    scope: &Scope,
    zips: Vec<FunctionZip>,
    progress: &dyn Fn(&StageReport),
) -> Result<Installed, InstallError> {
    let missing = FUNCTIONS.iter().filter(|what| !zips.iter().any(|zip| zip.name == **what));
    let missing: Vec<String> = missing.map(|what| (*what).to_owned()).collect();
    if !missing.is_empty() {
        return Err(InstallError::NoCode(missing));
    }
    let (clients, target) = (Clients::new(config), Target::of(config));
    let resources = || engine(&clients, scope, &zips, &target);
    let mut changed = BTreeSet::new();
    let made = ticks(&resources, scope, Options::default(), Mode::Make, progress, &mut changed).await?;
    if made.left_over > 0 {
        ticks(&resources, scope, Options::default(), Mode::Remove, progress, &mut changed).await?;
    }
    let bucket_is_new = made.made.iter().any(|name| name.kind() == "bucket");
    Ok(Installed { bucket: scope.bucket(), state_machine: scope.state_machine(), changed, bucket_is_new })
}

/// Removes the engine. Refused while an environment stands, and, unless `data` says otherwise, while the
/// provisioner's bucket holds anything (it does after any run: the run records). Answers what stays.
pub async fn remove(
    config: &SdkConfig,
    scope: &Scope,
    data: DataPolicy,
    progress: &dyn Fn(&StageReport),
) -> Result<Vec<Name>, InstallError> {
    let clients = Clients::new(config);
    let standing = standing(&clients, scope).await?;
    if !standing.is_empty() {
        return Err(InstallError::Standing(standing));
    }
    let options = Options { data, ..Options::default() };
    let resources = || no_engine(&clients);
    let report = ticks(&resources, scope, options, Mode::Remove, progress, &mut BTreeSet::new()).await?;
    let resources = || github::resources(&clients.iam, scope, None);
    let none = &mut BTreeSet::new();
    ticks_as(Part::Github, &resources, scope, Options::default(), Mode::Remove, progress, none).await?;
    let kept = report.items.into_iter().filter(|item| item.action == Action::Kept);
    Ok(kept.map(|item| item.name).collect())
}

/// Makes the role of a GitHub repository's workflows, or changes it; answers its ARN.
pub async fn bring_up_github(
    config: &SdkConfig,
    scope: &Scope,
    repository: &str,
) -> Result<String, InstallError> {
    let clients = Clients::new(config);
    let resources = || github::resources(&clients.iam, scope, Some(repository));
    let changed = &mut BTreeSet::new();
    ticks_as(Part::Github, &resources, scope, Options::default(), Mode::Make, &|_| (), changed).await?;
    Ok(scope.engine_role_arn("github"))
}

/// The engine that is installed, as its state machine's tags say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The program's version that installed it.
    pub version: String,
    /// [`super::fingerprint`] of what was installed; absent where it was removed by hand.
    pub fingerprint: Option<String>,
}

/// What is installed, in one call; `None`: there is no engine, or a stranger's machine in its place.
pub async fn installed(config: &SdkConfig, scope: &Scope) -> Result<Option<Present>> {
    let client = aws_sdk_sfn::Client::new(config);
    let tags = tags_of(&client, &scope.state_machine()).await?.unwrap_or_default();
    let tag = |wanted| tags.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.clone());
    Ok(tag(VERSION_TAG).map(|version| Present { version, fingerprint: tag(FINGERPRINT_TAG) }))
}

/// The version of the installed engine, in one call; `None`: there is none.
pub async fn installed_version(config: &SdkConfig, scope: &Scope) -> Result<Option<String>> {
    Ok(installed(config, scope).await?.map(|present| present.version))
}

/// The environments that still need the engine, each with the reason: a configuration or an intent in the
/// bucket, or a run that holds a lock.
pub async fn standing(clients: &Clients, scope: &Scope) -> Result<Vec<String>> {
    let bucket = Bucket { s3: clients.s3.clone(), name: scope.bucket() };
    let (environments, holders) = try_join(bucket.environments(), bucket.holders()).await?;
    let mut standing = BTreeMap::new();
    for environment in environments {
        let reason = format!("{}/{environment} stands", scope.app);
        standing.insert(environment, reason);
    }
    for (environment, holder) in holders {
        let reason = format!("run {} of {}/{environment} is not over", holder.run, scope.app);
        standing.insert(environment, reason);
    }
    Ok(standing.into_values().collect())
}

/// Ticks until the engine is ready.
async fn ticks(
    resources: &dyn Fn() -> Resources,
    scope: &Scope,
    options: Options,
    mode: Mode,
    progress: &dyn Fn(&StageReport),
    changed: &mut BTreeSet<Name>,
) -> Result<StageReport, InstallError> {
    ticks_as(Part::Engine, resources, scope, options, mode, progress, changed).await
}

/// Ticks until the part is ready. Each part knows its own by its tag.
async fn ticks_as(
    part: Part,
    resources: &dyn Fn() -> Resources,
    scope: &Scope,
    options: Options,
    mode: Mode,
    progress: &dyn Fn(&StageReport),
    changed: &mut BTreeSet<Name>,
) -> Result<StageReport, InstallError> {
    let (begin, link) = (Instant::now(), Alone::default());
    let mut input = Input { since_ms: now_ms(), ..Input::default() };
    let mut wait = Duration::from_millis(100);
    loop {
        let ctx = Context { stage: part, ..context(scope, options.clone()) };
        match tick(resources(), &ctx, mode, input.clone(), &link).await {
            Ok(report) => {
                progress(&report);
                let worked = report.items.iter().filter(|item| item.started_ms.is_some());
                changed.extend(worked.map(|item| item.name.clone()));
                changed.extend(report.made.iter().chain(&report.changed).map(Name::whole));
                if let Some(failure) = report.failure.clone() {
                    return Err(InstallError::Part { failure: Box::new(advised(failure)) });
                }
                if report.status == Status::Ready {
                    return Ok(report);
                }
                input.made = report.made;
                input.changed = report.changed;
            }
            Err(error) if is_passing(&error) && begin.elapsed() < LOOK_AGAIN_FOR => {}
            Err(error) => return Err(InstallError::Look(error)),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 3).min(Duration::from_secs(1));
    }
}

fn is_passing(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Transient | ErrorKind::NotReady)
}

/// The engine's failures advise about functions; here it is the caller who acts.
fn advised(failure: Failure) -> Failure {
    let next = match (failure.kind, &failure.action) {
        (ErrorKind::Denied, Some(action)) => format!(
            "Your credentials lack {action}. `stepstack bootstrap --print-policies` shows all that installing \
             needs, under `installer`."
        ),
        (ErrorKind::Denied, None) => {
            "Your credentials lack a permission. `stepstack bootstrap --print-policies` shows all that \
             installing needs, under `installer`."
                .to_owned()
        }
        (ErrorKind::Internal, _) => {
            "This is likely a fault of Stepstack: please report it. `stepstack bootstrap` goes on from here."
                .to_owned()
        }
        _ => "Correct what stands in the way, then run `stepstack bootstrap` again: it goes on from here."
            .to_owned(),
    };
    Failure { next, ..failure }
}

/// The installer has no lock: nothing else makes the engine, and every call of it may be repeated.
#[derive(Default)]
struct Alone {
    notes: Mutex<BTreeMap<Name, u64>>,
}

impl Link for Alone {
    fn hold(&self) -> BoxFuture<'_, Result<Hold>> {
        Box::pin(std::future::ready(Ok(Hold::Yes)))
    }

    fn notes(&self) -> BoxFuture<'_, Result<BTreeMap<Name, u64>>> {
        let notes = self.notes.lock().map(|notes| notes.clone()).unwrap_or_default();
        Box::pin(std::future::ready(Ok(notes)))
    }

    fn note(&self, notes: BTreeMap<Name, u64>) -> BoxFuture<'_, Result<()>> {
        if let Ok(mut known) = self.notes.lock() {
            *known = notes;
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
