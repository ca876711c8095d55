//! What RDS's status words mean (Aurora User Guide, "DB cluster status" and "DB instance status").

use statemachine::resource::State;
use statemachine::{Error, Result};

/// Whether changes that were asked for are still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modifications {
    /// None is.
    InForce,
    /// Some are.
    Pending,
}

/// The state of a cluster or instance with these settings. An unlisted word is an error.
pub(crate) fn state<R>(kind: &str, status: &str, found: R, modifications: Modifications) -> Result<State<R>> {
    match status {
        // ModifyDBCluster may leave it `available` for some seconds before it begins.
        "available" if modifications == Modifications::Pending => Ok(State::Changing(Some(found))),
        "available" | "backing-up" | "storage-optimization" | "backtracking" => Ok(State::Settled(found)),
        "creating"
        | "configuring-enhanced-monitoring"
        | "configuring-iam-database-auth"
        | "configuring-log-exports"
        | "converting-to-vpc"
        | "delete-precheck"
        | "failing-over"
        | "maintenance"
        | "migrating"
        | "modifying"
        | "moving-to-vpc"
        | "preparing-data-migration"
        | "promoting"
        | "rebooting"
        | "renaming"
        | "resetting-master-credentials"
        | "scaling-compute"
        | "scaling-storage"
        | "starting"
        // What a stopped cluster needs is said where it is read; its instance follows it.
        | "stopped"
        | "stopping"
        | "storage-config-upgrade"
        | "storage-initialization"
        | "update-iam-db-auth"
        | "updating"
        | "upgrading" => Ok(State::Changing(Some(found))),
        "deleting" => Ok(State::Deleting),
        "cloning-failed"
        | "failed"
        | "inaccessible-encryption-credentials"
        | "inaccessible-encryption-credentials-recoverable"
        | "incompatible-create"
        | "incompatible-network"
        | "incompatible-option-group"
        | "incompatible-parameters"
        | "incompatible-restore"
        | "insufficient-capacity"
        | "insufficient-resource-limits"
        | "migration-failed"
        | "restore-error"
        | "storage-full" => Ok(State::Failed(status.to_owned())),
        other => Err(Error::unknown_status(kind, other)),
    }
}

#[cfg(test)]
mod tests {
    use super::Modifications::{InForce, Pending};
    use super::*;

    #[test]
    fn words_mean_what_the_loop_acts_on() {
        assert_eq!(state("cluster", "available", 1, InForce).expect("a state"), State::Settled(1));
        assert_eq!(state("cluster", "available", 1, Pending).expect("a state"), State::Changing(Some(1)));
        assert_eq!(state("cluster", "creating", 1, InForce).expect("a state"), State::Changing(Some(1)));
        assert_eq!(state("cluster", "deleting", 1, InForce).expect("a state"), State::Deleting);
        assert!(matches!(
            state("cluster", "incompatible-network", 1, InForce).expect("a state"),
            State::Failed(_)
        ));
        let error = state("DB cluster", "dreaming", 1, InForce).expect_err("an unlisted word is an error");
        assert_eq!(
            error.message,
            "AWS reports the status \"dreaming\" for a DB cluster, which Stepstack does not know"
        );
    }
}
