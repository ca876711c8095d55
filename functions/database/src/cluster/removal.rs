//! How a cluster goes: its protection off, a final snapshot, and never the data without one unasked.

use aws::{failed, gone};
use aws_sdk_rds::Client;
use statemachine::error::Optional as _;
use statemachine::resource::{Context, Gone};
use statemachine::{Error, Result};

use super::Cluster;

/// Asks AWS to delete it, with a final snapshot unless the caller has said otherwise. AWS refuses that until
/// its instances are at least *deleting* (aws-facts.md section 2, row 14): not ready, for the loop.
pub(crate) async fn delete(client: &Client, id: &str, now: Option<&Cluster>, ctx: &Context) -> Result<Gone> {
    if now.is_some_and(|now| !now.running) {
        return Err(start(client, id).await);
    }
    if now.is_none_or(|now| now.deletion_protection) {
        let off = client.modify_db_cluster().db_cluster_identifier(id).deletion_protection(false);
        let off = off.apply_immediately(true).send().await.map_err(failed("rds:ModifyDBCluster"));
        if off.optional()?.is_none() {
            return Ok(Gone::Now);
        }
    }
    if ctx.options.skip_final_snapshot {
        let delete =
            client.delete_db_cluster().db_cluster_identifier(id).skip_final_snapshot(true).send().await;
        return gone(delete.map_err(failed("rds:DeleteDBCluster")), Gone::Going);
    }
    let snapshot = final_snapshot(id, &ctx.run);
    match delete_with(client, id, &snapshot).await {
        // Whatever that one holds: the data of now goes into another.
        Err(error) if error.code.as_deref() == Some("DBClusterSnapshotAlreadyExistsFault") => {
            delete_with(client, id, &format!("{snapshot}-2")).await
        }
        other => other,
    }
}

async fn delete_with(client: &Client, id: &str, snapshot: &str) -> Result<Gone> {
    let delete = client.delete_db_cluster().db_cluster_identifier(id).skip_final_snapshot(false);
    let delete = delete.final_db_snapshot_identifier(snapshot).send().await;
    gone(delete.map_err(failed("rds:DeleteDBCluster")), Gone::Going)
}

/// The name of the final snapshot: it carries the run, so that a second destroy does not meet the first's.
fn final_snapshot(cluster: &str, run: &str) -> String {
    format!("{cluster}-final-{}", run.to_lowercase())
}

/// AWS neither changes nor deletes a stopped cluster, nor its instances: it has to be started for that. Answers
/// why the caller has to wait.
pub(crate) async fn start(client: &Client, id: &str) -> Error {
    match client
        .start_db_cluster()
        .db_cluster_identifier(id)
        .send()
        .await
        .map_err(failed("rds:StartDBCluster"))
    {
        Ok(_) => Error::not_ready(
            "The database is stopped, and AWS works only on a running one: it is being started.",
        ),
        Err(error) => error,
    }
}
