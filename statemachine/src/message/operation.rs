//! What a run may be for, and all that sets one operation apart from another.

use serde::{Deserialize, Serialize};

use crate::Stage;

/// What a run is for. What sets them apart stands in [`Operation::facts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Look and say what an apply would do. Writes nothing but its own record, takes no lock.
    Plan,
    /// Look and say what a destroy would do.
    PlanDestroy,
    /// Make AWS as the configuration says.
    Apply,
    /// Remove everything.
    Destroy,
    /// Roll the services to an image.
    Deploy,
    /// Roll the services to the image and environment of an earlier release.
    Rollback,
    /// Change how many tasks run.
    Scale,
    /// Replace the tasks by new ones of the same image.
    Restart,
    /// Run one command in a task of its own.
    Run,
    /// Give the database a new password.
    Rotate,
    /// Take a snapshot of the database.
    SnapshotCreate,
    /// Let go of a snapshot, or of a cluster that a restore left.
    SnapshotForget,
    /// Make the next generation of the database from a snapshot.
    Restore,
    /// Bring back an earlier version of an upload.
    RestoreObject,
    /// Stop what costs while nobody uses it.
    Pause,
    /// Start it again.
    Resume,
}

/// What sets an operation apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// As people write it: `snapshot-create`.
    pub name: &'static str,
    /// Where what it asks for comes from, and whether it changes anything.
    pub kind: Kind,
    /// The stages that it changes; all others only look (design.md section 4).
    pub stages: &'static [Stage],
    /// What has to be there already.
    pub needs: Needs,
    /// Whether it can be done while the environment is paused.
    pub while_paused: bool,
    /// From when on the next run goes on with what it asks for.
    pub takes_effect: TakesEffect,
    /// Whether a failure puts back what the services and the database had before.
    pub is_put_back: bool,
    /// Fields that it moves although they are named the same before and after.
    pub moves: &'static [&'static str],
    /// What it does about the database's snapshots, and the clusters that were kept.
    pub snapshots: SnapshotChange,
    /// What a person should know of it beside its plan.
    pub note: Note,
}

/// Where what an operation asks for comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It looks and says what another operation would do. It takes no lock.
    Looks {
        /// Whether that one describes nothing.
        removes_all: bool,
    },
    /// It makes AWS as a configuration says.
    Applies,
    /// It describes nothing, so that everything is left over.
    RemovesAll,
    /// It is a change of the intent, laid over the configuration that was accepted last.
    Overlay,
}

/// What has to be there before an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing but the environment.
    Nothing,
    /// A release; without one there is this to say.
    Release(&'static str),
    /// A database.
    Database,
    /// An uploads bucket.
    Uploads,
}

/// From when on what an operation asks for is the environment's intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakesEffect {
    /// Once its plan is accepted.
    Accepted,
    /// Once the services run it.
    Done,
}

/// What an operation does about the database's snapshots, and the clusters that restores have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotChange {
    /// Nothing.
    Leaves,
    /// Takes the one that the run names.
    Takes,
    /// Lets go of the one that the run names.
    Forgets,
    /// Lets go of every cluster that was kept.
    ForgetsAll,
}

/// What a person should know of an operation beside its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Nothing.
    Nothing,
    /// What the private subnets' way out costs.
    EgressCosts,
    /// These words.
    Says(&'static str),
}

/// An operation that is a change of the intent.
const OVERLAY: Facts = Facts {
    name: "",
    kind: Kind::Overlay,
    stages: &[],
    needs: Needs::Nothing,
    while_paused: false,
    takes_effect: TakesEffect::Accepted,
    is_put_back: false,
    moves: &[],
    snapshots: SnapshotChange::Leaves,
    note: Note::Nothing,
};

/// An operation that looks at all, or changes all.
const ALL: Facts = Facts {
    kind: Kind::Applies,
    stages: &Stage::ALL,
    while_paused: true,
    note: Note::EgressCosts,
    ..OVERLAY
};

const SERVICES: &[Stage] = &[Stage::Services];

impl Operation {
    /// What sets it apart.
    pub const fn facts(self) -> Facts {
        match self {
            Operation::Plan => Facts { name: "plan", kind: Kind::Looks { removes_all: false }, ..ALL },
            Operation::PlanDestroy => Facts {
                name: "plan-destroy",
                kind: Kind::Looks { removes_all: true },
                snapshots: SnapshotChange::ForgetsAll,
                ..ALL
            },
            Operation::Apply => Facts { name: "apply", ..ALL },
            Operation::Destroy => Facts {
                name: "destroy",
                kind: Kind::RemovesAll,
                snapshots: SnapshotChange::ForgetsAll,
                ..ALL
            },
            Operation::Deploy => Facts {
                name: "deploy",
                stages: SERVICES,
                takes_effect: TakesEffect::Done,
                is_put_back: true,
                ..OVERLAY
            },
            Operation::Rollback => Facts {
                name: "rollback",
                stages: SERVICES,
                needs: Needs::Release("Nothing was released yet, so there is nothing to go back to."),
                takes_effect: TakesEffect::Done,
                is_put_back: true,
                ..OVERLAY
            },
            Operation::Scale => Facts { name: "scale", stages: SERVICES, ..OVERLAY },
            Operation::Restart => Facts {
                name: "restart",
                stages: SERVICES,
                needs: Needs::Release("Nothing is deployed yet, so there is nothing to restart."),
                is_put_back: true,
                ..OVERLAY
            },
            Operation::Run => Facts {
                name: "run",
                stages: SERVICES,
                needs: Needs::Release("Nothing is deployed yet, so there is no image to run."),
                ..OVERLAY
            },
            Operation::Rotate => Facts {
                name: "rotate",
                stages: &[Stage::Database, Stage::Services],
                needs: Needs::Database,
                is_put_back: true,
                moves: &["cluster", "password"],
                note: Note::Says(
                    "From the change of the password until the last task is replaced, new connections of the old tasks fail.",
                ),
                ..OVERLAY
            },
            Operation::SnapshotCreate => Facts {
                name: "snapshot-create",
                stages: &[Stage::Database],
                needs: Needs::Database,
                snapshots: SnapshotChange::Takes,
                ..OVERLAY
            },
            Operation::SnapshotForget => Facts {
                name: "snapshot-forget",
                stages: &[Stage::Database],
                needs: Needs::Database,
                snapshots: SnapshotChange::Forgets,
                ..OVERLAY
            },
            Operation::Restore => Facts {
                name: "restore",
                stages: &[Stage::Foundation, Stage::Database, Stage::Services],
                needs: Needs::Database,
                moves: &["cluster", "password"],
                note: Note::Says(
                    "From the moment the endpoint changes until the last task is replaced, old tasks write to the cluster that is left.",
                ),
                ..OVERLAY
            },
            Operation::RestoreObject => Facts {
                name: "restore-object",
                stages: &[Stage::Foundation],
                needs: Needs::Uploads,
                while_paused: true,
                ..OVERLAY
            },
            Operation::Pause => Facts {
                name: "pause",
                stages: &[Stage::Egress, Stage::Database, Stage::Services],
                while_paused: true,
                ..OVERLAY
            },
            Operation::Resume => Facts {
                name: "resume",
                stages: &[Stage::Egress, Stage::Database, Stage::Services],
                while_paused: true,
                ..OVERLAY
            },
        }
    }

    /// Whether it only looks.
    pub fn only_looks(self) -> bool {
        match self.facts().kind {
            Kind::Looks { .. } => true,
            Kind::Applies | Kind::RemovesAll | Kind::Overlay => false,
        }
    }

    /// Whether it describes nothing, so that everything is left over.
    pub fn removes_all(self) -> bool {
        match self.facts().kind {
            Kind::Looks { removes_all } => removes_all,
            Kind::RemovesAll => true,
            Kind::Applies | Kind::Overlay => false,
        }
    }

    /// Whether it is a change of the intent, laid over the configuration that was accepted last.
    pub fn is_overlay(self) -> bool {
        self.facts().kind == Kind::Overlay
    }

    /// Whether it works from a configuration of its own, not from the one that was accepted last.
    pub fn reads_configuration(self) -> bool {
        match self.facts().kind {
            Kind::Looks { removes_all } => !removes_all,
            Kind::Applies => true,
            Kind::RemovesAll | Kind::Overlay => false,
        }
    }

    /// The stages that it changes; all others only look.
    pub fn stages(self) -> &'static [Stage] {
        self.facts().stages
    }

    /// As people write it, and as it stands in JSON: `snapshot-create`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALL: [Operation; 16] = [
        Operation::Plan,
        Operation::PlanDestroy,
        Operation::Apply,
        Operation::Destroy,
        Operation::Deploy,
        Operation::Rollback,
        Operation::Scale,
        Operation::Restart,
        Operation::Run,
        Operation::Rotate,
        Operation::SnapshotCreate,
        Operation::SnapshotForget,
        Operation::Restore,
        Operation::RestoreObject,
        Operation::Pause,
        Operation::Resume,
    ];

    #[test]
    fn an_operation_is_written_by_its_name() {
        for operation in ALL {
            assert_eq!(serde_json::to_value(operation).expect("JSON"), json!(operation.name()));
        }
    }

    #[test]
    fn every_operation_concerns_a_stage_and_what_is_no_overlay_concerns_all() {
        for operation in ALL {
            assert!(!operation.stages().is_empty(), "{}", operation.name());
            assert!(operation.is_overlay() || operation.stages() == Stage::ALL, "{}", operation.name());
        }
    }
}
