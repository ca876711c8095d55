//! How a cluster comes to be: empty, or from a snapshot.

use aws::failed;
use statemachine::Result;
use statemachine::resource::{Context, Names, Resource as _};

use super::{Cluster, NO_EXTENDED_SUPPORT, Raw, Rds};
use crate::secret;
use crate::tags::{PASSWORD_VERSION, tags};
use crate::version::ENGINE;

impl Cluster {
    /// An empty cluster, with the password's current version.
    pub(super) async fn make(&self, ctx: &Context, client: &Rds, names: &Names) -> Result<Option<Raw>> {
        let password = secret::value(&client.clients.secrets, names).await?;
        let version = names.need_attribute(&self.password, "version")?;
        let create = client
            .clients
            .rds
            .create_db_cluster()
            .db_cluster_identifier(&self.identifier)
            .engine(ENGINE)
            .engine_mode("provisioned")
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
            .db_subnet_group_name(names.need(&self.subnet_group)?)
            .db_cluster_parameter_group_name(names.need(&self.parameter_group)?)
            .set_vpc_security_group_ids(Some(self.group_ids(names)?))
            .set_tags(Some(tags(ctx, &self.name(), &[(PASSWORD_VERSION, &version)])));
        Ok(create.send().await.map_err(failed("rds:CreateDBCluster"))?.db_cluster)
    }

    /// A cluster out of a snapshot. The call takes neither password nor retention: the ordinary difference sets
    /// them, once it is available (API reference, RestoreDBClusterFromSnapshot).
    pub(super) async fn restore(
        &self,
        ctx: &Context,
        client: &Rds,
        names: &Names,
        snapshot: String,
    ) -> Result<Option<Raw>> {
        let restore = client
            .clients
            .rds
            .restore_db_cluster_from_snapshot()
            .db_cluster_identifier(&self.identifier)
            .snapshot_identifier(snapshot)
            .engine(ENGINE)
            .engine_mode("provisioned")
            .engine_lifecycle_support(NO_EXTENDED_SUPPORT)
            .serverless_v2_scaling_configuration(self.scaling())
            .deletion_protection(self.deletion_protection)
            .enable_iam_database_authentication(self.iam_authentication)
            .set_enable_cloudwatch_logs_exports(Some(self.log_exports.iter().cloned().collect()))
            .copy_tags_to_snapshot(self.copies_tags)
            .db_subnet_group_name(names.need(&self.subnet_group)?)
            .db_cluster_parameter_group_name(names.need(&self.parameter_group)?)
            .set_vpc_security_group_ids(Some(self.group_ids(names)?))
            // No version of the password: the snapshot's own is nobody's.
            .set_tags(Some(tags(ctx, &self.name(), &[(PASSWORD_VERSION, "of the snapshot")])));
        Ok(restore.send().await.map_err(failed("rds:RestoreDBClusterFromSnapshot"))?.db_cluster)
    }
}
