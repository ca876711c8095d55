//! The secret with the whole database URL. What it was made of stands in its tags, so that drift shows
//! without reading it.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput as Raw;
use aws_sdk_secretsmanager::types::Tag;
use serde::Serialize;
use statemachine::config::Database;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::secret::Password;
use crate::tags::PASSWORD_VERSION;
use crate::{cluster, secret};

/// Tag with the endpoint that the URL names.
const ENDPOINT: &str = "stepstack:endpoint";
/// Tag with user and database.
const LOGIN: &str = "stepstack:login";

/// `postgresql://user:password@endpoint:5432/name`, without `sslmode` (asyncpg refuses it).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatabaseUrl {
    /// `{app}/{env}/database-url`.
    pub secret_name: String,
    /// The cluster that it leads to.
    pub cluster: Name,
    /// The password's secret, whose current version is in it.
    pub password: Name,
    /// `user@name`.
    pub login: String,
}

/// `secret/database-url`.
pub fn name() -> Name {
    resource::database_url()
}

impl DatabaseUrl {
    /// The URL of a stack's database.
    pub fn of(ctx: &Context, database: &Database) -> Self {
        Self {
            secret_name: secret_name(ctx),
            cluster: cluster::name(),
            password: secret::name(),
            login: format!("{}@{}", database.username, database.name),
        }
    }

    /// The URL itself: only ever handed to Secrets Manager.
    async fn value(&self, client: &Client, names: &Names) -> Result<String> {
        let (user, database) =
            self.login.split_once('@').ok_or_else(|| Error::internal("a login has an @"))?;
        let password = secret::value(client, names).await?;
        let (endpoint, port) = (self.endpoint(names)?, names.need_attribute(&self.cluster, "port")?);
        Ok(format!("postgresql://{user}:{password}@{endpoint}:{port}/{database}"))
    }

    fn endpoint(&self, names: &Names) -> Result<String> {
        let endpoint = names.attribute(&self.cluster, "endpoint").filter(|endpoint| !endpoint.is_empty());
        endpoint
            .map(str::to_owned)
            .ok_or_else(|| Error::not_ready("The database cluster has no endpoint yet."))
    }

    fn facts(&self, names: &Names) -> Result<[(&'static str, String); 3]> {
        let version = names.need_attribute(&self.password, "version")?;
        Ok([(PASSWORD_VERSION, version), (ENDPOINT, self.endpoint(names)?), (LOGIN, self.login.clone())])
    }
}

fn secret_name(ctx: &Context) -> String {
    ctx.aws_names().secret("database-url")
}

impl Resource for DatabaseUrl {
    type Client = Client;
    type Raw = Raw;

    // A kind apart from the password in the engine, since it follows the cluster; in names both are secrets.
    const KIND: &'static str = resource::kind::SECRET;
    const ADOPTABLE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        Password::permissions(scope)
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        // Settled, so that a new password is the cluster's before anybody is told of it.
        vec![Need::Settled(self.cluster.clone()), Need::Settled(self.password.clone())]
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        secret::find(client, &secret_name(ctx)).await
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        secret::identity(ctx, raw, name())
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let tag = |key: &str| {
            raw.tags().iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value).unwrap_or_default()
        };
        let current = |name: Name, attribute: &str, found: &str| {
            if names.attribute(&name, attribute) == Some(found) { name } else { Name::foreign(found) }
        };
        Ok(State::Settled(Self {
            secret_name: raw.name().unwrap_or_default().to_owned(),
            cluster: current(cluster::name(), "endpoint", tag(ENDPOINT)),
            password: current(secret::name(), "version", tag(PASSWORD_VERSION)),
            login: tag(LOGIN).to_owned(),
        }))
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let (value, facts) = (self.value(&client, &names).await?, self.facts(&names)?);
        secret::make(&client, &ctx, &self.name(), &self.secret_name, &value, &facts).await
    }

    async fn adopt(&self, id: String, Call { ctx, client, .. }: Call<Client>) -> Result<()> {
        secret::take_over(&client, &id, &ctx, &self.name()).await
    }

    async fn update(self, _: Self, id: String, Call { client, names, .. }: Call<Client>) -> Result<Made> {
        let (value, facts) = (self.value(&client, &names).await?, self.facts(&names)?);
        let tags =
            facts.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
        secret::change(&client, &id, &value, tags).await
    }

    async fn delete(id: String, _: Option<Self>, Call { ctx, client, .. }: Call<Client>) -> Result<Gone> {
        secret::delete(id, &ctx, &client).await
    }
}
