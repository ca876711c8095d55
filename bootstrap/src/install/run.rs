//! Installs an engine, brings it up to date, removes it, and tells which is there.

use std::collections::BTreeSet;

use aws_types::SdkConfig;
use statemachine::definition::FUNCTIONS;
use statemachine::message::{Mode, StageReport};
use statemachine::naming::resource;
use statemachine::permission::Scope;
use statemachine::plan::Action;
use statemachine::resource::{DataPolicy, Name, Options};
use statemachine::{Part, Result};

use super::clients::Clients;
use super::engine::{engine, no_engine};
use super::error::InstallError;
use super::github;
use super::standing::standing;
use super::state_machine::{FINGERPRINT_TAG, VERSION_TAG, tags_of};
use super::target::Target;
use super::ticks::ticks;
use crate::local::FunctionZip;

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
    let made = ticks(Part::Engine, &resources, scope, Options::default(), Mode::Make, progress, &mut changed)
        .await?;
    if made.left_over > 0 {
        ticks(Part::Engine, &resources, scope, Options::default(), Mode::Remove, progress, &mut changed)
            .await?;
    }
    let bucket_is_new = made.made.iter().any(|name| name.kind() == resource::kind::BUCKET);
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
    let resources = || no_engine(&clients, scope);
    let report =
        ticks(Part::Engine, &resources, scope, options, Mode::Remove, progress, &mut BTreeSet::new()).await?;
    let resources = || github::resources(&clients.iam, scope, None);
    let none = &mut BTreeSet::new();
    ticks(Part::Github, &resources, scope, Options::default(), Mode::Remove, progress, none).await?;
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
    ticks(Part::Github, &resources, scope, Options::default(), Mode::Make, &|_| (), changed).await?;
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
