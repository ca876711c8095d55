//! The engine's Lambda functions. What runs is a published version: an execution keeps the code that it
//! began with, so a change publishes a version and leaves the older ones to the executions that use them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws::{failed, gone};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, Environment, FunctionCode, FunctionConfiguration, LastUpdateStatus, Runtime,
    State as Status,
};
use futures_util::future::{try_join, try_join_all};
use serde::Serialize;
use statemachine::definition::FUNCTIONS;
use statemachine::error::{Optional as _, required};
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State, short_hash,
};
use statemachine::{Error, ErrorKind, Result};

use super::{FunctionZip, Target, environment, log_group, role, tags};

/// In MB. A function needs 64 at its peak; Lambda's share of a CPU grows with this.
const MEMORY_MB: i32 = 256;
/// In seconds. A function answers within 60 by itself.
const TIMEOUT_S: i32 = 90;
/// Versions that stay: the one that runs, and those that running executions may have begun with.
const KEPT_VERSIONS: usize = 5;

/// A function, as its newest published version is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Function {
    /// `network`
    pub what: String,
    /// For people.
    pub description: String,
    /// SHA-256 of the zip, in base64. Empty: nothing was published, or the last update failed.
    pub code_sha256: String,
    /// `arm64`, `x86_64`
    pub architecture: String,
    /// `provided.al2023`
    pub runtime: String,
    /// `bootstrap`
    pub handler: String,
    /// In MB.
    pub memory_mb: i32,
    /// In seconds.
    pub timeout_s: i32,
    /// Its role.
    pub role: Name,
    /// Its environment; no secrets.
    pub environment: BTreeMap<String, String>,
    /// Where the code stands on this machine; no part of what it is.
    #[serde(skip)]
    pub code: Code,
}

/// Path of a function's zip. All are equal: what counts is the hash.
#[derive(Clone, Debug, Default)]
pub struct Code(pub Option<PathBuf>);

impl PartialEq for Code {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// `function/network`.
pub(super) fn name(what: &str) -> Name {
    Name::new(Function::KIND, what)
}

impl Function {
    /// A function with this code.
    pub fn new(scope: &Scope, zip: &FunctionZip, target: &Target) -> Self {
        Self {
            what: zip.name.clone(),
            description: format!("Stepstack's engine of {}: {}", scope.app, zip.name),
            code_sha256: zip.sha256.clone(),
            architecture: target.architecture.clone(),
            runtime: Runtime::Providedal2023.as_str().to_owned(),
            handler: "bootstrap".to_owned(),
            memory_mb: MEMORY_MB,
            timeout_s: TIMEOUT_S,
            role: role::name(&zip.name),
            environment: environment(scope, target),
            code: Code(Some(zip.path.clone())),
        }
    }

    /// A short hash of all that makes a version: by it the state machine tells whether it calls the newest.
    pub(super) fn settings(&self) -> String {
        short_hash(self)
    }

    /// The zip.
    fn bytes(&self) -> Result<Blob> {
        let path =
            self.code.0.as_ref().ok_or_else(|| Error::internal(format!("{} has no code", self.what)))?;
        let bytes = std::fs::read(path).map_err(|error| {
            let message =
                format!("The code of {} cannot be read from {}: {error}", self.what, path.display());
            Error::new(ErrorKind::Invalid, message)
        })?;
        Ok(Blob::new(bytes))
    }

    fn environment(&self) -> Environment {
        Environment::builder().set_variables(Some(self.environment.clone().into_iter().collect())).build()
    }

    /// Whether only a new configuration makes `latest` this.
    fn configured_as(&self, latest: &Self) -> bool {
        let Self {
            what: _,
            description,
            code_sha256: _,
            architecture: _,
            runtime,
            handler,
            memory_mb,
            timeout_s,
            role,
            environment,
            code: _,
        } = self;
        (description, runtime, handler) == (&latest.description, &latest.runtime, &latest.handler)
            && (memory_mb, timeout_s) == (&latest.memory_mb, &latest.timeout_s)
            && (role, environment) == (&latest.role, &latest.environment)
    }

    /// What others need to know of a version.
    fn made(&self, scope: &Scope, settled: bool, version: &str) -> Made {
        let arn = arn(scope, &self.what);
        let version_arn = format!("{arn}:{version}");
        let made = Made { settled, ..Made::started(arn) };
        made.with("version_arn", version_arn).with("settings", self.settings())
    }
}

/// Its id, as its name is its role's too.
fn arn(scope: &Scope, what: &str) -> String {
    scope.arn("lambda", &format!("function:{}", scope.function(what)))
}

/// A function, its tags and its published versions.
pub struct Raw {
    latest: FunctionConfiguration,
    owned: Option<Name>,
    versions: Vec<FunctionConfiguration>,
}

impl Raw {
    /// The newest published version.
    fn newest(&self) -> Option<(u64, &FunctionConfiguration)> {
        let numbered = self.versions.iter().filter_map(|version| Some((number(version)?, version)));
        numbered.max_by_key(|(number, _)| *number)
    }

    fn published(&self, names: &Names) -> Function {
        match self.newest() {
            Some((_, version)) => describe(version, names),
            None => Function { code_sha256: String::new(), ..describe(&self.latest, names) },
        }
    }
}

impl Resource for Function {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "function";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let actions = [
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:GetFunction",
            "lambda:GetFunctionConfiguration",
            "lambda:ListVersionsByFunction",
            "lambda:PublishVersion",
            "lambda:TagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ];
        let functions = FUNCTIONS.iter().map(|what| arn(scope, what));
        let versions = FUNCTIONS.iter().map(|what| format!("{}:*", arn(scope, what)));
        vec![
            Permission::unscoped(&["lambda:ListFunctions"], "the listing takes no resource"),
            Permission::on(&actions, functions.chain(versions)),
        ]
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Settled(self.role.clone()), Need::Exists(log_group::name(&self.what))]
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let pages = client.list_functions().into_paginator().items().send();
        let listed = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("lambda:ListFunctions"))?;
        let names = listed.iter().filter_map(|function| function.function_name());
        let ours = names.filter(|id| what_of(&ctx.scope(), id).is_some());
        let found = try_join_all(ours.map(|id| look_at(ctx, client, id))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    fn identify(ctx: &Context, raw: &Raw, names: &Names) -> Option<Identity> {
        let scope = ctx.scope();
        let what = what_of(&scope, raw.latest.function_name()?)?;
        let id = arn(&scope, what);
        let ours = raw.owned.as_ref() == Some(&name(what));
        let identity = if ours { Identity::ours(name(what), &id) } else { Identity::theirs(name(what), &id) };
        let identity = match raw.newest() {
            Some((number, _)) => identity.with("version_arn", format!("{id}:{number}")),
            None => identity,
        };
        let published = Function { what: what.to_owned(), ..raw.published(names) };
        Some(identity.with("settings", published.settings()))
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let id = raw.latest.function_arn().unwrap_or_default();
        let what = names.name_of(id).what().to_owned();
        let function = Self { what, ..raw.published(names) };
        let reason = || raw.latest.state_reason().unwrap_or("no reason given").to_owned();
        match raw.latest.state() {
            Some(Status::Pending) => return Ok(State::Changing(Some(function))),
            Some(Status::Failed) => return Ok(State::Failed(reason())),
            // Inactive: not called for weeks; the next call wakes it.
            Some(Status::Active | Status::Inactive) | None => {}
            Some(other) => return Err(Error::unknown_status("function", other.as_str())),
        }
        match raw.latest.last_update_status() {
            Some(LastUpdateStatus::InProgress) => Ok(State::Changing(Some(function))),
            Some(LastUpdateStatus::Successful) | None => Ok(State::Settled(function)),
            // It still runs what it ran before; the update is asked for again.
            Some(LastUpdateStatus::Failed) => {
                Ok(State::Settled(Self { code_sha256: String::new(), ..function }))
            }
            Some(other) => Err(Error::unknown_status("function's update", other.as_str())),
        }
    }

    async fn create(self, Call { ctx, client, ids }: Call<Client>) -> Result<Made> {
        let scope = ctx.scope();
        let create = client
            .create_function()
            .function_name(scope.function(&self.what))
            .description(&self.description)
            .architectures(Architecture::from(self.architecture.as_str()))
            .runtime(Runtime::from(self.runtime.as_str()))
            .handler(&self.handler)
            .memory_size(self.memory_mb)
            .timeout(self.timeout_s)
            .role(ids.need_attribute(&self.role, "arn")?)
            .environment(self.environment())
            .code(FunctionCode::builder().zip_file(self.bytes()?).build())
            .set_tags(Some(ctx.tags(&self.name()).into_iter().collect()))
            .publish(true);
        match create.send().await.map_err(failed("lambda:CreateFunction")) {
            Ok(made) => {
                let settled = made.state() == Some(&Status::Active);
                Ok(self.made(&scope, settled, made.version().unwrap_or("1")))
            }
            // An earlier call made it, and its answer was lost.
            Err(error) if is_conflict(&error) && error.message.contains("already exist") => {
                Ok(Made::started(arn(&scope, &self.what)))
            }
            Err(error) => Err(error),
        }
    }

    async fn update(self, _: Self, id: String, Call { ctx, client, ids }: Call<Client>) -> Result<Made> {
        let latest = client.get_function_configuration().function_name(&id).send().await;
        let latest = latest.map_err(failed("lambda:GetFunctionConfiguration"))?;
        let same_code = latest.code_sha256() == Some(self.code_sha256.as_str())
            && latest.architectures().first().map(Architecture::as_str) == Some(self.architecture.as_str());
        let configuration = FunctionConfiguration::builder()
            .set_description(latest.description)
            .set_runtime(latest.runtime)
            .set_handler(latest.handler)
            .set_memory_size(latest.memory_size)
            .set_timeout(latest.timeout)
            .set_role(latest.role)
            .set_environment(latest.environment)
            .build();
        if !self.configured_as(&describe(&configuration, &ids)) {
            let update = client
                .update_function_configuration()
                .function_name(&id)
                .description(&self.description)
                .runtime(Runtime::from(self.runtime.as_str()))
                .handler(&self.handler)
                .memory_size(self.memory_mb)
                .timeout(self.timeout_s)
                .role(ids.need_attribute(&self.role, "arn")?)
                .environment(self.environment());
            update.send().await.map_err(failed("lambda:UpdateFunctionConfiguration")).map_err(in_progress)?;
        }
        let (status, version) = if same_code {
            let publish = client.publish_version().function_name(&id).send().await;
            let published = publish.map_err(failed("lambda:PublishVersion")).map_err(in_progress)?;
            (published.last_update_status, published.version)
        } else {
            let update = client
                .update_function_code()
                .function_name(&id)
                .architectures(Architecture::from(self.architecture.as_str()))
                .zip_file(self.bytes()?)
                .publish(true);
            let updated =
                update.send().await.map_err(failed("lambda:UpdateFunctionCode")).map_err(in_progress)?;
            (updated.last_update_status, updated.version)
        };
        let version = required(version, "function", "its version")?;
        delete_old_versions(&client, &id).await?;
        Ok(self.made(&ctx.scope(), status == Some(LastUpdateStatus::Successful), &version))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let delete = client.delete_function().function_name(id).send().await;
        gone(delete.map_err(failed("lambda:DeleteFunction")), Gone::Now)
    }
}

/// `network` of `stepstack-arive-network`. No function has a hyphen in its name, so that those of an app
/// `arive-admin` are none of `arive`'s.
fn what_of<'a>(scope: &Scope, id: &'a str) -> Option<&'a str> {
    let what = id.strip_prefix(&scope.engine())?.strip_prefix('-')?;
    (!what.contains('-')).then_some(what)
}

async fn look_at(ctx: &Context, client: &Client, id: &str) -> Result<Option<Raw>> {
    let function = async {
        let get = client.get_function().function_name(id).send().await;
        get.map_err(failed("lambda:GetFunction")).optional()
    };
    let (function, versions) = try_join(function, versions(client, id)).await?;
    let Some(function) = function else { return Ok(None) };
    let Some(latest) = function.configuration else { return Ok(None) };
    let tags = function.tags.unwrap_or_default();
    let owned = ctx.owned(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    Ok(Some(Raw { latest, owned, versions }))
}

async fn versions(client: &Client, id: &str) -> Result<Vec<FunctionConfiguration>> {
    let pages = client.list_versions_by_function().function_name(id).into_paginator().items().send();
    let versions = pages.collect::<Result<Vec<_>, _>>().await;
    Ok(versions.map_err(failed("lambda:ListVersionsByFunction")).optional()?.unwrap_or_default())
}

async fn delete_old_versions(client: &Client, id: &str) -> Result<()> {
    let mut numbers: Vec<u64> = versions(client, id).await?.iter().filter_map(number).collect();
    numbers.sort_unstable();
    for old in numbers.iter().rev().skip(KEPT_VERSIONS) {
        let delete = client.delete_function().function_name(id).qualifier(old.to_string()).send().await;
        delete.map_err(failed("lambda:DeleteFunction")).optional()?;
    }
    Ok(())
}

/// The number of a published version; `$LATEST` has none.
fn number(version: &FunctionConfiguration) -> Option<u64> {
    version.version()?.parse().ok()
}

fn describe(version: &FunctionConfiguration, names: &Names) -> Function {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let environment = version.environment().and_then(|environment| environment.variables().cloned());
    Function {
        what: String::new(),
        description: text(version.description()),
        code_sha256: text(version.code_sha256()),
        architecture: text(version.architectures().first().map(Architecture::as_str)),
        runtime: text(version.runtime().map(Runtime::as_str)),
        handler: text(version.handler()),
        memory_mb: version.memory_size().unwrap_or_default(),
        timeout_s: version.timeout().unwrap_or_default(),
        role: names.name_of(tags::role_name(version.role().unwrap_or_default())),
        environment: environment.unwrap_or_default().into_iter().collect(),
        code: Code::default(),
    }
}

fn is_conflict(error: &Error) -> bool {
    error.code.as_deref() == Some("ResourceConflictException")
}

/// Lambda takes one change after the other: a conflict means that the last one is under way.
fn in_progress(error: Error) -> Error {
    if is_conflict(&error) { Error { kind: ErrorKind::NotReady, ..error } } else { error }
}
