//! The stages of a run, and all that is known of a stage by its name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Function;

/// A stage. The order of the variants is the one of [`Stage::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Roles, log groups, the cluster, the repository, the uploads bucket.
    Foundation,
    /// The VPC, its subnets, routes and security groups.
    Network,
    /// The private subnets' way out.
    Egress,
    /// The hosted zone and the certificate.
    Certificate,
    /// The database and its password.
    Database,
    /// The load balancer.
    Ingress,
    /// What runs, and what leads to it.
    Services,
}

impl Stage {
    /// All stages, in the order in which they are made and shown.
    pub const ALL: [Stage; 7] = [
        Stage::Foundation,
        Stage::Network,
        Stage::Egress,
        Stage::Certificate,
        Stage::Database,
        Stage::Ingress,
        Stage::Services,
    ];

    /// The stages whose changes its description follows: they are made before it.
    pub fn after(self) -> &'static [Stage] {
        match self {
            Stage::Foundation | Stage::Network | Stage::Certificate => &[],
            Stage::Egress | Stage::Database | Stage::Ingress => &[Stage::Foundation, Stage::Network],
            Stage::Services => &[
                Stage::Foundation,
                Stage::Network,
                Stage::Egress,
                Stage::Certificate,
                Stage::Database,
                Stage::Ingress,
            ],
        }
    }

    /// The stages that are removed before it, the first to go first. Removal goes in waves: each is what nothing that
    /// is still there was made after.
    pub fn removed_after(self) -> Vec<Stage> {
        let earlier = Stage::ALL.into_iter().filter(|other| other.removal_wave() < self.removal_wave());
        let mut earlier: Vec<Stage> = earlier.collect();
        earlier.sort_by_key(|stage| stage.removal_wave());
        earlier
    }

    /// When it is removed: 0 goes first.
    pub fn removal_wave(self) -> usize {
        let followers = Stage::ALL.into_iter().filter(|other| other.after().contains(&self));
        followers.map(|follower| follower.removal_wave() + 1).max().unwrap_or(0)
    }

    /// The function that serves it.
    pub fn function(self) -> Function {
        match self {
            Stage::Foundation => Function::Foundation,
            Stage::Network | Stage::Egress => Function::Network,
            Stage::Certificate => Function::Certificate,
            Stage::Database => Function::Database,
            Stage::Ingress => Function::Ingress,
            Stage::Services => Function::Services,
        }
    }

    /// As it stands in keys, tags and texts: `foundation`.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Foundation => "foundation",
            Stage::Network => "network",
            Stage::Egress => "egress",
            Stage::Certificate => "certificate",
            Stage::Database => "database",
            Stage::Ingress => "ingress",
            Stage::Services => "services",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A part of Stepstack that owns resources, or fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What begins, joins and finishes a run.
    Control,
    /// The engine itself, as the installer makes it.
    Engine,
    /// The role of a GitHub repository's workflows, which the installer makes.
    Github,
    /// A stage of a run.
    #[serde(untagged)]
    Stage(Stage),
}

impl Part {
    /// The function that serves it; none for what the installer makes.
    pub fn function(self) -> Option<Function> {
        match self {
            Part::Control => Some(Function::Control),
            Part::Engine | Part::Github => None,
            Part::Stage(stage) => Some(stage.function()),
        }
    }

    /// As it stands in tags and texts.
    pub fn name(self) -> &'static str {
        match self {
            Part::Control => "control",
            Part::Engine => "engine",
            Part::Github => "github",
            Part::Stage(stage) => stage.name(),
        }
    }
}

impl From<Stage> for Part {
    fn from(stage: Stage) -> Self {
        Part::Stage(stage)
    }
}

impl PartialEq<Stage> for Part {
    fn eq(&self, stage: &Stage) -> bool {
        *self == Part::Stage(*stage)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stages_and_parts_are_written_by_their_names() {
        for stage in Stage::ALL {
            assert_eq!(serde_json::to_value(stage).expect("JSON"), json!(stage.name()));
        }
        let stages = Stage::ALL.into_iter().map(Part::from);
        for part in stages.chain([Part::Control, Part::Engine, Part::Github]) {
            assert_eq!(serde_json::to_value(part).expect("JSON"), json!(part.name()));
            assert_eq!(serde_json::from_value::<Part>(json!(part.name())).expect("a part"), part);
        }
    }

    #[test]
    fn the_order_shown_is_one_in_which_stages_can_be_made() {
        assert!(Stage::ALL.is_sorted());
        for (at, stage) in Stage::ALL.iter().enumerate() {
            assert!(stage.after().iter().all(|earlier| Stage::ALL[..at].contains(earlier)), "{stage}");
        }
    }

    #[test]
    fn a_stage_is_removed_after_all_that_was_made_after_it() {
        for stage in Stage::ALL {
            for earlier in stage.after() {
                assert!(earlier.removed_after().contains(&stage), "{earlier} before {stage}");
            }
        }
        let before = [Stage::Services, Stage::Egress, Stage::Certificate, Stage::Database, Stage::Ingress];
        assert_eq!(Stage::Network.removed_after(), before);
    }
}
