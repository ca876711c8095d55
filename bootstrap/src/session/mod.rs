//! Where a command works: credentials, region, app and environment, and the record in the provisioner's bucket.

mod connect;
mod record;
mod start;
mod version;

use std::path::Path;

use aws_types::SdkConfig;
use statemachine::config::{Stack, parse};
use statemachine::naming::AwsNames;
use statemachine::permission::Scope;
use tokio::sync::OnceCell;

use crate::cli::Global;
use crate::error::{CliError, Result};
use crate::local::ACCOUNT;

use connect::{identity, local, remote};

pub(crate) use connect::local_endpoint;
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
    pub(crate) bucket: ::record::Bucket,
    /// What stands there of the environment.
    pub(crate) record: ::record::Record,
    pub(crate) sfn: aws_sdk_sfn::Client,
    pub(crate) caller: Option<String>,
    /// What the command line says about where AWS is, to be said again: ` --local`.
    where_aws_is: String,
    engine: OnceCell<Engine>,
}

impl Session {
    /// Opens it for the stack that `--stack` names, else for the one that the file describes.
    pub(crate) async fn open(global: &Global) -> Result<Self> {
        match named(global)? {
            Some((app, environment)) => Self::connect(global, app, environment, None).await,
            None => Self::of_file(global).await,
        }
    }

    /// The same for what the file is sent along with: a stack that `--stack` names gets the file where there is
    /// one, and else the configuration that was accepted last.
    pub(crate) async fn open_with_file(global: &Global) -> Result<Self> {
        match named(global)? {
            Some((app, environment)) => {
                let file = if global.file.exists() { Some(read(&global.file)?) } else { None };
                Self::connect(global, app, environment, file).await
            }
            None => Self::of_file(global).await,
        }
    }

    async fn of_file(global: &Global) -> Result<Self> {
        let file = read(&global.file)?;
        let (app, environment) = (file.stack.app.clone(), file.stack.environment.clone());
        Self::connect(global, app, environment, Some(file)).await
    }

    async fn connect(global: &Global, app: String, environment: String, file: Option<File>) -> Result<Self> {
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
        let bucket = ::record::Bucket::new(&config, scope.bucket());
        let (record, sfn) = (bucket.record(&environment), aws_sdk_sfn::Client::new(&config));
        Ok(Self {
            config,
            scope,
            environment,
            file,
            local: global.local,
            json: global.json,
            bucket,
            record,
            sfn,
            caller,
            where_aws_is,
            engine: OnceCell::new(),
        })
    }

    /// The AWS names of the stack.
    pub(crate) fn aws_names(&self) -> AwsNames<'_> {
        AwsNames::new(&self.scope.app, &self.environment)
    }

    /// `app/env`
    pub(crate) fn stack(&self) -> String {
        self.aws_names().stack()
    }

    /// Where a service's tasks write their logs.
    pub(crate) fn log_group(&self, service: &str) -> String {
        self.aws_names().service_log_group(service)
    }

    /// The command that shows a run from any machine.
    pub(crate) fn come_back(&self, run: &str) -> String {
        format!("stepstack attach{} --stack {} {run}", self.where_aws_is, self.stack())
    }

    /// ARN of a run's execution.
    pub(crate) fn execution(&self, run: &str) -> String {
        self.scope.execution(run)
    }
}

/// The engine is not there.
pub(crate) fn no_engine(app: &str) -> CliError {
    let error = CliError::refused(format!("There is no engine of the app {app} in this account and region."));
    error.help("Install it with `stepstack bootstrap`; `stepstack apply` offers it too.")
}

/// App and environment as `--stack` names them.
fn named(global: &Global) -> Result<Option<(String, String)>> {
    let Some(named) = &global.stack else { return Ok(None) };
    match named.split_once('/') {
        Some((app, environment)) if !app.is_empty() && !environment.is_empty() => {
            Ok(Some((app.to_owned(), environment.to_owned())))
        }
        _ => Err(CliError::usage(format!("{named:?} is no stack: write APP/ENV, such as arive/production."))),
    }
}
