//! The Aurora cluster.

use std::collections::BTreeSet;

use aws::failed;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{
    CloudwatchLogsExportConfiguration, DbCluster as Raw, ServerlessV2ScalingConfiguration, ServerlessV2ScalingConfigurationInfo, Tag,
};
use serde::Serialize;
use statemachine::config::Database;
use statemachine::error::Optional as _;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Data, Gone, Identity, Made, Name, Names, Need, Owner, Resource, State};
use statemachine::{ErrorKind, Result};

use crate::tags::{KEPT, PASSWORD_VERSION, owned, tags, value};
use crate::{ENGINE, secret, status, subnet_group};

/// After how long without a connection it sleeps, where it may, in seconds: the shortest that AWS has.
const PAUSE_AFTER_S: i32 = 300;
/// The log that is exported to CloudWatch.
const LOG: &str = "postgresql";
/// What switches extended support off: it costs extra, and begins by itself.
const NO_EXTENDED_SUPPORT: &str = "open-source-rds-extended-support-disabled";

/// An Aurora PostgreSQL Serverless v2 cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cluster {
    /// `{app}-{env}-1`; a restore makes the next.
    pub identifier: String,
    /// Only majors are compared: AWS moves the minor by itself.
    pub engine_major: String,
    /// Inside the cluster. Cannot change.
    pub database_name: String,
    /// Cannot change.
    pub master_username: String,
    /// Which version of the password it was given.
    pub password: Name,
    /// Capacity, in ACUs.
    pub min_acu: f64,
    /// Capacity, in ACUs.
    pub max_acu: f64,
    /// Seconds without a connection after which it sleeps, where `min_acu` is 0.
    pub pause_after_s: Option<i32>,
    /// Days.
    pub backup_retention_days: i32,
    /// AWS refuses to delete it.
    pub deletion_protection: bool,
    /// Cannot change.
    pub encrypted: bool,
    /// Logging in by IAM is possible.
    pub iam_authentication: bool,
    /// Logs that go to CloudWatch.
    pub log_exports: BTreeSet<String>,
    /// Snapshots carry its tags.
    pub copies_tags: bool,
    /// Where it stands. Cannot change.
    pub subnet_group: Name,
    /// Its parameters.
    pub parameter_group: Name,
    /// Who gets in.
    pub security_groups: BTreeSet<Name>,
}

/// `db-cluster/main`.
pub fn name() -> Name {
    Name::new(Cluster::KIND, "main")
}

/// The identifier of a stack's first cluster.
pub fn identifier(ctx: &Context) -> String {
    format!("{}-1", ctx.prefix())
}

impl Cluster {
    /// The cluster of a stack.
    pub fn of(ctx: &Context, database: &Database, parameter_group: Name) -> Self {
        Self {
            identifier: identifier(ctx),
            engine_major: database.major().to_owned(),
            database_name: database.name.clone(),
            master_username: database.username.clone(),
            password: secret::name(),
            min_acu: database.min_acu,
            max_acu: database.max_acu,
            pause_after_s: (database.min_acu == 0.0).then_some(PAUSE_AFTER_S),
            backup_retention_days: i32::try_from(database.backup_retention_days).unwrap_or(7),
            deletion_protection: database.deletion_protection,
            encrypted: true,
            iam_authentication: true,
            log_exports: BTreeSet::from([LOG.to_owned()]),
            copies_tags: true,
            subnet_group: subnet_group::name(),
            parameter_group,
            security_groups: BTreeSet::from([Name::new("security-group", "database")]),
        }
    }

    fn scaling(&self) -> ServerlessV2ScalingConfiguration {
        ServerlessV2ScalingConfiguration::builder()
            .min_capacity(self.min_acu)
            .max_capacity(self.max_acu)
            .set_seconds_until_auto_pause(self.pause_after_s)
            .build()
    }
}

/// RDS and Secrets Manager, and the engine version that a new cluster gets.
#[derive(Clone, Debug)]
pub struct Rds {
    /// RDS.
    pub rds: Client,
    /// Secrets Manager, for the password's value.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The newest live minor of the asked major.
    pub engine_version: Option<String>,
}

/// The major of the cluster that runs, if one does.
pub(crate) async fn running_major(rds: &Client, ctx: &Context) -> Result<Option<String>> {
    Ok(find(rds, ctx).await?.and_then(|cluster| cluster.engine_version().map(|version| major(version).to_owned())))
}

async fn find(rds: &Client, ctx: &Context) -> Result<Option<Raw>> {
    let clusters = rds.describe_db_clusters().db_cluster_identifier(identifier(ctx)).send().await;
    let clusters = clusters.map_err(failed("rds:DescribeDBClusters")).optional()?;
    Ok(clusters.and_then(|clusters| clusters.db_clusters.unwrap_or_default().into_iter().next()))
}

fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

impl Resource for Cluster {
    type Client = Rds;
    type Raw = Raw;

    const KIND: &'static str = "db-cluster";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let own = scope.arn("rds", &format!("cluster:{}-*", scope.app));
        let parts = ["subgrp", "cluster-pg", "cluster-snapshot"].map(|part| scope.arn("rds", &format!("{part}:{}-*", scope.app)));
        let actions = [
            "rds:AddTagsToResource",
            "rds:CreateDBCluster",
            "rds:DeleteDBCluster",
            "rds:DescribeDBClusters",
            "rds:ListTagsForResource",
            "rds:ModifyDBCluster",
        ];
        vec![Permission::on(&actions, [own].into_iter().chain(parts))]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        let parts = [&self.subnet_group, &self.parameter_group, &self.password];
        parts.into_iter().chain(&self.security_groups).cloned().map(Need::Settled).collect()
    }

    async fn fetch(ctx: &Context, client: &Rds, _: &Names) -> Result<Vec<Raw>> {
        Ok(find(&client.rds, ctx).await?.into_iter().collect())
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.db_cluster_identifier()?;
        let identity = if owned(ctx, raw.tag_list()) == Some(name()) { Identity::ours(name(), id) } else { Identity::theirs(name(), id) };
        let owner = if value(raw.tag_list(), KEPT).is_some() { Owner::Kept } else { identity.owner };
        let identity = Identity { owner, data: Data::Snapshot, ..identity };
        let port = raw.port().unwrap_or(5432).to_string();
        Some(identity.with("endpoint", raw.endpoint().unwrap_or_default()).with("port", port).with("arn", raw.db_cluster_arn().unwrap_or_default()))
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let scaling = raw.serverless_v2_scaling_configuration();
        let min_acu = scaling.and_then(ServerlessV2ScalingConfigurationInfo::min_capacity).unwrap_or(0.0);
        let password = value(raw.tag_list(), PASSWORD_VERSION).unwrap_or_default();
        let is_current = names.attribute(&secret::name(), "version") == Some(password);
        let groups = raw.vpc_security_groups().iter().filter_map(|group| group.vpc_security_group_id());
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let found = Self {
            identifier: text(raw.db_cluster_identifier()),
            engine_major: major(raw.engine_version().unwrap_or_default()).to_owned(),
            database_name: text(raw.database_name()),
            master_username: text(raw.master_username()),
            password: if is_current { secret::name() } else { Name::foreign(password) },
            min_acu,
            max_acu: scaling.and_then(ServerlessV2ScalingConfigurationInfo::max_capacity).unwrap_or(0.0),
            pause_after_s: scaling.and_then(ServerlessV2ScalingConfigurationInfo::seconds_until_auto_pause).filter(|_| min_acu == 0.0),
            backup_retention_days: raw.backup_retention_period().unwrap_or(0),
            deletion_protection: raw.deletion_protection().unwrap_or(false),
            encrypted: raw.storage_encrypted().unwrap_or(false),
            iam_authentication: raw.iam_database_authentication_enabled().unwrap_or(false),
            log_exports: raw.enabled_cloudwatch_logs_exports().iter().cloned().collect(),
            copies_tags: raw.copy_tags_to_snapshot().unwrap_or(false),
            subnet_group: names.name_of(raw.db_subnet_group().unwrap_or_default()),
            parameter_group: names.name_of(raw.db_cluster_parameter_group().unwrap_or_default()),
            security_groups: groups.map(|id| names.name_of(id)).collect(),
        };
        status::state("DB cluster", raw.status().unwrap_or("none"), found, raw.pending_modified_values().is_some_and(has_pending))
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        let fixed = [
            ("database", &self.database_name, &now.database_name),
            ("master user", &self.master_username, &now.master_username),
            ("cluster", &self.identifier, &now.identifier),
        ];
        if let Some((what, want, have)) = fixed.into_iter().find(|(_, want, have)| want != have) {
            return Some(format!("The database's {what} is {have} and cannot become {want}. Put the old one back into the file."));
        }
        if self.encrypted && !now.encrypted {
            return Some("The database is not encrypted, and AWS cannot encrypt it in place: restore a snapshot of it.".to_owned());
        }
        (self.subnet_group != now.subnet_group).then(|| format!("The database stands in {} and cannot move.", now.subnet_group))
    }

    async fn create(self, ctx: Context, client: Rds, ids: Names) -> Result<Made> {
        let password = secret::value(&client.secrets, &ids).await?;
        let version = ids.need_attribute(&self.password, "version")?;
        let groups = self.security_groups.iter().map(|group| ids.need(group)).collect::<Result<Vec<_>>>()?;
        let create = client
            .rds
            .create_db_cluster()
            .db_cluster_identifier(&self.identifier)
            .engine(ENGINE)
            .set_engine_version(client.engine_version.clone())
            .engine_lifecycle_support(NO_EXTENDED_SUPPORT)
            .serverless_v2_scaling_configuration(self.scaling())
            .database_name(&self.database_name)
            .master_username(&self.master_username)
            .master_user_password(password)
            .storage_encrypted(self.encrypted)
            .backup_retention_period(self.backup_retention_days)
            .deletion_protection(self.deletion_protection)
            .enable_iam_database_authentication(self.iam_authentication)
            .set_enable_cloudwatch_logs_exports(Some(self.log_exports.iter().cloned().collect()))
            .copy_tags_to_snapshot(self.copies_tags)
            .db_subnet_group_name(ids.need(&self.subnet_group)?)
            .db_cluster_parameter_group_name(ids.need(&self.parameter_group)?)
            .set_vpc_security_group_ids(Some(groups))
            .set_tags(Some(tags(&ctx, &self.name(), &[(PASSWORD_VERSION, &version)])));
        let made = create.send().await.map_err(failed("rds:CreateDBCluster"))?;
        let endpoint = made.db_cluster().and_then(Raw::endpoint).unwrap_or_default();
        Ok(Made::started(self.identifier).with("endpoint", endpoint).with("port", "5432"))
    }

    async fn update(self, now: Self, id: String, _: Context, client: Rds, ids: Names) -> Result<Made> {
        let groups = self.security_groups.iter().map(|group| ids.need(group)).collect::<Result<Vec<_>>>()?;
        let new_password = self.password != now.password;
        let mut modify = client
            .rds
            .modify_db_cluster()
            .db_cluster_identifier(&id)
            .apply_immediately(true)
            .serverless_v2_scaling_configuration(self.scaling())
            .backup_retention_period(self.backup_retention_days)
            .deletion_protection(self.deletion_protection)
            .enable_iam_database_authentication(self.iam_authentication)
            .copy_tags_to_snapshot(self.copies_tags)
            .db_cluster_parameter_group_name(ids.need(&self.parameter_group)?)
            .set_vpc_security_group_ids(Some(groups));
        let (on, off) = (self.log_exports.difference(&now.log_exports), now.log_exports.difference(&self.log_exports));
        let (on, off): (Vec<_>, Vec<_>) = (on.cloned().collect(), off.cloned().collect());
        if !on.is_empty() || !off.is_empty() {
            let exports = CloudwatchLogsExportConfiguration::builder().set_enable_log_types(Some(on)).set_disable_log_types(Some(off));
            modify = modify.cloudwatch_logs_export_configuration(exports.build());
        }
        if self.engine_major != now.engine_major {
            // The look refuses this without --allow-downtime.
            modify = modify.set_engine_version(client.engine_version.clone()).allow_major_version_upgrade(true);
        }
        if new_password {
            modify = modify.master_user_password(secret::value(&client.secrets, &ids).await?);
        }
        let modified = modify.send().await.map_err(failed("rds:ModifyDBCluster"))?;
        if new_password {
            // The tag says which version it has, so it comes after the change.
            let version = ids.need_attribute(&self.password, "version")?;
            let arn = modified.db_cluster().and_then(Raw::db_cluster_arn).unwrap_or_default();
            let tag = Tag::builder().key(PASSWORD_VERSION).value(version).build();
            client.rds.add_tags_to_resource().resource_name(arn).tags(tag).send().await.map_err(failed("rds:AddTagsToResource"))?;
        }
        Ok(Made::started(id))
    }

    async fn delete(id: String, now: Option<Self>, ctx: Context, client: Rds, _: Names) -> Result<Gone> {
        if now.is_none_or(|now| now.deletion_protection) {
            let off = client.rds.modify_db_cluster().db_cluster_identifier(&id).deletion_protection(false).apply_immediately(true);
            match off.send().await.map_err(failed("rds:ModifyDBCluster")) {
                Ok(_) => {}
                Err(error) if error.kind == ErrorKind::Missing => return Ok(Gone::Now),
                Err(error) => return Err(error),
            }
        }
        let delete = client.rds.delete_db_cluster().db_cluster_identifier(&id);
        let delete = if ctx.options.skip_final_snapshot {
            delete.skip_final_snapshot(true)
        } else {
            delete.skip_final_snapshot(false).final_db_snapshot_identifier(final_snapshot(&id, &ctx.run))
        };
        match delete.send().await.map_err(failed("rds:DeleteDBCluster")) {
            Ok(_) => Ok(Gone::Going),
            Err(error) if error.kind == ErrorKind::Missing => Ok(Gone::Now),
            // An earlier call of this run took the snapshot and was cut off.
            Err(error) if error.code.as_deref() == Some("DBClusterSnapshotAlreadyExistsFault") => {
                let delete = client.rds.delete_db_cluster().db_cluster_identifier(id).skip_final_snapshot(true).send().await;
                delete.map_err(failed("rds:DeleteDBCluster"))?;
                Ok(Gone::Going)
            }
            Err(error) => Err(error),
        }
    }
}

/// The name of the final snapshot: it carries the run, so that a second destroy does not meet the first's.
fn final_snapshot(cluster: &str, run: &str) -> String {
    format!("{cluster}-final-{run}")
}

fn has_pending(pending: &aws_sdk_rds::types::ClusterPendingModifiedValues) -> bool {
    pending.master_user_password().is_some()
        || pending.engine_version().is_some()
        || pending.backup_retention_period().is_some()
        || pending.iam_database_authentication_enabled().is_some()
        || pending.pending_cloudwatch_logs_exports().is_some()
        || pending.db_cluster_identifier().is_some()
}
