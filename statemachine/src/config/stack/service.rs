//! `[services.NAME]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fargate::FARGATE_CPUS;

/// The CPU units of a service that names none.
pub(in crate::config) const DEFAULT_CPU: u32 = 256;

/// One service: tasks on Fargate that run the image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Service {
    /// What the container runs, word by word. Default: the image's own command.
    #[serde(default)]
    pub command: Vec<String>,
    /// The port that it listens on. Given: the service is public, behind the load balancer. Absent: it has no way in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// The host that it answers on. Default: `{service}.{domain}`.
    // Present for every public service of a stack with a domain, absent for all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The path that must answer with 200 to 399 when it is healthy.
    #[serde(default = "default::health_check_path")]
    #[schemars(length(max = 1024), regex(pattern = "^/[!-~]*$"))]
    pub health_check_path: String,
    /// CPU units; 1024 are one core.
    #[serde(default = "default::cpu")]
    #[schemars(extend("enum" = FARGATE_CPUS))]
    pub cpu: u32,
    /// Memory in MB; Fargate has only some with each `cpu`. Default: the least of them (512 with 256).
    #[schemars(with = "Option<u32>", range(min = 512, max = 122_880))]
    pub memory: u32,
    /// How many tasks run. Default: 1, or the least of `scale`.
    #[schemars(with = "Option<u32>", range(min = 0, max = 5000))]
    pub count: u32,
    /// Grow and shrink by CPU. Absent: `count` stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// Environment variables. Not for secrets: everyone who may look at the service sees them.
    // Beside what every task gets.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Whether the root file system is read-only; `/tmp` stays writable.
    #[serde(default = "default::read_only_root")]
    pub read_only_root: bool,
    /// The user that it runs as: a name, `uid` or `uid:gid`. Default: the image's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether `stepstack exec` may open a shell in its tasks. Needs `read_only_root = false`.
    #[serde(default)]
    pub exec: bool,
}

/// Grow and shrink by CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Scale {
    /// The fewest tasks.
    #[schemars(range(min = 1, max = 5000))]
    pub min: u32,
    /// The most tasks.
    #[schemars(range(min = 1, max = 5000))]
    pub max: u32,
    /// The CPU use to hold, in percent.
    #[serde(default = "default::scale_cpu")]
    #[schemars(range(min = 1, max = 100))]
    pub cpu: u32,
}

mod default {
    pub(super) fn health_check_path() -> String {
        "/health".to_owned()
    }

    pub(super) fn cpu() -> u32 {
        super::DEFAULT_CPU
    }

    pub(super) fn read_only_root() -> bool {
        true
    }

    pub(super) fn scale_cpu() -> u32 {
        60
    }
}
