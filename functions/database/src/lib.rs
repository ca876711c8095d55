//! The database function: Aurora PostgreSQL Serverless v2 and its secrets.

pub mod cluster;
pub mod instance;
pub mod parameter_group;
pub mod secret;
mod status;
pub mod subnet_group;
mod tags;
pub mod url;

use aws::{Function, failed};
use aws_types::SdkConfig;
use statemachine::Result;
use statemachine::config::{Database, check_engine_version};
use statemachine::message::Document;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Names, Resource as _};
use statemachine::tick::Stage;

use crate::cluster::{Cluster, Rds};
use crate::instance::Instance;
use crate::parameter_group::ParameterGroup;
use crate::secret::Password;
use crate::subnet_group::SubnetGroup;
use crate::url::DatabaseUrl;

/// The function's clients.
#[derive(Clone, Debug)]
pub struct Clients {
    /// RDS.
    pub rds: aws_sdk_rds::Client,
    /// Secrets Manager.
    pub secrets: aws_sdk_secretsmanager::Client,
}

/// The engine.
pub const ENGINE: &str = "aurora-postgresql";

impl Function for Clients {
    fn new(config: &SdkConfig) -> Self {
        Self { rds: aws_sdk_rds::Client::new(config), secrets: aws_sdk_secretsmanager::Client::new(config) }
    }

    async fn stage(&self, ctx: &Context, document: &Document, _: &Names) -> Result<Stage> {
        match document.stack.as_ref().and_then(|stack| stack.database.as_ref()) {
            Some(database) => self.described(ctx, database).await,
            None => Ok(self.empty()),
        }
    }

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let versions = Permission::unscoped(&["rds:DescribeDBEngineVersions"], "the listing takes no resource");
        [
            vec![versions],
            SubnetGroup::permissions(scope),
            ParameterGroup::permissions(scope),
            Password::permissions(scope),
            Cluster::permissions(scope),
            Instance::permissions(scope),
            DatabaseUrl::permissions(scope),
        ]
        .concat()
    }
}

impl Clients {
    fn clients(&self, engine_version: Option<String>) -> Rds {
        Rds { rds: self.rds.clone(), secrets: self.secrets.clone(), engine_version }
    }

    /// A stack without a database: whatever is found is left over.
    fn empty(&self) -> Stage {
        let clients = self.clients(None);
        Stage::new()
            .owns::<SubnetGroup>(&self.rds, vec![])
            .owns::<ParameterGroup>(&self.rds, vec![])
            .owns::<Password>(&self.secrets, vec![])
            .owns::<Cluster>(&clients, vec![])
            .owns::<Instance>(&self.rds, vec![])
            .owns::<DatabaseUrl>(&self.secrets, vec![])
    }

    async fn described(&self, ctx: &Context, database: &Database) -> Result<Stage> {
        let major = database.major();
        let live = self.live_versions().await?;
        // A refused description lists nothing: so nothing of it is left over.
        let refused = |why: String| Ok(Stage::new().refuse(cluster::name(), why));
        let version = match check_engine_version(&database.engine_version, &live.versions) {
            Ok(version) => version,
            Err(error) => return refused(error.to_string()),
        };
        if database.min_acu < live.min_acu(&version) {
            return refused(format!(
                "PostgreSQL {version} does not sleep: its min_acu is {} at least, and the file asks for {}.",
                live.min_acu(&version),
                database.min_acu
            ));
        }
        let group = ParameterGroup::of(major);
        let wanted = Cluster::of(ctx, database, group.name());
        if let Some(why) = self.refuses_version(ctx, &wanted).await? {
            return refused(why);
        }
        let clients = self.clients(Some(version));
        Ok(Stage::new()
            .owns(&self.rds, vec![SubnetGroup::of(ctx)])
            .owns(&self.rds, vec![group])
            .owns(&self.secrets, vec![Password::of(ctx)])
            .owns(&clients, vec![wanted])
            .owns(&self.rds, vec![Instance::of(ctx)])
            .owns(&self.secrets, vec![DatabaseUrl::of(ctx, database)]))
    }

    /// Why the asked major cannot follow the one that runs.
    async fn refuses_version(&self, ctx: &Context, want: &Cluster) -> Result<Option<String>> {
        if ctx.options.allow_downtime {
            return Ok(None);
        }
        let Some(running) = cluster::running_major(&self.rds, ctx).await? else { return Ok(None) };
        let (Ok(from), Ok(to)) = (running.parse::<u32>(), want.engine_major.parse::<u32>()) else { return Ok(None) };
        Ok(match from.cmp(&to) {
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Less => Some(format!(
                "The database runs PostgreSQL {from} and the file asks for {to}. A major upgrade stops the database for some minutes: say --allow-downtime."
            )),
            std::cmp::Ordering::Greater => {
                Some(format!("The database runs PostgreSQL {from}, and AWS cannot take it back to {to}. Ask for {from} or newer."))
            }
        })
    }

    /// The engine versions that AWS offers now.
    async fn live_versions(&self) -> Result<Live> {
        let pages = self.rds.describe_db_engine_versions().engine(ENGINE).into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("rds:DescribeDBEngineVersions"))?;
        let one = |version: &aws_sdk_rds::types::DbEngineVersion| {
            let min_acu = version.serverless_v2_features_support().and_then(|support| support.min_capacity()).unwrap_or(0.5);
            Some((version.engine_version()?.to_owned(), min_acu))
        };
        let (versions, min_acus) = all.iter().filter_map(one).unzip();
        Ok(Live { versions, min_acus })
    }
}

/// Live engine versions, each with the least that Serverless v2 runs at.
struct Live {
    versions: Vec<String>,
    min_acus: Vec<f64>,
}

impl Live {
    fn min_acu(&self, version: &str) -> f64 {
        let at = self.versions.iter().position(|known| known == version);
        at.and_then(|at| self.min_acus.get(at)).copied().unwrap_or(0.5)
    }
}
