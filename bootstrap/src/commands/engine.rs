//! The engine, and the AWS on this machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aws_smithy_types::base64;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use statemachine::definition::FUNCTIONS;
use statemachine::message::StageReport;
use statemachine::permission::Scope;
use statemachine::plan::Progress as Done;
use statemachine::resource::{DataPolicy, Name};

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
    let changed = install(&session).await?;
    if session.json {
        show::json(&Installed {
            app: &session.scope.app,
            account: &session.scope.account,
            region: &session.scope.region,
            version: install::VERSION,
            changed,
        });
    } else {
        show::line(&format!(
            "The engine of {} is {} in {}{}.",
            session.scope.app,
            install::VERSION,
            session.scope.region,
            if changed.is_empty() { ", as it was" } else { "" }
        ));
    }
    Ok(Code::Done)
}

/// What `bootstrap --json` says.
#[derive(Serialize)]
struct Installed<'a> {
    app: &'a str,
    account: &'a str,
    region: &'a str,
    version: &'a str,
    /// What was made, changed or deleted.
    changed: BTreeSet<Name>,
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
    session.refuse_when_older().await?;
    let what =
        format!("the engine of {} in {} {}", session.scope.app, session.scope.account, session.scope.region);
    if !bootstrap.yes && !show::is_asked() {
        return Err(CliError::usage(format!("Removing {what} needs --yes when nobody can be asked.")));
    }
    if !bootstrap.yes && !show::confirm(&format!("Remove {what}?")) {
        return Err(CliError::refused("Nothing was changed: the question was not answered with yes."));
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
        let kept: Vec<&str> = kept.iter().map(Name::as_str).collect();
        show::line(&format!("The engine is gone. Kept: {} (--delete-data removes it).", kept.join(", ")));
    }
    Ok(Code::Done)
}

/// Installs the engine, if what is installed is not what this program has. Answers what it changed. Refused
/// where the installed one is newer.
pub(crate) async fn install(session: &Session) -> Result<BTreeSet<Name>> {
    session.refuse_when_older().await?;
    let zips = zips(session).await?;
    let target = Target::of(&session.config);
    let present = install::installed(&session.config, &session.scope).await?;
    let fingerprint = install::fingerprint(&session.scope, &zips, &target);
    if present.is_some_and(|present| present.fingerprint.as_ref() == Some(&fingerprint)) {
        return Ok(BTreeSet::new());
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
    Ok(installed.changed)
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
    let say = |text: String, value: serde_json::Value| {
        if global.json { show::json(&value) } else { show::line(&text) }
    };
    match &local.command {
        LocalCommand::Start => {
            let config = local_config().await?;
            let endpoint = config.endpoint_url().unwrap_or_default();
            say(format!("MiniStack answers at {endpoint}."), json!({ "endpoint": endpoint }));
        }
        LocalCommand::Stop => {
            let stopped = tokio::task::spawn_blocking(|| Server::from_environment().stop());
            let stopped = stopped.await.map_err(|error| CliError::failed(error.to_string()))??;
            let text = if stopped {
                "MiniStack is stopped, and what it held is forgotten."
            } else {
                "MiniStack does not run."
            };
            say(text.to_owned(), json!({ "stopped": stopped }));
        }
        LocalCommand::Reset => {
            let reset = tokio::task::spawn_blocking(|| Server::from_environment().reset());
            reset.await.map_err(|error| CliError::failed(error.to_string()))??;
            say("MiniStack is empty.".to_owned(), json!({ "reset": true }));
        }
        LocalCommand::Push { tag } => {
            let session = Session::open(&Global { local: true, ..global.clone() }, false).await?;
            let ecr = aws_sdk_ecr::Client::new(&session.config);
            let marker = jiff::Timestamp::now().to_string();
            let (repository, digest) =
                (session.stack(), push_sample(&ecr, &session.stack(), tag, &marker).await?);
            say(
                format!("Pushed {repository}:{tag} as {digest}."),
                json!({ "repository": repository, "tag": tag, "digest": digest }),
            );
        }
    }
    Ok(Code::Done)
}
