//! `bootstrap`: the engine in an account.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use statemachine::permission::Scope;
use statemachine::resource::{DataPolicy, Name};

use super::consent::{Consent, agreed, needs_yes, to_remove};
use super::{engine, github};
use crate::cli::Global;
use crate::error::{Code, Result};
use crate::install;
use crate::local::{ACCOUNT, REGION};
use crate::session::Session;
use crate::show::{self, progress};

/// `bootstrap`
#[derive(Debug, Args)]
pub struct Bootstrap {
    /// Take the engine away
    #[arg(long)]
    pub remove: bool,
    /// With --remove: the run records go too
    #[arg(long, requires = "remove")]
    pub delete_data: bool,
    /// Print what each role of the engine may do
    #[arg(long)]
    pub print_policies: bool,
    /// Make the role that the workflows of a GitHub repository take
    #[arg(long, value_name = "OWNER/REPO", conflicts_with_all = ["remove", "print_policies"])]
    pub github: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

pub(crate) async fn bootstrap(global: &Global, bootstrap: &Bootstrap) -> Result<Code> {
    if let Some(repository) = &bootstrap.github {
        return github::role(global, repository).await;
    }
    if bootstrap.print_policies {
        return print_policies(global).await;
    }
    let session = Session::open(global).await?;
    if bootstrap.remove {
        return remove(&session, bootstrap).await;
    }
    let changed = engine::install(&session).await?;
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
    let scope = if let Ok(session) = Session::open(global).await {
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
    match to_remove(bootstrap.yes, show::can_ask()) {
        Consent::Given => {}
        Consent::ToAsk => agreed(&format!("Remove {what}?"))?,
        Consent::Missing => return Err(needs_yes(&format!("Removing {what}"))),
    }
    let data = if bootstrap.delete_data { DataPolicy::Delete } else { DataPolicy::Keep };
    let progress = progress("Removing the engine");
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
