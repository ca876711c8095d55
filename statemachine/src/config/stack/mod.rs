//! The configuration: keys, types, ranges and plain defaults. These types are the authority for all of them.
//!
//! A person writes them in TOML, functions read them in the state machine's document, and the JSON Schema is
//! generated from them: the doc comments are what an editor shows. A key whose default depends on other keys
//! is optional in the file alone (`schemars(with = "Option<…>")`); `complete` fills it in before anything is
//! read into these types, so that a stack is always whole. Unknown keys are refused in a file, by the schema,
//! and passed over in a document, which a newer version may have written.

mod database;
mod network;
mod service;
mod uploads;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(super) use database::DEFAULT_ENGINE_VERSION;
pub use database::Database;
pub(super) use network::NetworkTable;
pub use network::{Egress, Network};
pub(super) use service::DEFAULT_CPU;
pub use service::{Scale, Service};
pub use uploads::{CorsMethod, Uploads};

/// The pattern of app, environment and service names.
const NAME_PATTERN: &str = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$";
/// Characters of an app's name at most: with environment and service it fits AWS's names.
pub(super) const APP_LENGTH: usize = 20;
/// Characters of an environment's name at most.
pub(super) const ENVIRONMENT_LENGTH: usize = 12;
/// Characters of a service's name at most.
pub(super) const SERVICE_LENGTH: usize = 20;

/// One environment of one app, as Stepstack builds and runs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Stepstack configuration", deny_unknown_fields)]
pub struct Stack {
    /// The app's name: it begins every name in AWS. At most 20 lower-case letters, digits and single hyphens, a letter first.
    #[schemars(length(min = 1, max = APP_LENGTH), regex(pattern = NAME_PATTERN))]
    pub app: String,
    /// The environment: `production`, `staging`. At most 12 lower-case letters, digits and single hyphens, a letter first.
    #[schemars(length(min = 1, max = ENVIRONMENT_LENGTH), regex(pattern = NAME_PATTERN))]
    pub environment: String,
    /// The AWS region that this stack belongs to; running it in another one is refused. Absent: the region of whoever installs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: Option<String>,
    /// The domain. Its Route 53 zone is used, or made when there is none. Absent: HTTP on the load balancer's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Addresses and the way out.
    #[schemars(with = "Option<NetworkTable>")]
    pub network: Network,
    /// An Aurora PostgreSQL Serverless v2 database. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// A private bucket for uploads. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploads: Option<Uploads>,
    /// The image that every service runs.
    #[serde(default)]
    pub image: Image,
    /// What a new image runs once before any traffic moves to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseCommand>,
    /// The services by name: at most 20 lower-case letters, digits and single hyphens, a letter first.
    #[serde(default)]
    #[schemars(extend("propertyNames" = json!({"pattern": NAME_PATTERN, "maxLength": SERVICE_LENGTH}), "minProperties" = 1))]
    pub services: BTreeMap<String, Service>,
    /// The services' logs.
    #[serde(default)]
    pub logs: Logs,
}

/// The image that every service runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Image {
    /// A push of one of these tags deploys what was pushed. All other tags cannot be moved. Empty: no push deploys.
    #[schemars(length(max = 5))]
    pub deploy_on_push: Vec<String>,
}

impl Default for Image {
    fn default() -> Self {
        Self { deploy_on_push: vec!["latest".to_owned()] }
    }
}

/// What a new image runs once, before any traffic moves to it: a migration of the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ReleaseCommand {
    /// The command, word by word. It must end with 0, or the old version stays.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// The service whose size, network and environment it has. Default: the first by name.
    #[schemars(with = "Option<String>")]
    pub service: String,
}

/// The days that CloudWatch Logs can keep logs for (PutRetentionPolicy, `retentionInDays`).
const RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// The services' logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Logs {
    /// How many days logs are kept; only these numbers exist.
    #[schemars(extend("enum" = RETENTION_DAYS))]
    pub retention_days: u32,
}

impl Default for Logs {
    fn default() -> Self {
        Self { retention_days: 7 }
    }
}

impl Stack {
    /// The services behind the load balancer, by name.
    pub fn public_services(&self) -> impl Iterator<Item = (&str, &Service)> {
        self.services.iter().filter(|(_, s)| s.port.is_some()).map(|(n, s)| (n.as_str(), s))
    }

    /// The hosts that they answer on, in their order.
    pub fn hosts(&self) -> impl Iterator<Item = String> {
        self.public_services().filter_map(|(_, service)| service.host.clone())
    }

    /// Whether anything needs a load balancer.
    pub fn has_public_service(&self) -> bool {
        self.public_services().next().is_some()
    }
}
