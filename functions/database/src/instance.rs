//! The cluster's one instance, its writer.

use aws::{failed, gone};
use aws_sdk_rds::Client;
use aws_sdk_rds::types::DbInstance as Raw;
use serde::Serialize;
use statemachine::error::Optional as _;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{ErrorKind, Result};

use crate::tags::{owned, tags};
use crate::{ENGINE, cluster, status};

/// A Serverless v2 instance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Instance {
    /// `{cluster}-writer`.
    pub identifier: String,
    /// The cluster it is in. Cannot change.
    pub cluster: Name,
    /// `db.serverless`.
    pub class: String,
    /// AWS moves the minor version by itself.
    pub minor_upgrades: bool,
    /// Reachable from outside the VPC; never wanted.
    pub public: bool,
    /// Snapshots carry its tags.
    pub copies_tags: bool,
}

/// `db-instance/main`.
pub fn name() -> Name {
    Name::new(Instance::KIND, "main")
}

impl Instance {
    /// The instance of a stack.
    pub fn of(ctx: &Context) -> Self {
        Self {
            identifier: identifier(ctx),
            cluster: cluster::name(),
            class: "db.serverless".to_owned(),
            minor_upgrades: true,
            public: false,
            copies_tags: true,
        }
    }
}

fn identifier(ctx: &Context) -> String {
    format!("{}-writer", cluster::identifier(ctx))
}

impl Resource for Instance {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "db-instance";
    // The cluster can be deleted as soon as its instances are deleting (aws-facts.md section 2, row 14).
    const LINGERS: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let own = [format!("db:{}-*", scope.app), format!("cluster:{}-*", scope.app)].map(|part| scope.arn("rds", &part));
        let actions = [
            "rds:AddTagsToResource",
            "rds:CreateDBInstance",
            "rds:DeleteDBInstance",
            "rds:DescribeDBInstances",
            "rds:ModifyDBInstance",
        ];
        vec![Permission::on(&actions, own)]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(self.cluster.clone())]
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let found = client.describe_db_instances().db_instance_identifier(identifier(ctx)).send().await;
        let found = found.map_err(failed("rds:DescribeDBInstances")).optional()?;
        Ok(found.and_then(|found| found.db_instances).unwrap_or_default())
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.db_instance_identifier()?;
        let ours = owned(ctx, raw.tag_list()) == Some(name());
        Some(if ours { Identity::ours(name(), id) } else { Identity::theirs(name(), id) })
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let found = Self {
            identifier: text(raw.db_instance_identifier()),
            cluster: names.name_of(raw.db_cluster_identifier().unwrap_or_default()),
            class: text(raw.db_instance_class()),
            minor_upgrades: raw.auto_minor_version_upgrade().unwrap_or(false),
            public: raw.publicly_accessible().unwrap_or(false),
            copies_tags: raw.copy_tags_to_snapshot().unwrap_or(false),
        };
        status::state("DB instance", raw.db_instance_status().unwrap_or("none"), found, false)
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        (self.cluster != now.cluster).then(|| format!("The instance {} belongs to {} and cannot move.", now.identifier, now.cluster))
    }

    async fn create(self, ctx: Context, client: Client, ids: Names) -> Result<Made> {
        let create = client
            .create_db_instance()
            .db_instance_identifier(&self.identifier)
            .db_cluster_identifier(ids.need(&self.cluster)?)
            .engine(ENGINE)
            .db_instance_class(&self.class)
            .auto_minor_version_upgrade(self.minor_upgrades)
            .publicly_accessible(self.public)
            .copy_tags_to_snapshot(self.copies_tags)
            .set_tags(Some(tags(&ctx, &self.name(), &[])));
        create.send().await.map_err(failed("rds:CreateDBInstance"))?;
        Ok(Made::started(self.identifier))
    }

    async fn update(self, _: Self, id: String, _: Context, client: Client, _: Names) -> Result<Made> {
        let modify = client
            .modify_db_instance()
            .db_instance_identifier(&id)
            .db_instance_class(&self.class)
            .auto_minor_version_upgrade(self.minor_upgrades)
            .publicly_accessible(self.public)
            .copy_tags_to_snapshot(self.copies_tags)
            .apply_immediately(true);
        modify.send().await.map_err(failed("rds:ModifyDBInstance"))?;
        Ok(Made::started(id))
    }

    async fn delete(id: String, _: Option<Self>, _: Context, client: Client, _: Names) -> Result<Gone> {
        // Its data is the cluster's, which takes the final snapshot.
        let delete = client.delete_db_instance().db_instance_identifier(id).skip_final_snapshot(true).send().await;
        match delete.map_err(failed("rds:DeleteDBInstance")) {
            Err(error) if error.kind == ErrorKind::NotReady => Ok(Gone::Going),
            other => gone(other, Gone::Going),
        }
    }
}
