//! The Aurora cluster.

mod client;
mod creation;
mod raw;
mod removal;

use std::collections::BTreeSet;

use aws::failed;
use aws_sdk_rds::types::{
    CloudwatchLogsExportConfiguration, DbCluster as Raw, ServerlessV2ScalingConfiguration, Tag,
};
use serde::Serialize;
use statemachine::config::Database;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, Data, Gone, Identity, Made, Name, Names, Need, Owner, Resource, State,
};
use statemachine::{Error, ErrorKind, Result};

pub use client::Rds;
pub(crate) use client::{all, find};
pub(crate) use removal::{delete, start};

use crate::parameter_group::ParameterGroup;
use crate::tags::{KEPT, PASSWORD_VERSION, change, owned, owns, put_on, value};
use crate::{secret, status, subnet_group};

/// After how long without a connection it sleeps, where it may, in seconds: the shortest that AWS has.
const PAUSE_AFTER_S: i32 = 300;
/// The log that is exported to CloudWatch.
const LOG: &str = "postgresql";
/// What switches extended support off: it costs extra, and begins by itself (aws-facts.md section 2, row 16).
const NO_EXTENDED_SUPPORT: &str = "open-source-rds-extended-support-disabled";

/// An Aurora PostgreSQL Serverless v2 cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Cluster {
    /// `{app}-{env}-1`; a restore makes the next.
    pub identifier: String,
    /// Only majors are compared: AWS moves the minor by itself.
    pub engine_major: String,
    /// Inside the cluster. Cannot change.
    pub database_name: String,
    /// Cannot change.
    pub master_username: String,
    /// The secret whose current version it was given; after a rotation the old version stands here.
    pub password: Name,
    /// Somebody can stop a cluster; AWS starts it again after seven days.
    pub running: bool,
    pub min_acu: f64,
    pub max_acu: f64,
    /// Seconds without a connection after which it sleeps, where `min_acu` is 0.
    pub pause_after_s: Option<i32>,
    pub backup_retention_days: i32,
    pub deletion_protection: bool,
    /// Cannot change.
    pub encrypted: bool,
    pub iam_authentication: bool,
    /// Logs that go to CloudWatch.
    pub log_exports: BTreeSet<String>,
    /// Whether snapshots carry its tags.
    pub copies_tags: bool,
    /// Where it stands. Cannot change.
    pub subnet_group: Name,
    pub parameter_group: Name,
    /// Who gets in.
    pub security_groups: BTreeSet<Name>,
}

/// How a paused environment's database rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Not at all.
    No,
    /// Its version can sleep: it has no capacity while nobody is connected.
    Sleep,
    /// It is stopped. AWS starts a stopped one again after seven days; a rule stops it again.
    Stop,
}

/// `db-cluster/main`.
pub fn name() -> Name {
    resource::db_cluster()
}

impl Cluster {
    /// The cluster of a stack, in its live generation.
    pub fn of(
        ctx: &Context,
        database: &Database,
        parameter_group: &ParameterGroup,
        generation: u32,
        pause: Pause,
    ) -> Self {
        let min_acu = if pause == Pause::Sleep { 0.0 } else { database.min_acu };
        Self {
            identifier: ctx.aws_names().db_cluster(generation),
            engine_major: database.major().to_owned(),
            database_name: database.name.clone(),
            master_username: database.username.clone(),
            password: secret::name(),
            running: pause != Pause::Stop,
            min_acu,
            max_acu: database.max_acu,
            pause_after_s: (min_acu == 0.0).then_some(PAUSE_AFTER_S),
            backup_retention_days: i32::try_from(database.backup_retention_days)
                .expect("the configuration takes 1 to 35 days"),
            deletion_protection: database.deletion_protection,
            encrypted: true,
            iam_authentication: true,
            log_exports: BTreeSet::from([LOG.to_owned()]),
            copies_tags: true,
            subnet_group: subnet_group::name(),
            parameter_group: parameter_group.name(),
            security_groups: BTreeSet::from([resource::security_group("database")]),
        }
    }

    fn scaling(&self) -> ServerlessV2ScalingConfiguration {
        ServerlessV2ScalingConfiguration::builder()
            .min_capacity(self.min_acu)
            .max_capacity(self.max_acu)
            .set_seconds_until_auto_pause(self.pause_after_s)
            .build()
    }

    fn group_ids(&self, names: &Names) -> Result<Vec<String>> {
        self.security_groups.iter().map(|group| names.need(group)).collect()
    }
}

impl Resource for Cluster {
    type Client = Rds;
    type Raw = Raw;

    const KIND: &'static str = resource::kind::DB_CLUSTER;
    const ADOPTABLE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let look_and_make = ["rds:AddTagsToResource", "rds:CreateDBCluster", "rds:DescribeDBClusters"];
        let parts = ["cluster", "cluster-pg", "subgrp"].map(|kind| owns(scope, kind));
        // A cluster without an option group of its own has the default one.
        let default_options = scope.arn("rds", "og:default*");
        vec![
            Permission::on(&look_and_make, parts.into_iter().chain([default_options])),
            change(scope, &["rds:DeleteDBCluster", "rds:StartDBCluster", "rds:StopDBCluster"], &["cluster"]),
            change(scope, &["rds:ModifyDBCluster"], &["cluster", "cluster-pg"]),
            // The final snapshot is not there yet, so it has no tag to be known by.
            Permission::on(&["rds:DeleteDBCluster"], [owns(scope, "cluster-snapshot")]),
        ]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        let parts = [&self.subnet_group, &self.parameter_group, &self.password];
        parts.into_iter().chain(&self.security_groups).cloned().map(Need::Settled).collect()
    }

    async fn fetch(ctx: &Context, client: &Rds, _: &Names) -> Result<Vec<Raw>> {
        let found = find(&client.clients.rds, &ctx.aws_names().db_cluster(client.generation)).await?;
        Ok(found.into_iter().collect())
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.db_cluster_identifier()?;
        let owner = match (owned(ctx, raw.tag_list()), value(raw.tag_list(), KEPT)) {
            (Some(owned), None) if owned == name() => Owner::Ours,
            (Some(owned), Some(_)) if owned == name() => Owner::Kept,
            (Some(_) | None, _) => Owner::Theirs,
        };
        let identity = Identity { owner, data: Data::Snapshot, ..Identity::ours(name(), id) };
        Some(
            identity
                .with("endpoint", raw.endpoint().unwrap_or_default())
                .with("port", raw.port().unwrap_or(5432).to_string())
                .with("arn", raw.db_cluster_arn().unwrap_or_default()),
        )
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let (status, modifications) = (raw.status().unwrap_or("none").to_owned(), raw::modifications(&raw));
        let found = raw::read(&raw, names);
        match status.as_str() {
            "stopped" => Ok(State::Settled(Self { running: false, ..found })),
            status => status::state("DB cluster", status, found, modifications),
        }
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        let fixed = [
            ("name", &self.database_name, &now.database_name),
            ("master user", &self.master_username, &now.master_username),
            ("cluster", &self.identifier, &now.identifier),
        ];
        if let Some((what, want, have)) = fixed.into_iter().find(|(_, want, have)| want != have) {
            return Some(format!(
                "The database's {what} is {have} and cannot become {want}. Put the old one back into the file."
            ));
        }
        if self.encrypted && !now.encrypted {
            return Some(
                "The database is not encrypted, and AWS cannot encrypt it in place: restore a snapshot of it."
                    .to_owned(),
            );
        }
        (self.subnet_group != now.subnet_group)
            .then(|| format!("The database stands in {} and cannot move.", now.subnet_group))
    }

    async fn create(self, Call { ctx, client, names }: Call<Rds>) -> Result<Made> {
        let made = match client.snapshot.clone() {
            Some(snapshot) => self.restore(&ctx, &client, &names, snapshot).await,
            None => self.make(&ctx, &client, &names).await,
        };
        match made {
            Ok(made) => {
                // Of one that is still creating, what hangs on it reads the attributes from the look that follows.
                let done = made.filter(|made| made.status() == Some("available"));
                let identity = done.and_then(|made| Self::identify(&ctx, &made, &names));
                Ok(Made {
                    settled: identity.is_some(),
                    attributes: identity.map(|identity| identity.attributes).unwrap_or_default(),
                    ..Made::started(self.identifier)
                })
            }
            // An earlier call got through without our hearing of it: the next look says whose it is.
            Err(error) if error.kind == ErrorKind::Exists => Ok(Made::started(self.identifier)),
            Err(error) => Err(error),
        }
    }

    async fn adopt(&self, id: String, Call { ctx, client, .. }: Call<Rds>) -> Result<()> {
        put_on(&client.clients.rds, "cluster", &id, &ctx, &self.name()).await
    }

    async fn update(self, now: Self, id: String, Call { client, names, .. }: Call<Rds>) -> Result<Made> {
        if !now.running {
            // What else differs follows once it runs; until then nothing of it has been changed.
            return Err(start(&client.clients.rds, &id).await);
        }
        if self == (Self { running: self.running, ..now.clone() }) {
            let stop = client.clients.rds.stop_db_cluster().db_cluster_identifier(&id).send().await;
            stop.map_err(failed("rds:StopDBCluster"))?;
            return Ok(Made::started(id));
        }
        let new_password = self.password != now.password;
        let mut modify = client
            .clients
            .rds
            .modify_db_cluster()
            .db_cluster_identifier(&id)
            .apply_immediately(true)
            .serverless_v2_scaling_configuration(self.scaling())
            .backup_retention_period(self.backup_retention_days)
            .deletion_protection(self.deletion_protection)
            .enable_iam_database_authentication(self.iam_authentication)
            .copy_tags_to_snapshot(self.copies_tags)
            .db_cluster_parameter_group_name(names.need(&self.parameter_group)?)
            .set_vpc_security_group_ids(Some(self.group_ids(&names)?));
        if self.log_exports != now.log_exports {
            let on = self.log_exports.difference(&now.log_exports).cloned().collect();
            let off = now.log_exports.difference(&self.log_exports).cloned().collect();
            let exports = CloudwatchLogsExportConfiguration::builder()
                .set_enable_log_types(Some(on))
                .set_disable_log_types(Some(off));
            modify = modify.cloudwatch_logs_export_configuration(exports.build());
        }
        if self.engine_major != now.engine_major {
            // The look has refused it where --allow-downtime was not said.
            modify =
                modify.set_engine_version(client.engine_version.clone()).allow_major_version_upgrade(true);
        }
        if new_password {
            modify = modify.master_user_password(secret::value(&client.clients.secrets, &names).await?);
        }
        modify.send().await.map_err(failed("rds:ModifyDBCluster"))?;
        if new_password {
            // The tag says which version it has, so it comes after the change.
            let tag =
                Tag::builder().key(PASSWORD_VERSION).value(names.need_attribute(&self.password, "version")?);
            let arn = names.need_attribute(&name(), "arn")?;
            let add =
                client.clients.rds.add_tags_to_resource().resource_name(arn).tags(tag.build()).send().await;
            add.map_err(failed("rds:AddTagsToResource"))?;
        }
        if !self.running {
            return Err(Error::not_ready("It is stopped once its other changes are done."));
        }
        Ok(Made::started(id))
    }

    async fn delete(id: String, now: Option<Self>, Call { ctx, client, .. }: Call<Rds>) -> Result<Gone> {
        delete(&client.clients.rds, &id, now.as_ref(), &ctx).await
    }
}
