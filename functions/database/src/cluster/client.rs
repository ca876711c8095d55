//! What the cluster's kind calls AWS with.

use std::ops::Range;

use aws::failed;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::DbCluster as Raw;
use futures_util::future::try_join_all;
use statemachine::Result;
use statemachine::error::Optional as _;
use statemachine::resource::Context;

use crate::Clients;

/// RDS and Secrets Manager, and what a new cluster is made of.
#[derive(Clone, Debug)]
pub struct Rds {
    pub(super) clients: Clients,
    /// The live generation.
    pub(super) generation: u32,
    /// The version that a new cluster gets.
    pub(super) engine_version: Option<String>,
    /// The snapshot that a new cluster is made from.
    pub(super) snapshot: Option<String>,
}

impl Rds {
    /// Of the function's clients, for a generation of the cluster.
    pub fn new(clients: &Clients, generation: u32) -> Self {
        Self { clients: clients.clone(), generation, engine_version: None, snapshot: None }
    }

    /// With the version that a new cluster gets.
    #[must_use]
    pub(crate) fn with_version(self, engine_version: Option<String>) -> Self {
        Self { engine_version, ..self }
    }

    /// With the snapshot that a new cluster is made from.
    #[must_use]
    pub fn with_snapshot(self, snapshot: Option<String>) -> Self {
        Self { snapshot, ..self }
    }
}

/// The cluster of this identifier, if there is one.
pub(crate) async fn find(rds: &Client, identifier: &str) -> Result<Option<Raw>> {
    let clusters = rds.describe_db_clusters().db_cluster_identifier(identifier).send().await;
    let clusters = clusters.map_err(failed("rds:DescribeDBClusters")).optional()?;
    Ok(clusters.and_then(|clusters| clusters.db_clusters.unwrap_or_default().into_iter().next()))
}

/// The clusters of these generations, one call each: a listing would need leave to see every cluster of the
/// account.
pub(crate) async fn all(rds: &Client, ctx: &Context, generations: Range<u32>) -> Result<Vec<Raw>> {
    let finds = generations.map(|generation| {
        let identifier = ctx.aws_names().db_cluster(generation);
        async move { find(rds, &identifier).await }
    });
    Ok(try_join_all(finds).await?.into_iter().flatten().collect())
}
