//! Snapshots that people take. They are no part of a description: a run that takes one describes it, a run
//! that lets go of one finds it left over, and every other run looks at none.

use aws::{failed, gone};
use aws_sdk_rds::Client;
use aws_sdk_rds::types::DbClusterSnapshot as Raw;
use serde::Serialize;
use statemachine::error::Optional as _;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, STACK_TAG, State,
};
use statemachine::{Error, ErrorKind, Result};

use crate::cluster;
use crate::tags::{change, owns, tags, value};

/// A snapshot of the live cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// `{app}-{env}-{name}`.
    pub identifier: String,
    /// The cluster's identifier.
    pub cluster: String,
}

/// RDS, and the one snapshot that is looked for.
#[derive(Clone, Debug)]
pub struct Snapshots {
    /// The client.
    pub rds: Client,
    /// Its identifier; `None`: none.
    pub identifier: Option<String>,
}

/// `db-snapshot/arive-production-before-the-move`
pub fn name(identifier: &str) -> Name {
    Name::new(Snapshot::KIND, identifier)
}

/// The snapshot of this identifier, if there is one.
pub(crate) async fn find(rds: &Client, identifier: &str) -> Result<Option<Raw>> {
    let found = rds.describe_db_cluster_snapshots().db_cluster_snapshot_identifier(identifier).send().await;
    let found = found.map_err(failed("rds:DescribeDBClusterSnapshots")).optional()?;
    Ok(found.and_then(|found| found.db_cluster_snapshots.unwrap_or_default().into_iter().next()))
}

impl Resource for Snapshot {
    type Client = Snapshots;
    type Raw = Raw;

    const KIND: &'static str = "db-snapshot";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let snapshots = owns(scope, "cluster-snapshot");
        let actions = [
            "rds:AddTagsToResource",
            "rds:CreateDBClusterSnapshot",
            "rds:DescribeDBClusterSnapshots",
            "rds:RestoreDBClusterFromSnapshot",
        ];
        let parts = ["cluster", "cluster-pg", "subgrp"].map(|kind| owns(scope, kind));
        // A cluster without an option group of its own has the default one.
        let default_options = scope.arn("rds", "og:default*");
        vec![
            Permission::on(&actions, parts.into_iter().chain([snapshots, default_options])),
            change(scope, &["rds:DeleteDBClusterSnapshot"], &["cluster-snapshot"]),
        ]
    }

    fn name(&self) -> Name {
        name(&self.identifier)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Settled(cluster::name())]
    }

    async fn fetch(_: &Context, client: &Snapshots, _: &Names) -> Result<Vec<Raw>> {
        match &client.identifier {
            Some(identifier) => Ok(find(&client.rds, identifier).await?.into_iter().collect()),
            None => Ok(Vec::new()),
        }
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.db_cluster_snapshot_identifier()?;
        // A final snapshot carries the cluster's name: the stack is what counts.
        let ours = value(raw.tag_list(), STACK_TAG) == Some(ctx.stack().as_str());
        Some(if ours { Identity::ours(name(id), id) } else { Identity::theirs(name(id), id) })
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        let found = Self {
            identifier: raw.db_cluster_snapshot_identifier().unwrap_or_default().to_owned(),
            cluster: raw.db_cluster_identifier().unwrap_or_default().to_owned(),
        };
        match raw.status() {
            Some("available") => Ok(State::Settled(found)),
            Some("creating" | "copying") => Ok(State::Changing(Some(found))),
            Some("deleting") => Ok(State::Deleting),
            Some("failed") => Ok(State::Failed("AWS could not take the snapshot".to_owned())),
            other => Err(Error::unknown_status("DB cluster snapshot", other.unwrap_or("none"))),
        }
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        (self != now).then(|| {
            format!(
                "There is a snapshot {} already, of the cluster {}. Choose another name.",
                now.identifier, now.cluster
            )
        })
    }

    async fn create(self, Call { ctx, client, .. }: Call<Snapshots>) -> Result<Made> {
        let create = client
            .rds
            .create_db_cluster_snapshot()
            .db_cluster_identifier(&self.cluster)
            .db_cluster_snapshot_identifier(&self.identifier)
            .set_tags(Some(tags(&ctx, &self.name(), &[])));
        match create.send().await.map_err(failed("rds:CreateDBClusterSnapshot")) {
            Ok(_) => Ok(Made::started(self.identifier)),
            // An earlier call got through without our hearing of it: the next look says whose it is.
            Err(error) if error.kind == ErrorKind::Exists => Ok(Made::started(self.identifier)),
            Err(error) => Err(error),
        }
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Snapshots>) -> Result<Gone> {
        let delete = client.rds.delete_db_cluster_snapshot().db_cluster_snapshot_identifier(id).send().await;
        gone(delete.map_err(failed("rds:DeleteDBClusterSnapshot")), Gone::Going)
    }
}
