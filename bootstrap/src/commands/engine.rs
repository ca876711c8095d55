//! The engine that a command needs: looked for, offered, installed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aws_smithy_types::base64;
use sha2::{Digest as _, Sha256};
use statemachine::definition::FUNCTIONS;
use statemachine::message::StageReport;
use statemachine::permission::Scope;
use statemachine::plan::Progress as Done;
use statemachine::resource::Name;

use super::consent::{Consent, to_change};
use crate::error::{CliError, Result};
use crate::install::{self, Target, VERSION};
use crate::local::{FunctionZip, build_functions};
use crate::session::{Engine, Session, no_engine};
use crate::show::{self, progress};

/// Sees that there is an engine to look with. In local mode it is installed; elsewhere a look changes nothing.
pub(super) async fn ready_to_look(session: &Session) -> Result<()> {
    if session.local {
        return install(session).await.map(|_| ());
    }
    match to_look(session.engine().await?) {
        ToLook::Missing => Err(no_engine(&session.scope.app)),
        ToLook::Ready => Ok(()),
        ToLook::ReadyBut(note) => {
            show::note(&note);
            Ok(())
        }
    }
}

/// What a look makes of the installed engine.
#[derive(Debug, PartialEq, Eq)]
enum ToLook {
    Missing,
    Ready,
    /// It looks, with a note.
    ReadyBut(String),
}

fn to_look(engine: &Engine) -> ToLook {
    match engine {
        Engine::Missing => ToLook::Missing,
        Engine::Same => ToLook::Ready,
        Engine::Older(installed) => ToLook::ReadyBut(format!(
            "The installed engine is {installed}; this program is {VERSION}. `stepstack bootstrap` brings it up to date."
        )),
        Engine::Newer(installed) => ToLook::ReadyBut(format!(
            "The installed engine is {installed}; this program is {VERSION}, and may not know all that it says. Install version {installed} of the program."
        )),
    }
}

/// Sees that there is an engine of this version. In local mode it is simply installed; elsewhere it is offered.
/// Refused where the engine is newer.
pub(super) async fn ready_to_write(session: &Session, yes: bool) -> Result<()> {
    if session.local {
        return install(session).await.map(|_| ());
    }
    session.refuse_when_older().await?;
    let Some(note) = to_write(session.engine().await?, &session.scope) else { return Ok(()) };
    show::note(&note);
    if to_change(yes, show::can_ask()) == Consent::ToAsk && !show::confirm("Install it now?") {
        return Err(no_engine(&session.scope.app));
    }
    install(session).await.map(|_| ())
}

/// What is said before the engine is installed for a change; nothing where it can change things as it is.
fn to_write(engine: &Engine, scope: &Scope) -> Option<String> {
    match engine {
        Engine::Same | Engine::Newer(_) => None,
        Engine::Missing => Some(format!(
            "The engine of {} is not installed in {} {}.",
            scope.app, scope.account, scope.region
        )),
        Engine::Older(installed) => {
            Some(format!("The installed engine is {installed}; this program is {VERSION}."))
        }
    }
}

/// Installs the engine, if what is installed is not what this program has. Answers what it changed. Refused
/// where the installed one is newer.
pub(super) async fn install(session: &Session) -> Result<BTreeSet<Name>> {
    session.refuse_when_older().await?;
    let zips = zips(session).await?;
    let target = Target::of(&session.config);
    let present = install::installed(&session.config, &session.scope).await?;
    let fingerprint = install::fingerprint(&session.scope, &zips, &target);
    if present.is_some_and(|present| present.fingerprint.as_ref() == Some(&fingerprint)) {
        return Ok(BTreeSet::new());
    }
    let progress = progress("Installing the engine");
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
            let progress = progress("Building the functions");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_needs_an_engine_and_says_where_it_is_of_another_version() {
        assert_eq!(to_look(&Engine::Missing), ToLook::Missing);
        assert_eq!(to_look(&Engine::Same), ToLook::Ready);
        for (engine, remedy) in [
            (Engine::Older("0.0.1".to_owned()), "`stepstack bootstrap` brings it up to date."),
            (Engine::Newer("9.0.0".to_owned()), "Install version 9.0.0 of the program."),
        ] {
            let ToLook::ReadyBut(note) = to_look(&engine) else { panic!("{engine:?} only gets a note") };
            assert!(note.ends_with(remedy), "{note}");
        }
    }

    #[test]
    fn a_change_installs_an_engine_that_is_missing_or_older() {
        let scope = Scope {
            app: "arive".to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let installs = |engine: Engine| to_write(&engine, &scope).is_some();
        assert!(installs(Engine::Missing));
        assert!(installs(Engine::Older("0.0.1".to_owned())));
        assert!(!installs(Engine::Same));
        assert!(!installs(Engine::Newer("9.0.0".to_owned())), "it was refused before");
    }
}
