//! What AWS says of a cluster, in our words.

use aws_sdk_rds::types::{
    ClusterPendingModifiedValues, DbCluster as Raw, ServerlessV2ScalingConfigurationInfo as Scaling,
};
use statemachine::resource::{Name, Names};

use super::Cluster;
use crate::secret;
use crate::status::Modifications;
use crate::tags::{PASSWORD_VERSION, value};
use crate::version::major;

/// The description of a cluster that was found, taken to be running.
pub(super) fn read(raw: &Raw, names: &Names) -> Cluster {
    let scaling = raw.serverless_v2_scaling_configuration();
    let min_acu = scaling.and_then(Scaling::min_capacity).unwrap_or(0.0);
    let pause_after_s = scaling.and_then(Scaling::seconds_until_auto_pause);
    let password = value(raw.tag_list(), PASSWORD_VERSION).unwrap_or_default();
    let has_current_password = names.attribute(&secret::name(), "version") == Some(password);
    let groups = raw.vpc_security_groups().iter().filter_map(|group| group.vpc_security_group_id());
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    Cluster {
        identifier: text(raw.db_cluster_identifier()),
        engine_major: major(raw.engine_version().unwrap_or_default()).to_owned(),
        database_name: text(raw.database_name()),
        master_username: text(raw.master_username()),
        password: if has_current_password { secret::name() } else { Name::foreign(password) },
        running: true,
        min_acu,
        max_acu: scaling.and_then(Scaling::max_capacity).unwrap_or(0.0),
        // AWS remembers it for one that no longer sleeps.
        pause_after_s: pause_after_s.filter(|_| min_acu == 0.0),
        backup_retention_days: raw.backup_retention_period().unwrap_or(0),
        deletion_protection: raw.deletion_protection().unwrap_or(false),
        encrypted: raw.storage_encrypted().unwrap_or(false),
        iam_authentication: raw.iam_database_authentication_enabled().unwrap_or(false),
        log_exports: raw.enabled_cloudwatch_logs_exports().iter().cloned().collect(),
        copies_tags: raw.copy_tags_to_snapshot().unwrap_or(false),
        subnet_group: names.name_of(raw.db_subnet_group().unwrap_or_default()),
        parameter_group: names.name_of(raw.db_cluster_parameter_group().unwrap_or_default()),
        security_groups: groups.map(|id| names.name_of(id)).collect(),
    }
}

/// Whether a change is accepted and not carried out yet: ModifyDBCluster may leave the cluster `available` for
/// some seconds (aws-facts.md section 2, row 46).
pub(super) fn modifications(raw: &Raw) -> Modifications {
    let is_pending = raw.pending_modified_values().is_some_and(|pending: &ClusterPendingModifiedValues| {
        pending.master_user_password().is_some()
            || pending.engine_version().is_some()
            || pending.backup_retention_period().is_some()
            || pending.iam_database_authentication_enabled().is_some()
            || pending.pending_cloudwatch_logs_exports().is_some()
            || pending.db_cluster_identifier().is_some()
            || pending.allocated_storage().is_some()
            || pending.storage_type().is_some()
            || pending.iops().is_some()
    });
    if is_pending { Modifications::Pending } else { Modifications::InForce }
}
