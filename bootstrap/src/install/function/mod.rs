//! The engine's Lambda functions. What runs is a published version: an execution keeps the code that it
//! began with, so a change publishes a version and leaves the older ones to the executions that use them.

mod versions;

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws::{failed, gone};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, Environment, FunctionCode, FunctionConfiguration, LastUpdateStatus, Runtime,
    State as Status,
};
use futures_util::future::try_join_all;
use serde::Serialize;
use statemachine::definition::FUNCTIONS;
use statemachine::error::required;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State, short_hash,
};
use statemachine::{Error, ErrorKind, Result};

use super::names;
use super::target::Target;
use crate::local::FunctionZip;
use versions::{delete_old_versions, describe, look_at};

pub(super) use versions::Raw;

/// In MB. A function needs 64 at its peak; Lambda's share of a CPU grows with this.
const MEMORY_MB: i32 = 256;
/// In seconds. A function answers within 60 by itself.
const TIMEOUT_S: i32 = 90;

/// A function, as its newest published version is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Function {
    /// `network`
    pub what: String,
    pub description: String,
    /// SHA-256 of the zip, in base64. Empty: nothing was published, or the last update failed.
    pub code_sha256: String,
    /// `arm64`, `x86_64`
    pub architecture: String,
    /// `provided.al2023`
    pub runtime: String,
    /// `bootstrap`
    pub handler: String,
    pub memory_mb: i32,
    pub timeout_s: i32,
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
            role: resource::role(&zip.name),
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
        let arn = scope.function_arn(&self.what);
        let version_arn = format!("{arn}:{version}");
        let made = Made { settled, ..Made::started(arn) };
        made.with("version_arn", version_arn).with("settings", self.settings())
    }
}

impl Resource for Function {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = names::FUNCTION;

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
        let functions = FUNCTIONS.iter().map(|what| scope.function_arn(what));
        let versions = FUNCTIONS.iter().map(|what| format!("{}:*", scope.function_arn(what)));
        vec![
            Permission::unscoped(&["lambda:ListFunctions"], "the listing takes no resource"),
            Permission::on(&actions, functions.chain(versions)),
        ]
    }

    fn name(&self) -> Name {
        names::function(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Settled(self.role.clone()), Need::Exists(resource::log_group(&self.what))]
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let pages = client.list_functions().into_paginator().items().send();
        let listed = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("lambda:ListFunctions"))?;
        let names = listed.iter().filter_map(|function| function.function_name());
        let ours = names.filter(|id| ctx.scope().what_of_function(id).is_some());
        let found = try_join_all(ours.map(|id| look_at(ctx, client, id))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    fn identify(ctx: &Context, raw: &Raw, names: &Names) -> Option<Identity> {
        let scope = ctx.scope();
        let what = scope.what_of_function(raw.latest.function_name()?)?;
        let id = scope.function_arn(what);
        let name = names::function(what);
        let ours = raw.owned.as_ref() == Some(&name);
        let identity = if ours { Identity::ours(name, &id) } else { Identity::theirs(name, &id) };
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

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
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
            .role(names.need_attribute(&self.role, "arn")?)
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
                Ok(Made::started(scope.function_arn(&self.what)))
            }
            Err(error) => Err(error),
        }
    }

    async fn update(self, _: Self, id: String, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
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
        if !self.configured_as(&describe(&configuration, &names)) {
            let update = client
                .update_function_configuration()
                .function_name(&id)
                .description(&self.description)
                .runtime(Runtime::from(self.runtime.as_str()))
                .handler(&self.handler)
                .memory_size(self.memory_mb)
                .timeout(self.timeout_s)
                .role(names.need_attribute(&self.role, "arn")?)
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

fn is_conflict(error: &Error) -> bool {
    error.code.as_deref() == Some("ResourceConflictException")
}

/// Lambda takes one change after the other: a conflict means that the last one is under way.
fn in_progress(error: Error) -> Error {
    if is_conflict(&error) { Error { kind: ErrorKind::NotReady, ..error } } else { error }
}

/// A function's environment.
fn environment(scope: &Scope, target: &Target) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::from([
        ("STEPSTACK_ACCOUNT".to_owned(), scope.account.clone()),
        ("STEPSTACK_APP".to_owned(), scope.app.clone()),
        ("STEPSTACK_BUCKET".to_owned(), scope.bucket()),
    ]);
    if let Some(endpoint) = &target.endpoint {
        environment.insert("AWS_ENDPOINT_URL".to_owned(), endpoint.clone());
    }
    environment
}
