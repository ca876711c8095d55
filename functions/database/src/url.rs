//! The secret with the whole database URL. What it was made of stands in its tags, so that drift shows
//! without reading it.

use aws::failed;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::{SecretListEntry, Tag};
use serde::Serialize;
use statemachine::config::Database;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

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

/// `secret-url/database-url`: a kind of its own, as it follows the cluster.
pub fn name() -> Name {
    Name::new(DatabaseUrl::KIND, "database-url")
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
    async fn value(&self, client: &Client, ids: &Names) -> Result<String> {
        let (user, database) = self.login.split_once('@').ok_or_else(|| Error::internal("a login has an @"))?;
        let password = secret::value(client, ids).await?;
        let (endpoint, port) = (self.endpoint(ids)?, ids.need_attribute(&self.cluster, "port")?);
        Ok(format!("postgresql://{user}:{password}@{endpoint}:{port}/{database}"))
    }

    fn endpoint(&self, ids: &Names) -> Result<String> {
        let endpoint = ids.attribute(&self.cluster, "endpoint").filter(|endpoint| !endpoint.is_empty());
        endpoint.map(str::to_owned).ok_or_else(|| Error::not_ready("the cluster has no endpoint yet"))
    }

    fn facts(&self, ids: &Names) -> Result<[(&'static str, String); 3]> {
        let version = ids.need_attribute(&self.password, "version")?;
        Ok([(PASSWORD_VERSION, version), (ENDPOINT, self.endpoint(ids)?), (LOGIN, self.login.clone())])
    }
}

fn secret_name(ctx: &Context) -> String {
    format!("{}/{}/database-url", ctx.app, ctx.environment)
}

impl Resource for DatabaseUrl {
    type Client = Client;
    type Raw = SecretListEntry;

    const KIND: &'static str = "secret-url";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        secret::permissions(scope)
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(self.cluster.clone()), Need::Settled(self.password.clone())]
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<SecretListEntry>> {
        secret::list(client, &secret_name(ctx)).await
    }

    fn identify(ctx: &Context, raw: &SecretListEntry, _: &Names) -> Option<Identity> {
        let id = raw.arn()?;
        let ours = secret::owned(ctx, raw) == Some(name());
        let identity = if ours { Identity::ours(name(), id) } else { Identity::theirs(name(), id) };
        Some(identity.with("version", secret::current_version(raw).unwrap_or_default()))
    }

    fn read(raw: SecretListEntry, names: &Names) -> Result<State<Self>> {
        let tag = |key: &str| raw.tags().iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value).unwrap_or_default();
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

    async fn create(self, ctx: Context, client: Client, ids: Names) -> Result<Made> {
        let (value, facts) = (self.value(&client, &ids).await?, self.facts(&ids)?);
        let facts: Vec<(&str, &str)> = facts.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let (arn, version) = secret::put(&client, &ctx, &self.name(), &self.secret_name, &value, &facts).await?;
        Ok(Made::settled(arn).with("version", version))
    }

    async fn update(self, _: Self, id: String, _: Context, client: Client, ids: Names) -> Result<Made> {
        // The value goes first: tags that say more than the value holds would hide the difference.
        let value = self.value(&client, &ids).await?;
        let put = client.put_secret_value().secret_id(&id).secret_string(value).send().await;
        let put = put.map_err(failed("secretsmanager:PutSecretValue"))?;
        let tags = self.facts(&ids)?.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
        let tag = client.tag_resource().secret_id(&id).set_tags(Some(tags)).send().await;
        tag.map_err(failed("secretsmanager:TagResource"))?;
        Ok(Made::settled(id).with("version", put.version_id().unwrap_or_default()))
    }

    async fn delete(id: String, _: Option<Self>, ctx: Context, client: Client, _: Names) -> Result<Gone> {
        secret::delete(id, &ctx, &client).await
    }
}
