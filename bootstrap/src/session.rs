//! Where a command works: credentials, region, app and environment, and the record in the provisioner's bucket.

use std::path::Path;

use aws::failed;
use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_types::SdkConfig;
use aws_types::region::Region;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use statemachine::config::{Stack, parse};
use statemachine::error::Optional as _;
use statemachine::message::{Intent, Request, keys};
use statemachine::permission::Scope;
use statemachine::resource::hex;

use crate::cli::Global;
use crate::error::{CliError, Code, Result};
use crate::local::{ACCOUNT, REGION, Server};
use crate::show::{Progress, progress};

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
        Ok(Self { config, scope, environment, file, local: global.local, json: global.json, s3, sfn, caller })
    }

    /// `app/env`
    pub(crate) fn stack(&self) -> String {
        format!("{}/{}", self.scope.app, self.environment)
    }

    /// An object of the record, as JSON; `None` when there is none.
    pub(crate) async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let get = self
            .s3
            .get_object()
            .bucket(self.scope.bucket())
            .key(key)
            .send()
            .await
            .map_err(failed("s3:GetObject"));
        let Some(object) = get.optional()? else { return Ok(None) };
        let bytes = object
            .body
            .collect()
            .await
            .map_err(|error| CliError::failed(format!("Reading {key} broke off: {error}")))?;
        let value = serde_json::from_slice(&bytes.into_bytes());
        value.map(Some).map_err(|error| {
            CliError::failed(format!("{key} cannot be read: {error}. Is the program as new as the engine?"))
        })
    }

    /// The configuration that was accepted last; `None` where there is no such environment.
    pub(crate) async fn accepted_stack(&self) -> Result<Option<Stack>> {
        let intent: Option<Intent> = self.get(&keys::intent(&self.environment)).await?;
        let Some(run) = intent.and_then(|intent| intent.run) else { return Ok(None) };
        let key = keys::of_run(&self.environment, &run, "config.toml");
        let get = self.s3.get_object().bucket(self.scope.bucket()).key(&key).send().await;
        let Some(object) = get.map_err(failed("s3:GetObject")).optional()? else { return Ok(None) };
        let bytes = object.body.collect().await.map_err(|error| CliError::failed(error.to_string()))?;
        Ok(Some(parse(&bytes.into_bytes(), "the configuration that was accepted last")?))
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

    /// Starts an execution, with the configuration in its place. Answers the run's id.
    pub(crate) async fn start(&self, mut request: Request) -> Result<String> {
        let run = new_run_id();
        if let Some(file) = self.file.as_ref().filter(|_| request.config_key.is_some()) {
            let key = keys::of_run(&self.environment, &run, "config.toml");
            let put =
                self.s3.put_object().bucket(self.scope.bucket()).key(&key).content_type("application/toml");
            let put = put.body(file.text.clone().into_bytes().into()).send().await;
            put.map_err(failed("s3:PutObject"))?;
            request.config_key = Some(key);
        }
        let input = serde_json::to_string(&request).map_err(|error| CliError::failed(error.to_string()))?;
        let start =
            self.sfn.start_execution().state_machine_arn(self.scope.state_machine()).name(&run).input(input);
        match start.send().await.map_err(failed("states:StartExecution")) {
            Ok(_) => Ok(run),
            Err(error) if error.code.as_deref() == Some("StateMachineDoesNotExist") => {
                Err(no_engine(&self.scope.app))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// ARN of a run's execution.
    pub(crate) fn execution(&self, run: &str) -> String {
        self.scope.arn("states", &format!("execution:{}:{run}", self.scope.engine()))
    }
}

/// The engine is not there.
pub(crate) fn no_engine(app: &str) -> CliError {
    let error = CliError {
        code: Code::Refused,
        ..CliError::failed(format!("There is no engine of the app {app} in this account and region."))
    };
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

/// S3 in path style where AWS is an emulator.
pub(crate) fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config =
        aws_sdk_s3::config::Builder::from(config).force_path_style(config.endpoint_url().is_some()).build();
    aws_sdk_s3::Client::from_conf(config)
}

/// The AWS on this machine, started when it does not run.
pub(crate) async fn local() -> Result<SdkConfig> {
    let endpoint = tokio::task::spawn_blocking(|| {
        let progress = progress("Starting MiniStack");
        let endpoint = Server::from_environment().ensure_running(&|what| progress.say(what));
        progress.clear();
        endpoint
    });
    let endpoint = endpoint.await.map_err(|error| CliError::failed(error.to_string()))??;
    let credentials =
        SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "local mode"));
    Ok(aws::config(REGION, Some(&endpoint.url), credentials))
}

/// The user's own AWS, by the usual chain.
async fn remote(region: Option<String>, profile: Option<&str>) -> Result<SdkConfig> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(aws::http_client(None));
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    let aws = loader.load().await;
    let Some(region) = aws.region() else {
        let error = CliError::usage("No AWS region is set.");
        return Err(
            error.help("Write `region = \"us-east-1\"` into the file, or set AWS_REGION or --region.")
        );
    };
    let help =
        "Sign in (`aws sso login`), set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.";
    let Some(provider) = aws.credentials_provider() else {
        return Err(CliError::failed("There are no AWS credentials.").help(help));
    };
    if let Err(error) = provider.provide_credentials().await {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            text = inner.to_string();
            source = inner.source();
        }
        return Err(CliError::failed(format!("The AWS credentials cannot be loaded: {text}.")).help(help));
    }
    Ok(::aws::config(region.as_ref(), aws.endpoint_url(), provider))
}

async fn identity(config: &SdkConfig) -> Result<(String, String)> {
    let identity = aws_sdk_sts::Client::new(config)
        .get_caller_identity()
        .send()
        .await
        .map_err(failed("sts:GetCallerIdentity"))?;
    let account = identity
        .account()
        .ok_or_else(|| CliError::failed("AWS does not say whose credentials these are."))?;
    Ok((account.to_owned(), identity.arn().unwrap_or_default().to_owned()))
}

/// `YYYYMMDD-HHMMSS-xxxx`: the name of an execution, and so the id of its run.
fn new_run_id() -> String {
    let now = Timestamp::now();
    let seed = format!("{}-{}", now.as_nanosecond(), std::process::id());
    format!("{}-{}", now.strftime("%Y%m%d-%H%M%S"), &hex(&Sha256::digest(seed))[..4])
}

/// A line that says what is being done.
pub(crate) fn saying(what: &str) -> Progress {
    progress(what)
}
