//! What the cluster's kind calls AWS with.

use std::sync::{Arc, Mutex};

use aws::failed;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::DbCluster as Raw;
use statemachine::Result;
use statemachine::error::Optional as _;
use statemachine::resource::Context;

use super::identifier;
use crate::Clients;

/// RDS and Secrets Manager, with what is known before the kinds are fetched.
#[derive(Clone, Debug)]
pub struct Rds {
    pub(super) clients: Clients,
    /// The version that a new cluster gets.
    pub(super) engine_version: Option<String>,
    /// What the description of the stage had to look at already.
    seen: Arc<Mutex<Option<Vec<Raw>>>>,
}

impl Rds {
    /// Of the function's clients.
    pub fn new(clients: &Clients) -> Self {
        Self { clients: clients.clone(), engine_version: None, seen: Arc::default() }
    }

    /// With what [`find`] found a moment ago.
    #[must_use]
    pub(crate) fn seen(self, found: Option<Raw>) -> Self {
        Self { seen: Arc::new(Mutex::new(Some(found.into_iter().collect()))), ..self }
    }

    /// With the version that a new cluster gets.
    #[must_use]
    pub(crate) fn with_version(self, engine_version: Option<String>) -> Self {
        Self { engine_version, ..self }
    }

    /// What was seen before the first fetch, once: it saves that fetch its call. Later ones ask AWS.
    pub(super) fn seen_before(&self) -> Option<Vec<Raw>> {
        self.seen.lock().expect("nobody panics with it in hand").take()
    }
}

/// The stack's cluster, if there is one of its name.
pub(crate) async fn find(rds: &Client, ctx: &Context) -> Result<Option<Raw>> {
    let clusters = rds.describe_db_clusters().db_cluster_identifier(identifier(ctx)).send().await;
    let clusters = clusters.map_err(failed("rds:DescribeDBClusters")).optional()?;
    Ok(clusters.and_then(|clusters| clusters.db_clusters.unwrap_or_default().into_iter().next()))
}
