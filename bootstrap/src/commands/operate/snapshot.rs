//! `snapshot`: the database's snapshots.

use aws::failed;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;
use statemachine::error::Optional as _;
use statemachine::message::{Operation, Parameters};
use statemachine::resource::STACK_TAG;

use super::start::start;
use crate::cli::{Global, Start};
use crate::commands::consent::{Consent, agreed, needs_yes, to_remove};
use crate::commands::missing::unknown;
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show;

/// `snapshot`
#[derive(Debug, Args)]
pub struct Snapshot {
    /// What to do
    #[command(subcommand)]
    pub command: SnapshotCommand,
}

/// What can be done with snapshots.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Take one
    Create {
        /// Its name; else the time
        name: Option<String>,
        /// How it starts
        #[command(flatten)]
        start: Start,
    },
    /// List them, and the clusters that restores have left
    List,
    /// Make the next generation of the database from one
    Restore {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// How it starts
        #[command(flatten)]
        start: Start,
    },
    /// Let go of a snapshot, or of a cluster that a restore has left
    Forget {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// How it starts
        #[command(flatten)]
        start: Start,
    },
}

pub(crate) async fn snapshot(global: &Global, snapshot: &Snapshot) -> Result<Code> {
    let session = Session::open(global).await?;
    let named = |name: &str| Parameters { snapshot: Some(name.to_owned()), ..Parameters::default() };
    match &snapshot.command {
        SnapshotCommand::List => list(&session).await,
        SnapshotCommand::Create { name, start: how } => {
            let name =
                name.clone().unwrap_or_else(|| Timestamp::now().strftime("manual-%Y%m%d-%H%M%S").to_string());
            check_name(&name)?;
            start(&session, Operation::SnapshotCreate, named(&name), how).await
        }
        SnapshotCommand::Restore { name, yes, start: how } => {
            let known = known(&session).await?;
            let found = known.iter().find(|one| one.is(name) && one.kind == "snapshot");
            let Some(found) = found else { return Err(no_such(name, &known)) };
            show::note(&format!(
                "A new cluster is made from {}. The services move to it; the present one stays, without its instance, until `stepstack snapshot forget`. What was written to it since the snapshot is not in the new one.",
                found.name
            ));
            agreed_to_remove("A restore", *yes)?;
            start(&session, Operation::Restore, named(&found.name), how).await
        }
        SnapshotCommand::Forget { name, yes, start: how } => {
            let known = known(&session).await?;
            let found = known.iter().find(|one| one.is(name));
            let Some(found) = found else { return Err(no_such(name, &known)) };
            let what = if found.kind == "snapshot" {
                format!("The snapshot {} is deleted, and what it holds with it.", found.name)
            } else {
                format!("The cluster {} is deleted; a final snapshot of it stays.", found.name)
            };
            show::note(&what);
            agreed_to_remove("Forgetting", *yes)?;
            start(&session, Operation::SnapshotForget, named(&found.name), how).await
        }
    }
}

/// What cannot be taken back is not done unasked: fails where nobody can be asked, and unless the answer is yes.
fn agreed_to_remove(what: &str, yes: bool) -> Result<()> {
    match to_remove(yes, show::can_ask()) {
        Consent::Given => Ok(()),
        Consent::ToAsk => agreed("Go on?"),
        Consent::Missing => Err(needs_yes(what)),
    }
}

/// A name as RDS takes it after the stack's own: letters, digits and single hyphens.
fn check_name(name: &str) -> Result<()> {
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if letters && !name.is_empty() && name.len() <= 60 && !name.contains("--") && !name.ends_with('-') {
        return Ok(());
    }
    let error = CliError::usage(format!("{name:?} is no name of a snapshot."));
    Err(error.help("Use lower-case letters, digits and single hyphens, at most 60: `before-the-move`."))
}

/// A snapshot, or a cluster that a restore has left.
#[derive(Debug, Serialize)]
struct Known {
    kind: &'static str,
    name: String,
    made: String,
    status: String,
    #[serde(skip)]
    prefix: String,
}

impl Known {
    fn is(&self, name: &str) -> bool {
        self.name == name || self.name.strip_prefix(&self.prefix) == Some(name)
    }
}

fn no_such(name: &str, known: &[Known]) -> CliError {
    let names: Vec<String> = known
        .iter()
        .flat_map(|one| [Some(one.name.clone()), one.name.strip_prefix(&one.prefix).map(str::to_owned)])
        .flatten()
        .collect();
    unknown("snapshot", name, &names)
}

/// What there is of this stack, the oldest first.
async fn known(session: &Session) -> Result<Vec<Known>> {
    let rds = aws_sdk_rds::Client::new(&session.config);
    let prefix = session.aws_names().db_snapshot("");
    let stack = session.stack();
    let ours = |tags: &[aws_sdk_rds::types::Tag]| {
        tags.iter().any(|tag| tag.key() == Some(STACK_TAG) && tag.value() == Some(&stack))
    };
    let time = |at: Option<&aws_sdk_rds::primitives::DateTime>| {
        let at = at.and_then(|at| Timestamp::from_second(at.secs()).ok());
        at.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default()
    };
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let pages = rds.describe_db_cluster_snapshots().snapshot_type("manual").into_paginator().items().send();
    let snapshots =
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("rds:DescribeDBClusterSnapshots"))?;
    let mut known: Vec<Known> = snapshots
        .iter()
        .filter(|one| ours(one.tag_list()))
        .map(|one| Known {
            kind: "snapshot",
            name: text(one.db_cluster_snapshot_identifier()),
            made: time(one.snapshot_create_time()),
            status: text(one.status()),
            prefix: prefix.clone(),
        })
        .collect();
    known.sort_by(|a, b| a.made.cmp(&b.made));
    let live = session.intent().await.ok().flatten().map_or(1, |intent| intent.database.generation);
    for generation in 1..live {
        let identifier = format!("{prefix}{generation}");
        let found = rds.describe_db_clusters().db_cluster_identifier(&identifier).send().await;
        let found = found.map_err(failed("rds:DescribeDBClusters")).optional()?;
        for cluster in found.iter().flat_map(|found| found.db_clusters()).filter(|one| ours(one.tag_list())) {
            known.push(Known {
                kind: "kept cluster",
                name: identifier.clone(),
                made: time(cluster.cluster_create_time()),
                status: text(cluster.status()),
                prefix: prefix.clone(),
            });
        }
    }
    Ok(known)
}

async fn list(session: &Session) -> Result<Code> {
    let known = known(session).await?;
    if session.json {
        show::json(&known);
    } else if known.is_empty() {
        show::line(&format!(
            "{} has no snapshots. Take one with `stepstack snapshot create`.",
            session.stack()
        ));
    } else {
        let mut rows = vec![["NAME", "KIND", "MADE (UTC)", "STATUS"].map(str::to_owned).to_vec()];
        rows.extend(known.into_iter().map(|one| vec![one.name, one.kind.to_owned(), one.made, one.status]));
        show::lines(&show::table(&rows));
    }
    Ok(Code::Done)
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_are_those_that_rds_takes() {
        for good in ["before", "before-the-move", "manual-20261123-101500"] {
            check_name(good).expect(good);
        }
        for bad in ["", "Before", "a--b", "a-", "ä", "a b", &"x".repeat(61)] {
            assert_eq!(check_name(bad).expect_err(bad).code.number(), 2);
        }
    }
}
