//! `[database]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The PostgreSQL major of a file that names none.
pub(in crate::config) const DEFAULT_ENGINE_VERSION: &str = "16";

/// Aurora PostgreSQL Serverless v2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Database {
    /// A major such as "16", which takes its newest live minor, or a minor such as "16.9".
    #[serde(default = "default::engine_version")]
    #[schemars(regex(pattern = "^[0-9]{1,2}([.][0-9]{1,2})?$"))]
    pub engine_version: String,
    /// The least capacity in ACU (2 GB of memory each), in steps of 0.5. 0 lets it sleep when nothing is connected.
    #[serde(default = "default::min_acu")]
    #[schemars(range(min = 0, max = 256), extend("multipleOf" = 0.5))]
    pub min_acu: f64,
    /// The most capacity in ACU, in steps of 0.5.
    #[serde(default = "default::max_acu")]
    #[schemars(range(min = 1, max = 256), extend("multipleOf" = 0.5))]
    pub max_acu: f64,
    /// The database inside the cluster. Default: the app's name with `_` for `-`.
    #[schemars(with = "Option<String>", regex(pattern = "^[a-z][a-z0-9_]{0,62}$"))]
    pub name: String,
    /// The master user.
    #[serde(default = "default::username")]
    #[schemars(regex(pattern = "^[a-z][a-z0-9_]{0,62}$"))]
    pub username: String,
    /// How many days automatic backups are kept.
    #[serde(default = "default::backup_retention_days")]
    #[schemars(range(min = 1, max = 35))]
    pub backup_retention_days: u32,
    /// Whether AWS refuses to delete the cluster. Default: true in production, else false.
    // Destroy turns it off first.
    #[schemars(with = "Option<bool>")]
    pub deletion_protection: bool,
    /// The password is replaced every so many days. Absent: only by `stepstack rotate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 365))]
    pub rotate_every_days: Option<u32>,
}

mod default {
    pub(super) fn engine_version() -> String {
        super::DEFAULT_ENGINE_VERSION.to_owned()
    }

    pub(super) fn min_acu() -> f64 {
        0.5
    }

    pub(super) fn max_acu() -> f64 {
        4.0
    }

    pub(super) fn username() -> String {
        "postgres".to_owned()
    }

    pub(super) fn backup_retention_days() -> u32 {
        7
    }
}

impl Database {
    /// `15` of `15.12`. Only majors are compared: AWS moves the minor by itself.
    pub fn major(&self) -> &str {
        self.engine_version.split('.').next().unwrap_or(&self.engine_version)
    }
}
