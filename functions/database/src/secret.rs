//! The master user's password. Its value is made by Secrets Manager and never a field.

use aws::failed;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SecretListEntry, Tag};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, DataPolicy, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

/// Length of a password: letters and digits, so that a URL needs no escapes.
const LENGTH: i64 = 32;
/// For how long a deleted secret can be brought back, in days: the shortest that AWS has.
const RECOVERY_DAYS: i64 = 7;

/// The secret with the plain password. Its version is an attribute, and a field of those who use it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Password {
    /// `{app}/{env}/database-password`.
    pub secret_name: String,
}

/// `secret/database-password`.
pub fn name() -> Name {
    Name::new(Password::KIND, "database-password")
}

impl Password {
    /// The password of a stack.
    pub fn of(ctx: &Context) -> Self {
        Self { secret_name: secret_name(ctx) }
    }
}

fn secret_name(ctx: &Context) -> String {
    format!("{}/{}/database-password", ctx.app, ctx.environment)
}

/// What both secrets' kinds may do.
pub(crate) fn permissions(scope: &Scope) -> Vec<Permission> {
    let secrets = scope.arn("secretsmanager", &format!("secret:{}/*", scope.app));
    let actions = [
        "secretsmanager:CreateSecret",
        "secretsmanager:DeleteSecret",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:RestoreSecret",
        "secretsmanager:TagResource",
    ];
    vec![
        Permission::on(&actions, [secrets]),
        Permission::unscoped(
            &["secretsmanager:GetRandomPassword", "secretsmanager:ListSecrets"],
            "these actions take no resource",
        ),
    ]
}

/// The secrets whose names begin with `name`. Those scheduled for deletion are not listed.
pub(crate) async fn list(client: &Client, secret_name: &str) -> Result<Vec<SecretListEntry>> {
    let by_name = Filter::builder().key(FilterNameStringType::Name).values(secret_name).build();
    let pages = client.list_secrets().filters(by_name).into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("secretsmanager:ListSecrets"))?;
    let all = pages.into_iter().flat_map(|page| page.secret_list.unwrap_or_default());
    Ok(all.filter(|entry| entry.name() == Some(secret_name) && entry.deleted_date().is_none()).collect())
}

/// The version that is current.
pub(crate) fn current_version(entry: &SecretListEntry) -> Option<String> {
    let stages = entry.secret_versions_to_stages()?;
    stages.iter().find(|(_, stages)| stages.iter().any(|stage| stage == "AWSCURRENT")).map(|(version, _)| version.clone())
}

pub(crate) fn owned(ctx: &Context, entry: &SecretListEntry) -> Option<Name> {
    ctx.owned(entry.tags().iter().map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default())))
}

/// Makes a secret, or brings back one that is scheduled for deletion and gives it the new value
/// (aws-facts.md section 2, row 13). Answers ARN and version.
pub(crate) async fn put(
    client: &Client,
    ctx: &Context,
    name: &Name,
    secret_name: &str,
    value: &str,
    more: &[(&str, &str)],
) -> Result<(String, String)> {
    let more = more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let tags: Vec<Tag> =
        ctx.tags(name).into_iter().chain(more).map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let create = client
        .create_secret()
        .name(secret_name)
        .secret_string(value)
        .client_request_token(ctx.token(name))
        .set_tags(Some(tags.clone()))
        .send()
        .await
        .map_err(failed("secretsmanager:CreateSecret"));
    match create {
        Ok(made) => Ok((made.arn().unwrap_or_default().to_owned(), made.version_id().unwrap_or_default().to_owned())),
        Err(error) if error.message.contains("scheduled for deletion") => {
            let restore = client.restore_secret().secret_id(secret_name).send().await;
            let arn = restore.map_err(failed("secretsmanager:RestoreSecret"))?.arn().unwrap_or_default().to_owned();
            let tag = client.tag_resource().secret_id(secret_name).set_tags(Some(tags)).send().await;
            tag.map_err(failed("secretsmanager:TagResource"))?;
            let put = client.put_secret_value().secret_id(secret_name).secret_string(value).send().await;
            let put = put.map_err(failed("secretsmanager:PutSecretValue"))?;
            Ok((arn, put.version_id().unwrap_or_default().to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// A new password, made by AWS.
async fn random(client: &Client) -> Result<String> {
    let random = client.get_random_password().password_length(LENGTH).exclude_punctuation(true).include_space(false).send().await;
    let random = random.map_err(failed("secretsmanager:GetRandomPassword"))?;
    random.random_password().map(str::to_owned).ok_or_else(|| Error::missing_field("random password", "a value"))
}

/// The current value of the password, for those who hand it on within AWS.
pub(crate) async fn value(client: &Client, ids: &Names) -> Result<String> {
    let get = client.get_secret_value().secret_id(ids.need(&name())?).version_id(ids.need_attribute(&name(), "version")?);
    let value = get.send().await.map_err(failed("secretsmanager:GetSecretValue"))?;
    value.secret_string().map(str::to_owned).ok_or_else(|| Error::missing_field("secret", "a text"))
}

pub(crate) async fn delete(id: String, ctx: &Context, client: &Client) -> Result<Gone> {
    let delete = client.delete_secret().secret_id(id);
    // With consent it goes at once, and its name is free again.
    let delete = if ctx.options.data == DataPolicy::Delete {
        delete.force_delete_without_recovery(true)
    } else {
        delete.recovery_window_in_days(RECOVERY_DAYS)
    };
    match delete.send().await.map_err(failed("secretsmanager:DeleteSecret")) {
        Ok(_) => Ok(Gone::Now),
        Err(error) if error.kind == ErrorKind::Missing || error.message.contains("scheduled for deletion") => Ok(Gone::Now),
        Err(error) => Err(error),
    }
}

impl Resource for Password {
    type Client = Client;
    type Raw = SecretListEntry;

    const KIND: &'static str = "secret";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        permissions(scope)
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<SecretListEntry>> {
        list(client, &secret_name(ctx)).await
    }

    fn identify(ctx: &Context, raw: &SecretListEntry, _: &Names) -> Option<Identity> {
        let id = raw.arn()?;
        let identity = if owned(ctx, raw) == Some(name()) { Identity::ours(name(), id) } else { Identity::theirs(name(), id) };
        Some(identity.with("version", current_version(raw).unwrap_or_default()))
    }

    fn read(raw: SecretListEntry, _: &Names) -> Result<State<Self>> {
        Ok(State::Settled(Self { secret_name: raw.name().unwrap_or_default().to_owned() }))
    }

    async fn create(self, ctx: Context, client: Client, _: Names) -> Result<Made> {
        let value = random(&client).await?;
        let (arn, version) = put(&client, &ctx, &self.name(), &self.secret_name, &value, &[]).await?;
        Ok(Made::settled(arn).with("version", version))
    }

    async fn update(self, _: Self, _: String, _: Context, _: Client, _: Names) -> Result<Made> {
        Err(Error::internal("a secret changes by its version alone"))
    }

    async fn delete(id: String, _: Option<Self>, ctx: Context, client: Client, _: Names) -> Result<Gone> {
        delete(id, &ctx, &client).await
    }
}
