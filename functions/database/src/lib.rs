//! The database function: Aurora PostgreSQL Serverless v2 and its secrets.

pub mod cluster;
pub mod instance;
pub mod parameter_group;
pub mod secret;
mod status;
pub mod subnet_group;
mod tags;
pub mod url;
pub mod version;

use aws::Function;
use aws_types::SdkConfig;
use futures_util::future::try_join;
use statemachine::Result;
use statemachine::config::Database;
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

/// What a stack's database consists of, in the order in which it is made. Without a database every list is
/// empty, so that whatever is found is left over.
fn resources(ctx: &Context, database: Option<&Database>, clients: &Clients, cluster: &Rds) -> Stage {
    let group = database.map(|database| ParameterGroup::of(database.major()));
    let wanted = database.zip(group.as_ref()).map(|(database, group)| Cluster::of(ctx, database, group));
    Stage::new()
        .owns(&clients.rds, list(database.map(|_| SubnetGroup::of(ctx))))
        .owns(&clients.rds, list(group))
        .owns(&clients.secrets, list(database.map(|_| Password::of(ctx))))
        .owns(cluster, list(wanted))
        .owns(&clients.rds, list(database.map(|_| Instance::of(ctx))))
        .owns(&clients.secrets, list(database.map(|database| DatabaseUrl::of(ctx, database))))
}

fn list<R>(wanted: Option<R>) -> Vec<R> {
    wanted.into_iter().collect()
}

impl Function for Clients {
    fn new(config: &SdkConfig) -> Self {
        Self { rds: aws_sdk_rds::Client::new(config), secrets: aws_sdk_secretsmanager::Client::new(config) }
    }

    async fn stage(&self, ctx: &Context, document: &Document, _: &Names) -> Result<Stage> {
        let database = document.stack.as_ref().and_then(|stack| stack.database.as_ref());
        match database {
            Some(database) => self.described(ctx, database).await,
            None => Ok(resources(ctx, None, self, &Rds::new(self))),
        }
    }

    fn permissions(scope: &Scope) -> Vec<Permission> {
        [
            vec![version::permissions()],
            SubnetGroup::permissions(scope),
            ParameterGroup::permissions(scope),
            Password::permissions(scope),
            Cluster::permissions(scope),
            Instance::permissions(scope),
            // The URL's secret needs what the password's does.
        ]
        .concat()
    }
}

impl Clients {
    /// The stage of a stack with a database. What the file asks for is checked against what AWS offers and what
    /// runs, before anything is changed.
    async fn described(&self, ctx: &Context, database: &Database) -> Result<Stage> {
        let (live, found) = try_join(version::live(&self.rds), cluster::find(&self.rds, ctx)).await?;
        let running = found.as_ref().and_then(|cluster| cluster.engine_version()).map(str::to_owned);
        let resolved = version::resolve(database, &live);
        let refusal = match &resolved {
            Ok(resolved) => {
                version::refusal(database, resolved, running.as_deref(), &live, ctx.options.allow_downtime)
            }
            Err(error) => Some(error.to_string()),
        };
        let cluster = Rds::new(self).seen(found).with_version(resolved.ok());
        let stage = resources(ctx, Some(database), self, &cluster);
        Ok(match refusal {
            Some(why) => stage.refuse(cluster::name(), why),
            None => stage,
        })
    }
}
