//! Where a command works: credentials, region, app and environment, and the record in the provisioner's bucket.

mod connect;
mod start;
mod version;

use std::path::Path;

use aws::failed;
use aws_types::SdkConfig;
use record::keys;
use serde::de::DeserializeOwned;
use statemachine::ErrorKind;
use statemachine::config::{Stack, parse};
use statemachine::error::Optional as _;
use statemachine::message::Intent;
use statemachine::permission::Scope;
use tokio::sync::OnceCell;

use crate::cli::Global;
use crate::error::{CliError, Result};
use crate::local::ACCOUNT;
use crate::show::{Progress, progress};

use connect::{identity, remote, s3};

pub(crate) use connect::local;
pub(crate) use version::Engine;

/// The configuration as read from disk.
pub(crate) struct File {
    pub(crate) stack: Stack,
    pub(crate) text: String,
}

/// Reads and checks the configuration.
pub(crate) fn read(path: &Path) -> Result<File> {
    let bytes = std::fs::read(path).map_err(|error| {
        let error = CliError::usage(format!("{} cannot be read: {error}.", path.display()));
        error.help(
            "Name the file with -c, write one with `stepstack init`, or name the stack with --stack APP/ENV.",
        )
    })?;
    let name = path.display().to_string();
    let stack = parse(&bytes, &name)?;
    Ok(File { stack, text: String::from_utf8_lossy(&bytes).into_owned() })
}

/// A connection to AWS (or the AWS on this machine) for one environment.
pub(crate) struct Session {
    pub(crate) config: SdkConfig,
    pub(crate) scope: Scope,
    pub(crate) environment: String,
    /// The configuration, when there is one at hand.
    pub(crate) file: Option<File>,
    pub(crate) local: bool,
    pub(crate) json: bool,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sfn: aws_sdk_sfn::Client,
    pub(crate) caller: Option<String>,
    /// What the command line says about where AWS is, to be said again: ` --local`.
    where_aws_is: String,
    engine: OnceCell<Engine>,
}

impl Session {
    /// Opens it. The file is needed where `needs_file` says so; elsewhere `--stack` does as well.
    pub(crate) async fn open(global: &Global, needs_file: bool) -> Result<Self> {
        let named = global.stack.as_deref().map(split).transpose()?;
        let file = match (&named, needs_file) {
            // By its name alone a stack is looked at with the configuration that was last accepted.
            (Some(_), true) if global.file.exists() => Some(read(&global.file)?),
            (Some(_), _) => None,
            (None, _) => Some(read(&global.file)?),
        };
        let (app, environment) = match (&named, &file) {
            (Some(named), _) => named.clone(),
            (None, Some(file)) => (file.stack.app.clone(), file.stack.environment.clone()),
            (None, None) => {
                return Err(CliError::usage("Name the stack with --stack APP/ENV, or a file with -c."));
            }
        };
        let region =
            global.region.clone().or_else(|| file.as_ref().and_then(|file| file.stack.region.clone()));
        let mut where_aws_is = if global.local { " --local".to_owned() } else { String::new() };
        for (flag, value) in [("--region", &region), ("--profile", &global.profile)] {
            if let Some(value) = value.as_ref().filter(|_| !global.local) {
                where_aws_is = format!("{where_aws_is} {flag} {value}");
            }
        }
        let (config, account, caller) = if global.local {
            (local().await?, ACCOUNT.to_owned(), None)
        } else {
            let config = remote(region, global.profile.as_deref()).await?;
            let (account, caller) = identity(&config).await?;
            (config, account, Some(caller))
        };
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let scope = Scope { app, account, region };
        let (s3, sfn) = (s3(&config), aws_sdk_sfn::Client::new(&config));
        Ok(Self {
            config,
            scope,
            environment,
            file,
            local: global.local,
            json: global.json,
            s3,
            sfn,
            caller,
            where_aws_is,
            engine: OnceCell::new(),
        })
    }

    /// `app/env`
    pub(crate) fn stack(&self) -> String {
        format!("{}/{}", self.scope.app, self.environment)
    }

    /// Where a service's tasks write their logs.
    pub(crate) fn log_group(&self, service: &str) -> String {
        format!("/ecs/{}-{}-{service}", self.scope.app, self.environment)
    }

    /// The command that shows a run from any machine.
    pub(crate) fn come_back(&self, run: &str) -> String {
        format!("stepstack attach{} --stack {} {run}", self.where_aws_is, self.stack())
    }

    /// An object of the record, as JSON; `None` when there is none.
    pub(crate) async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let Some(text) = self.text(key).await? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            CliError::failed(format!("{key} cannot be read: {error}. Is the program as new as the engine?"))
        })
    }

    /// An object of the provisioner's bucket, as text; `None` when there is none.
    pub(crate) async fn text(&self, key: &str) -> Result<Option<String>> {
        let get = self.s3.get_object().bucket(self.scope.bucket()).key(key).send().await;
        let Some(object) = get.map_err(failed("s3:GetObject")).optional()? else { return Ok(None) };
        let bytes = object.body.collect().await.map_err(|error| CliError {
            kind: Some(ErrorKind::Transient),
            ..CliError::failed(format!("Reading {key} broke off: {error}"))
        })?;
        Ok(Some(String::from_utf8_lossy(&bytes.into_bytes()).into_owned()))
    }

    /// The configuration that was accepted last; `None` where there is no such environment.
    pub(crate) async fn accepted_stack(&self) -> Result<Option<Stack>> {
        let intent: Option<Intent> = self.get(&keys::intent(&self.environment)).await?;
        let Some(run) = intent.and_then(|intent| intent.run) else { return Ok(None) };
        let key = keys::of_run(&self.environment, &run, "config.toml");
        let text = self.text(&key).await?;
        let name = "the configuration that was accepted last";
        Ok(text.map(|text| parse(text.as_bytes(), name)).transpose()?)
    }

    /// The keys below a prefix, each with its ETag; none when there is no bucket.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        let pages =
            self.s3.list_objects_v2().bucket(self.scope.bucket()).prefix(prefix).into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("s3:ListBucket")).optional()?;
        let one = |object: &aws_sdk_s3::types::Object| {
            Some((object.key()?.to_owned(), object.e_tag().unwrap_or_default().to_owned()))
        };
        Ok(pages.unwrap_or_default().iter().flat_map(|page| page.contents()).filter_map(one).collect())
    }

    /// The ids of the environment's runs, oldest first.
    pub(crate) async fn runs(&self) -> Result<Vec<String>> {
        let prefix = keys::runs(&self.environment);
        let list = self
            .s3
            .list_objects_v2()
            .bucket(self.scope.bucket())
            .prefix(&prefix)
            .delimiter("/")
            .into_paginator()
            .send();
        let pages = list.collect::<Result<Vec<_>, _>>().await.map_err(failed("s3:ListBucket")).optional()?;
        let run = |common: &aws_sdk_s3::types::CommonPrefix| {
            common.prefix()?.strip_prefix(&prefix).map(|rest| rest.trim_end_matches('/').to_owned())
        };
        let mut runs: Vec<String> = pages
            .unwrap_or_default()
            .iter()
            .flat_map(|page| page.common_prefixes())
            .filter_map(run)
            .collect();
        runs.sort();
        Ok(runs)
    }

    /// ARN of a run's execution.
    pub(crate) fn execution(&self, run: &str) -> String {
        self.scope.arn("states", &format!("execution:{}:{run}", self.scope.engine()))
    }
}

/// The engine is not there.
pub(crate) fn no_engine(app: &str) -> CliError {
    let error = CliError::refused(format!("There is no engine of the app {app} in this account and region."));
    error.help("Install it with `stepstack bootstrap`; `stepstack apply` offers it too.")
}

fn split(named: &str) -> Result<(String, String)> {
    match named.split_once('/') {
        Some((app, environment)) if !app.is_empty() && !environment.is_empty() => {
            Ok((app.to_owned(), environment.to_owned()))
        }
        _ => Err(CliError::usage(format!("{named:?} is no stack: write APP/ENV, such as arive/production."))),
    }
}

/// A line that says what is being done.
pub(crate) fn saying(what: &str) -> Progress {
    progress(what)
}
