//! What a person writes: keys, types, ranges and plain defaults, and nothing else.
//!
//! The doc comments here are what an editor shows, through the generated JSON Schema. Defaults that depend on
//! other keys are filled in by `check`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::stack::Egress;

/// The PostgreSQL major of a file that names none.
pub const DEFAULT_ENGINE_VERSION: &str = "16";
/// The VPC's addresses in a file that names none.
pub const DEFAULT_CIDR: &str = "10.0.0.0/16";
/// The health check's path of a public service that names none.
pub const DEFAULT_HEALTH_CHECK_PATH: &str = "/health";

/// The pattern of app, environment and service names.
pub(super) const NAME_PATTERN: &str = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$";

/// One environment of one app, as Stepstack builds and runs it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[schemars(title = "Stepstack configuration")]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The app's name: it begins every name in AWS. At most 20 lower-case letters, digits and single hyphens, a letter first.
    #[schemars(length(min = 1, max = 20), regex(pattern = NAME_PATTERN))]
    pub app: String,
    /// The environment: `production`, `staging`. At most 12 lower-case letters, digits and single hyphens, a letter first.
    #[schemars(length(min = 1, max = 12), regex(pattern = NAME_PATTERN))]
    pub environment: String,
    /// The AWS region that this stack belongs to; running it in another one is refused. Absent: the region of whoever installs it.
    #[schemars(regex(pattern = "^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: Option<String>,
    /// The domain. Its Route 53 zone is used, or made when there is none. Absent: HTTP on the load balancer's own name.
    pub domain: Option<String>,
    /// Addresses and the way out.
    #[serde(default)]
    pub network: Network,
    /// An Aurora PostgreSQL Serverless v2 database. Absent: none.
    pub database: Option<Database>,
    /// A private bucket for uploads. Absent: none.
    pub uploads: Option<Uploads>,
    /// The image that every service runs.
    #[serde(default)]
    pub image: Image,
    /// What a new image runs once before any traffic moves to it.
    pub release: Option<Release>,
    /// The services by name: at most 20 lower-case letters, digits and single hyphens, a letter first.
    #[serde(default)]
    #[schemars(extend("propertyNames" = json!({"pattern": NAME_PATTERN, "maxLength": 20}), "minProperties" = 1))]
    pub services: BTreeMap<String, Service>,
    /// The services' logs.
    #[serde(default)]
    pub logs: Logs,
}

/// Addresses and the way out.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// The VPC's addresses: a private range, /16 to /26.
    pub cidr: String,
    /// Two subnets for the load balancer, one in each zone. Default: 10.0.1.0/24 and 10.0.2.0/24 of 10.0.0.0/16.
    pub public_subnets: Option<[String; 2]>,
    /// Two subnets for tasks and database, one in each zone. Default: 10.0.11.0/24 and 10.0.12.0/24 of 10.0.0.0/16.
    pub private_subnets: Option<[String; 2]>,
    /// How tasks reach the internet and AWS. Default: `nat` in production, else `public`.
    pub egress: Option<Egress>,
}

impl Default for Network {
    fn default() -> Self {
        Self { cidr: DEFAULT_CIDR.to_owned(), public_subnets: None, private_subnets: None, egress: None }
    }
}

/// Aurora PostgreSQL Serverless v2.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// A major such as "16", which takes its newest live minor, or a minor such as "16.9".
    #[schemars(regex(pattern = "^[0-9]{1,2}([.][0-9]{1,2})?$"))]
    pub engine_version: String,
    /// The least capacity in ACU (2 GB of memory each), in steps of 0.5. 0 lets it sleep when nothing is connected.
    #[schemars(range(min = 0, max = 256), extend("multipleOf" = 0.5))]
    pub min_acu: f64,
    /// The most capacity in ACU, in steps of 0.5.
    #[schemars(range(min = 1, max = 256), extend("multipleOf" = 0.5))]
    pub max_acu: f64,
    /// The database inside the cluster. Default: the app's name with `_` for `-`.
    #[schemars(regex(pattern = "^[a-z][a-z0-9_]{0,62}$"))]
    pub name: Option<String>,
    /// The master user.
    #[schemars(regex(pattern = "^[a-z][a-z0-9_]{0,62}$"))]
    pub username: String,
    /// How many days automatic backups are kept.
    #[schemars(range(min = 1, max = 35))]
    pub backup_retention_days: u32,
    /// Whether AWS refuses to delete the cluster. Default: true in production, else false.
    pub deletion_protection: Option<bool>,
    /// The password is replaced every so many days. Absent: only by `stepstack rotate`.
    #[schemars(range(min = 1, max = 365))]
    pub rotate_every_days: Option<u32>,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            engine_version: DEFAULT_ENGINE_VERSION.to_owned(),
            min_acu: 0.5,
            max_acu: 4.0,
            name: None,
            username: "postgres".to_owned(),
            backup_retention_days: 7,
            deletion_protection: None,
            rotate_every_days: None,
        }
    }
}

/// A request method that browsers may use on the uploads bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the methods of HTTP, as S3 takes them")]
pub enum CorsMethod {
    Get,
    Put,
    Post,
    Delete,
    Head,
}

impl CorsMethod {
    /// As HTTP writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
        }
    }
}

/// A private, versioned bucket for uploads.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Uploads {
    /// The bucket's name, unique in the whole of AWS. Default: `{app}-uploads-{environment}`.
    #[schemars(length(min = 3, max = 63), regex(pattern = "^[a-z0-9][a-z0-9-]*[a-z0-9]$"))]
    pub bucket: Option<String>,
    /// The origins that browsers may upload from: `https://example.com`.
    #[schemars(length(max = 100))]
    pub cors_origins: Vec<String>,
    /// What browsers may do.
    #[schemars(length(min = 1))]
    pub cors_methods: Vec<CorsMethod>,
    /// How many seconds browsers may remember a preflight answer.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub cors_max_age_s: u32,
    /// Objects expire after so many days. Absent: never.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub expire_after_days: Option<u32>,
}

impl Default for Uploads {
    fn default() -> Self {
        Self {
            bucket: None,
            cors_origins: Vec::new(),
            cors_methods: vec![CorsMethod::Get, CorsMethod::Put, CorsMethod::Post],
            cors_max_age_s: 3000,
            expire_after_days: None,
        }
    }
}

/// The image that every service runs.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
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
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The command, word by word. It must end with 0, or the old version stays.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// The service whose size, network and environment it has. Default: the first by name.
    pub service: Option<String>,
}

/// One service: tasks on Fargate that run the image.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Service {
    /// What the container runs, word by word. Default: the image's own command.
    pub command: Vec<String>,
    /// The port that it listens on. Given: the service is public, behind the load balancer. Absent: it has no way in.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// The host that it answers on. Default: `{service}.{domain}`.
    pub host: Option<String>,
    /// The path that must answer 200 when it is healthy.
    #[schemars(length(max = 1024), regex(pattern = "^/"), extend("default" = DEFAULT_HEALTH_CHECK_PATH))]
    pub health_check_path: Option<String>,
    /// CPU units; 1024 are one core.
    #[schemars(extend("enum" = super::fargate::FARGATE_CPUS))]
    pub cpu: u32,
    /// Memory in MB; Fargate has only some with each `cpu`. Default: the least of them (512 with 256).
    #[schemars(range(min = 512, max = 122_880))]
    pub memory: Option<u32>,
    /// How many tasks run. Default: 1, or the least of `scale`.
    #[schemars(range(min = 0, max = 5000))]
    pub count: Option<u32>,
    /// Grow and shrink by CPU. Absent: `count` stays as it is.
    pub scale: Option<Scale>,
    /// Environment variables. Not for secrets: everyone who may look at the service sees them.
    pub environment: BTreeMap<String, String>,
    /// Whether the root file system is read-only; `/tmp` stays writable.
    pub read_only_root: bool,
    /// The user that it runs as: a name, `uid` or `uid:gid`. Default: the image's own.
    pub user: Option<String>,
    /// Whether `stepstack exec` may open a shell in its tasks. Needs `read_only_root = false`.
    pub exec: bool,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            port: None,
            host: None,
            health_check_path: None,
            cpu: 256,
            memory: None,
            count: None,
            scale: None,
            environment: BTreeMap::new(),
            read_only_root: true,
            user: None,
            exec: false,
        }
    }
}

/// Grow and shrink by CPU.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// The fewest tasks.
    #[schemars(range(min = 1, max = 5000))]
    pub min: u32,
    /// The most tasks.
    #[schemars(range(min = 1, max = 5000))]
    pub max: u32,
    /// The CPU use to hold, in percent.
    #[serde(default = "default_scale_cpu")]
    #[schemars(range(min = 1, max = 100))]
    pub cpu: u32,
}

fn default_scale_cpu() -> u32 {
    60
}

/// The days that CloudWatch Logs can keep logs for (PutRetentionPolicy, `retentionInDays`).
pub const RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// The services' logs.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
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
