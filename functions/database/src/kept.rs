//! Clusters of earlier generations. A restore leaves the one before it: without its instance, tagged as kept,
//! and shown until somebody lets go of it.

use aws::failed;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbCluster as Raw, Tag};
use serde::Serialize;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, Data, Gone, Identity, Made, Name, Names, Need, Owner, Resource, State,
};
use statemachine::{Error, Result};

use crate::cluster;
use crate::tags::{KEPT, owned, value};

/// A cluster that a restore has replaced, on its way to being kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeptCluster {
    /// `{app}-{env}-1`.
    pub identifier: String,
    /// The run that kept it, with its day; `None` before.
    pub kept: Option<String>,
}

/// RDS, and what is looked for.
#[derive(Clone, Debug)]
pub struct KeptClusters {
    /// The client.
    pub rds: Client,
    /// The live generation: those before it are kept.
    pub live: u32,
    /// The one to let go of, or all of them: the stack goes.
    pub forget: Forget,
}

impl KeptClusters {
    /// Clusters of earlier generations, each with whether it is to go.
    pub(crate) fn raws(&self, clusters: Vec<Raw>) -> Vec<Found> {
        let one = |raw: Raw| {
            let goes = match &self.forget {
                Forget::Nothing => false,
                Forget::One(identifier) => raw.db_cluster_identifier() == Some(identifier),
                Forget::All => true,
            };
            Found { raw, goes }
        };
        clusters.into_iter().map(one).collect()
    }
}

/// Which kept clusters are to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forget {
    /// None.
    Nothing,
    /// The one of this identifier.
    One(String),
    /// All.
    All,
}

/// `db-cluster/1`
pub fn name(identifier: &str) -> Name {
    Name::new(KeptCluster::KIND, identifier.rsplit('-').next().unwrap_or(identifier))
}

/// A cluster as found, and whether it is to go.
pub struct Found {
    raw: Raw,
    goes: bool,
}

impl Resource for KeptCluster {
    type Client = KeptClusters;
    type Raw = Found;

    // A kind apart from the live cluster in the engine; in names both are clusters.
    const KIND: &'static str = resource::kind::DB_CLUSTER;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        cluster::Cluster::permissions(scope)
    }

    fn name(&self) -> Name {
        name(&self.identifier)
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &KeptClusters, _: &Names) -> Result<Vec<Found>> {
        Ok(client.raws(cluster::all(&client.rds, ctx, 1..client.live).await?))
    }

    fn identify(ctx: &Context, found: &Found, _: &Names) -> Option<Identity> {
        let id = found.raw.db_cluster_identifier()?;
        let ours = owned(ctx, found.raw.tag_list()).is_some();
        let kept = value(found.raw.tag_list(), KEPT);
        let owner = match (ours, kept) {
            (false, _) => Owner::Theirs,
            (true, Some(_)) if !found.goes => Owner::Kept,
            (true, _) => Owner::Ours,
        };
        let identity = Identity { owner, data: Data::Snapshot, ..Identity::ours(name(id), id) };
        let arn = found.raw.db_cluster_arn().unwrap_or_default();
        Some(identity.with("arn", arn).with("kept", kept.unwrap_or_default()))
    }

    fn read(found: Found, _: &Names) -> Result<State<Self>> {
        if found.raw.status() == Some("deleting") {
            return Ok(State::Deleting);
        }
        Ok(State::Settled(Self {
            identifier: found.raw.db_cluster_identifier().unwrap_or_default().to_owned(),
            kept: value(found.raw.tag_list(), KEPT).map(str::to_owned),
        }))
    }

    async fn create(self, _: Call<KeptClusters>) -> Result<Made> {
        Err(Error::internal("a kept cluster is never made"))
    }

    async fn update(
        self,
        _: Self,
        id: String,
        Call { client, names, .. }: Call<KeptClusters>,
    ) -> Result<Made> {
        let tag = Tag::builder().key(KEPT).value(self.kept.clone().unwrap_or_default()).build();
        let arn = names.need_attribute(&self.name(), "arn")?;
        let add = client.rds.add_tags_to_resource().resource_name(arn).tags(tag).send().await;
        add.map_err(failed("rds:AddTagsToResource"))?;
        Ok(Made::settled(id))
    }

    async fn delete(
        id: String,
        _: Option<Self>,
        Call { ctx, client, .. }: Call<KeptClusters>,
    ) -> Result<Gone> {
        cluster::delete(&client.rds, &id, None, &ctx).await
    }
}
