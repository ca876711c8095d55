//! The cluster's one instance, its writer.

use aws::{failed, gone};
use aws_sdk_rds::Client;
use aws_sdk_rds::types::DbInstance;
use futures_util::future::try_join_all;
use serde::Serialize;
use statemachine::error::Optional as _;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

use crate::cluster::Pause;
use crate::status::Modifications;
use crate::tags::{change, owned, owns, put_on, tags};
use crate::version::ENGINE;
use crate::{cluster, status};

/// A Serverless v2 instance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Instance {
    /// `{cluster}-1`: the writer.
    pub identifier: String,
    /// The cluster it is in. Cannot change.
    pub cluster: Name,
    /// `db.serverless`.
    pub class: String,
    /// Somebody can stop a cluster, and its instance with it.
    pub running: bool,
    /// Whether AWS moves the minor version by itself.
    pub minor_upgrades: bool,
    /// Whether it is reachable from outside the VPC; never wanted.
    pub public: bool,
    /// Whether snapshots carry its tags.
    pub copies_tags: bool,
    /// Which instance follows a lost writer: the lowest. Up to 1, a reader keeps the writer's capacity.
    pub promotion_tier: i32,
}

/// `db-instance/main`.
pub fn name() -> Name {
    Name::new(Instance::KIND, "main")
}

impl Instance {
    /// The instance of a stack's live cluster.
    pub fn of(ctx: &Context, generation: u32, pause: Pause) -> Self {
        Self {
            identifier: ctx.aws_names().db_instance(generation),
            cluster: cluster::name(),
            class: "db.serverless".to_owned(),
            running: pause != Pause::Stop,
            minor_upgrades: true,
            public: false,
            copies_tags: true,
            promotion_tier: 1,
        }
    }
}

/// RDS, and the live generation: the instances of earlier ones are left over.
#[derive(Clone, Debug)]
pub struct Instances {
    /// The client.
    pub rds: Client,
    /// The live generation of the cluster.
    pub live: u32,
}

/// An instance as found.
pub struct Raw {
    found: DbInstance,
    generation: u32,
    live: bool,
}

async fn find(client: &Client, identifier: String) -> Result<Option<DbInstance>> {
    let found = client.describe_db_instances().db_instance_identifier(identifier).send().await;
    let found = found.map_err(failed("rds:DescribeDBInstances")).optional()?;
    Ok(found.and_then(|found| found.db_instances).unwrap_or_default().into_iter().next())
}

impl Resource for Instance {
    type Client = Instances;
    type Raw = Raw;

    const KIND: &'static str = "db-instance";
    const ADOPTABLE: bool = true;
    // The cluster can be deleted as soon as its instances are deleting (aws-facts.md section 2, row 14).
    const LINGERS: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let look_and_make = ["rds:AddTagsToResource", "rds:CreateDBInstance", "rds:DescribeDBInstances"];
        let parts = ["db", "cluster", "subgrp"].map(|kind| owns(scope, kind));
        // An instance without groups of its own has the default ones.
        let defaults = ["og:default*", "pg:default*"].map(|group| scope.arn("rds", group));
        vec![
            Permission::on(&look_and_make, parts.into_iter().chain(defaults)),
            change(scope, &["rds:DeleteDBInstance", "rds:ModifyDBInstance"], &["db"]),
        ]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(self.cluster.clone())]
    }

    async fn fetch(ctx: &Context, client: &Instances, _: &Names) -> Result<Vec<Raw>> {
        let finds = (1..=client.live).map(|generation| async move {
            let found = find(&client.rds, ctx.aws_names().db_instance(generation)).await?;
            Ok::<_, Error>(found.map(|found| Raw { found, generation, live: generation == client.live }))
        });
        Ok(try_join_all(finds).await?.into_iter().flatten().collect())
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.found.db_instance_identifier()?;
        let ours = owned(ctx, raw.found.tag_list()) == Some(name());
        let name = if raw.live { name() } else { Name::new(Self::KIND, raw.generation.to_string()) };
        Some(if ours { Identity::ours(name, id) } else { Identity::theirs(name, id) })
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let raw = raw.found;
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let status = raw.db_instance_status().unwrap_or("none");
        let found = Self {
            running: status != "stopped",
            identifier: text(raw.db_instance_identifier()),
            cluster: names.name_of(raw.db_cluster_identifier().unwrap_or_default()),
            class: text(raw.db_instance_class()),
            minor_upgrades: raw.auto_minor_version_upgrade().unwrap_or(false),
            public: raw.publicly_accessible().unwrap_or(false),
            copies_tags: raw.copy_tags_to_snapshot().unwrap_or(false),
            promotion_tier: raw.promotion_tier().unwrap_or(1),
        };
        match status {
            "stopped" => Ok(State::Settled(found)),
            status => status::state("DB instance", status, found, Modifications::InForce),
        }
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        (self.cluster != now.cluster)
            .then(|| format!("The instance {} belongs to {} and cannot move.", now.identifier, now.cluster))
    }

    async fn create(self, Call { ctx, client, names }: Call<Instances>) -> Result<Made> {
        let create = client
            .rds
            .create_db_instance()
            .db_instance_identifier(&self.identifier)
            .db_cluster_identifier(names.need(&self.cluster)?)
            .engine(ENGINE)
            .db_instance_class(&self.class)
            .auto_minor_version_upgrade(self.minor_upgrades)
            .publicly_accessible(self.public)
            .copy_tags_to_snapshot(self.copies_tags)
            .promotion_tier(self.promotion_tier)
            .set_tags(Some(tags(&ctx, &self.name(), &[])));
        match create.send().await.map_err(failed("rds:CreateDBInstance")) {
            Ok(made) => {
                let status = made.db_instance().and_then(|instance| instance.db_instance_status());
                Ok(Made { settled: status == Some("available"), ..Made::started(self.identifier) })
            }
            // An earlier call got through without our hearing of it: the next look says whose it is.
            Err(error) if error.kind == ErrorKind::Exists => Ok(Made::started(self.identifier)),
            Err(error) => Err(error),
        }
    }

    async fn adopt(&self, id: String, Call { ctx, client, .. }: Call<Instances>) -> Result<()> {
        put_on(&client.rds, "db", &id, &ctx, &self.name()).await
    }

    async fn update(self, now: Self, id: String, Call { client, .. }: Call<Instances>) -> Result<Made> {
        if self.running != now.running {
            return Err(Error::not_ready("An instance starts and stops with its cluster."));
        }
        let modify = client
            .rds
            .modify_db_instance()
            .db_instance_identifier(&id)
            .db_instance_class(&self.class)
            .auto_minor_version_upgrade(self.minor_upgrades)
            .publicly_accessible(self.public)
            .copy_tags_to_snapshot(self.copies_tags)
            .promotion_tier(self.promotion_tier)
            .apply_immediately(true);
        modify.send().await.map_err(failed("rds:ModifyDBInstance"))?;
        Ok(Made::started(id))
    }

    async fn delete(
        id: String,
        now: Option<Self>,
        Call { client, names, .. }: Call<Instances>,
    ) -> Result<Gone> {
        if let Some(now) = now.filter(|now| !now.running)
            && let Some(cluster) = names.id(&now.cluster)
        {
            return Err(cluster::start(&client.rds, cluster).await);
        }
        // Its data is the cluster's, which takes the final snapshot.
        let delete = client.rds.delete_db_instance().db_instance_identifier(id).skip_final_snapshot(true);
        gone(delete.send().await.map_err(failed("rds:DeleteDBInstance")), Gone::Going)
    }
}
