//! The engine, and the AWS on this machine.

use std::path::{Path, PathBuf};

use aws_smithy_types::base64;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use statemachine::definition::FUNCTIONS;
use statemachine::message::StageReport;
use statemachine::permission::Scope;
use statemachine::plan::Progress as Done;
use statemachine::resource::DataPolicy;

use crate::cli::{Bootstrap, Global, Local, LocalCommand};
use crate::error::{CliError, Code, Result};
use crate::install::{self, Target};
use crate::local::{ACCOUNT, FunctionZip, REGION, Server, build_functions, push_sample};
use crate::session::{Session, local as local_config, saying};
use crate::show;

pub(crate) async fn bootstrap(global: &Global, bootstrap: &Bootstrap) -> Result<Code> {
    if bootstrap.print_policies {
        return print_policies(global).await;
    }
    let session = Session::open(global, false).await?;
    if bootstrap.remove {
        return remove(&session, bootstrap).await;
    }
    install(&session).await?;
    if !session.json {
        show::line(&format!(
            "The engine of {} is {} in {}.",
            session.scope.app,
            install::VERSION,
            session.scope.region
        ));
    }
    Ok(Code::Done)
}

async fn print_policies(global: &Global) -> Result<Code> {
    // Nothing is asked of AWS when there is no way to: the policies are then printed for an example account.
    let scope = if let Ok(session) = Session::open(global, false).await {
        session.scope
    } else {
        let app = crate::session::read(&global.file)?.stack.app;
        Scope { app, account: ACCOUNT.to_owned(), region: REGION.to_owned() }
    };
    let policies: serde_json::Map<String, serde_json::Value> =
        install::policies(&scope).into_iter().collect();
    show::json(&policies);
    Ok(Code::Done)
}

async fn remove(session: &Session, bootstrap: &Bootstrap) -> Result<Code> {
    let what =
        format!("the engine of {} in {} {}", session.scope.app, session.scope.account, session.scope.region);
    if !bootstrap.yes && !show::is_asked() {
        return Err(CliError::usage(format!("Removing {what} needs --yes when nobody can be asked.")));
    }
    if !bootstrap.yes && !show::confirm(&format!("Remove {what}?")) {
        return Ok(Code::Refused);
    }
    let data = if bootstrap.delete_data { DataPolicy::Delete } else { DataPolicy::Keep };
    let progress = saying("Removing the engine");
    let kept = install::remove(&session.config, &session.scope, data, &|_| ()).await;
    progress.clear();
    let kept = kept?;
    if session.json {
        show::json(&json!({ "kept": kept }));
    } else if kept.is_empty() {
        show::line("The engine is gone.");
    } else {
        let kept: Vec<&str> = kept.iter().map(statemachine::resource::Name::as_str).collect();
        show::line(&format!("The engine is gone. Kept: {} (--delete-data removes it).", kept.join(", ")));
    }
    Ok(Code::Done)
}

/// Installs the engine, if what is installed is not what this program has.
pub(crate) async fn install(session: &Session) -> Result<()> {
    let zips = zips(session).await?;
    let target = Target::of(&session.config);
    let present = install::installed(&session.config, &session.scope).await?;
    let fingerprint = install::fingerprint(&session.scope, &zips, &target);
    if present.is_some_and(|present| present.fingerprint.as_ref() == Some(&fingerprint)) {
        return Ok(());
    }
    let progress = saying("Installing the engine");
    let say = |report: &StageReport| {
        let done = report.items.iter().filter(|item| item.progress == Done::Done).count();
        progress.say(&format!("Installing the engine: {done} of {} parts", report.items.len()));
    };
    let installed = install::bring_up(&session.config, &session.scope, zips, &say).await;
    progress.clear();
    let installed = installed?;
    if !session.local && installed.bucket_is_new {
        show::note(
            "AWS begins to send the events of a new bucket about five minutes from now: until then an upload starts nothing.",
        );
    }
    Ok(())
}

/// Whether the engine has to be installed before a run: it is missing, or of another version. In local mode it
/// always has to be looked at, as the functions are built from this checkout.
pub(crate) async fn needs_install(session: &Session) -> Result<Option<String>> {
    if session.local {
        return Ok(Some("local".to_owned()));
    }
    let version = install::installed_version(&session.config, &session.scope).await?;
    Ok(match version {
        None => Some(format!(
            "The engine of {} is not installed in {} {}.",
            session.scope.app, session.scope.account, session.scope.region
        )),
        Some(version) if version != install::VERSION => {
            Some(format!("The installed engine is {version}; this program is {}.", install::VERSION))
        }
        Some(_) => None,
    })
}

/// The functions' code: built from this checkout in local mode, else what `cargo bundle` made.
async fn zips(session: &Session) -> Result<Vec<FunctionZip>> {
    if session.local {
        let built = tokio::task::spawn_blocking(|| {
            let progress = saying("Building the functions");
            let built = build_functions(&|what| progress.say(what));
            progress.clear();
            built
        });
        return Ok(built.await.map_err(|error| CliError::failed(error.to_string()))??);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let directory =
        std::env::var_os("STEPSTACK_FUNCTIONS_DIR").map_or_else(|| root.join("target/lambda"), PathBuf::from);
    FUNCTIONS.iter().map(|name| bundled(&directory, name)).collect()
}

fn bundled(directory: &Path, name: &str) -> Result<FunctionZip> {
    let path = directory.join(name).join("bootstrap.zip");
    let bytes = std::fs::read(&path).map_err(|error| {
        let error = CliError::failed(format!("The function {name} is not built: {} cannot be read ({error}).", path.display()));
        error.help("Build the functions with `cargo bundle` (pip install cargo-lambda ziglang), or say where they are with STEPSTACK_FUNCTIONS_DIR.")
    })?;
    Ok(FunctionZip { name: name.to_owned(), sha256: base64::encode(Sha256::digest(&bytes)), path })
}

pub(crate) async fn local(global: &Global, local: &Local) -> Result<Code> {
    match &local.command {
        LocalCommand::Start => {
            let config = local_config().await?;
            show::line(&format!("MiniStack answers at {}.", config.endpoint_url().unwrap_or_default()));
        }
        LocalCommand::Stop => {
            let stopped = tokio::task::spawn_blocking(|| Server::from_environment().stop());
            let stopped = stopped.await.map_err(|error| CliError::failed(error.to_string()))??;
            show::line(if stopped {
                "MiniStack is stopped, and what it held is forgotten."
            } else {
                "MiniStack does not run."
            });
        }
        LocalCommand::Reset => {
            let reset = tokio::task::spawn_blocking(|| Server::from_environment().reset());
            reset.await.map_err(|error| CliError::failed(error.to_string()))??;
            show::line("MiniStack is empty.");
        }
        LocalCommand::Push { tag } => {
            let session = Session::open(&Global { local: true, ..global.clone() }, false).await?;
            let ecr = aws_sdk_ecr::Client::new(&session.config);
            let marker = jiff::Timestamp::now().to_string();
            let digest = push_sample(&ecr, &session.stack(), tag, &marker).await?;
            show::line(&format!("Pushed {}:{tag} as {digest}.", session.stack()));
        }
    }
    Ok(Code::Done)
}
