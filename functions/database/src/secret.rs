//! The master user's password. Its value is made by Secrets Manager and never a field.

use aws::{failed, gone};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput as Raw;
use aws_sdk_secretsmanager::types::Tag;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use statemachine::error::{Optional as _, required};
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, DataPolicy, Gone, Identity, Made, Name, Names, Need, Resource, State, hex,
};
use statemachine::{Error, ErrorKind, Result};

use crate::tags::{ROTATION, data_of_part};

/// Length of a password: letters and digits, so that a URL needs no escapes.
const LENGTH: i64 = 32;
/// For how long a deleted secret can be brought back, in days: the shortest that AWS has.
const RECOVERY_DAYS: i64 = 7;

/// The secret with the plain password. Its version is an attribute, and a field of those who use it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Password {
    /// `{app}/{env}/database-password`.
    pub secret_name: String,
    /// The run of the newest rotation, where there was one. Another run is another password; an earlier one,
    /// or none, is the password before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<String>,
}

/// `secret/database-password`.
pub fn name() -> Name {
    resource::database_password()
}

impl Password {
    /// The password of a stack.
    pub fn of(ctx: &Context, rotation: Option<String>) -> Self {
        Self { secret_name: secret_name(ctx), rotation }
    }

    /// The version that a rotation makes: it is the call's token, so however often the call is repeated, by
    /// whichever run, there is one.
    fn version(&self, rotation: &str) -> String {
        hex(&Sha256::digest(format!("{}/{rotation}", self.secret_name)))[..32].to_owned()
    }

    /// The next password. Its value goes from Secrets Manager to Secrets Manager.
    async fn rotate(&self, client: &Client, id: &str, rotation: &str) -> Result<String> {
        let version = self.version(rotation);
        let put = client
            .put_secret_value()
            .secret_id(id)
            .client_request_token(&version)
            .secret_string(random(client).await?)
            .send()
            .await;
        match put.map_err(failed("secretsmanager:PutSecretValue")) {
            Ok(_) => Ok(version),
            // An earlier try made this version, with a value of its own.
            Err(error) if error.kind == ErrorKind::Exists => Ok(version),
            Err(error) => Err(error),
        }
    }

    /// The password before a rotation that failed. Repeating it changes nothing: it moves the label only away
    /// from that rotation's version.
    async fn go_back(&self, client: &Client, id: &str, from: Option<&String>) -> Result<String> {
        let found = required(describe(client, id).await?, "secret", "anything")?;
        let current = current_version(&found).unwrap_or_default();
        if from.is_none_or(|from| self.version(from) != current) {
            return Ok(current);
        }
        let stages = found.version_ids_to_stages();
        let previous =
            stages.into_iter().flatten().find(|(_, stages)| stages.iter().any(|one| one == "AWSPREVIOUS"));
        let Some((previous, _)) = previous else {
            let message = format!("The secret {} has no earlier version to go back to.", self.secret_name);
            return Err(Error::new(ErrorKind::Invalid, message));
        };
        let update = client
            .update_secret_version_stage()
            .secret_id(id)
            .version_stage("AWSCURRENT")
            .move_to_version_id(previous)
            .remove_from_version_id(current);
        update.send().await.map_err(failed("secretsmanager:UpdateSecretVersionStage"))?;
        Ok(previous.clone())
    }
}

fn secret_name(ctx: &Context) -> String {
    ctx.aws_names().secret("database-password")
}

/// The secret of this name; one that is scheduled for deletion counts as absent.
pub(crate) async fn find(client: &Client, secret_name: &str) -> Result<Vec<Raw>> {
    let found = describe(client, secret_name).await?;
    Ok(found.into_iter().filter(|secret| secret.deleted_date().is_none()).collect())
}

/// DescribeSecret and not ListSecrets: the listing lags behind, and takes no resource in a policy.
async fn describe(client: &Client, secret_name: &str) -> Result<Option<Raw>> {
    let found = client.describe_secret().secret_id(secret_name).send().await;
    found.map_err(failed("secretsmanager:DescribeSecret")).optional()
}

/// The version that is current.
pub(crate) fn current_version(raw: &Raw) -> Option<String> {
    let stages = raw.version_ids_to_stages()?;
    let current = stages.iter().find(|(_, stages)| stages.iter().any(|stage| stage == "AWSCURRENT"));
    current.map(|(version, _)| version.clone())
}

/// Whose it is, with its current version as an attribute.
pub(crate) fn identity(ctx: &Context, raw: &Raw, name: Name) -> Option<Identity> {
    let id = raw.arn()?;
    let ours = owned(ctx, raw).as_ref() == Some(&name);
    let identity = if ours { Identity::ours(name, id) } else { Identity::theirs(name, id) };
    Some(identity.with("version", current_version(raw).unwrap_or_default()))
}

fn owned(ctx: &Context, raw: &Raw) -> Option<Name> {
    ctx.owned(raw.tags().iter().map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default())))
}

/// Makes a secret, or brings back one of ours that is scheduled for deletion and gives it the new value
/// (aws-facts.md section 2, row 13).
pub(crate) async fn make(
    client: &Client,
    ctx: &Context,
    name: &Name,
    secret_name: &str,
    value: &str,
    more: &[(&str, String)],
) -> Result<Made> {
    let more = more.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    let tags = ctx.tags(name).into_iter().chain(more);
    let tags: Vec<Tag> = tags.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
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
        Ok(made) => Ok(Made::settled(made.arn().unwrap_or_default())
            .with("version", made.version_id().unwrap_or_default())),
        Err(error) if is_scheduled_for_deletion(&error) => {
            bring_back(client, ctx, name, secret_name).await?;
            change(client, secret_name, value, tags).await
        }
        // An earlier call got through without our hearing of it: the next look says whose it is.
        Err(error) if error.kind == ErrorKind::Exists => Ok(Made::started(secret_name)),
        Err(error) => Err(error),
    }
}

/// A new value for a secret, and then the tags that say what is in it: tags that say more than the value holds
/// would hide the difference from the next look.
pub(crate) async fn change(client: &Client, id: &str, value: &str, tags: Vec<Tag>) -> Result<Made> {
    let put = client.put_secret_value().secret_id(id).secret_string(value).send().await;
    let put = put.map_err(failed("secretsmanager:PutSecretValue"))?;
    let tag = client.tag_resource().secret_id(id).set_tags(Some(tags)).send().await;
    tag.map_err(failed("secretsmanager:TagResource"))?;
    Ok(Made::settled(put.arn().unwrap_or(id)).with("version", put.version_id().unwrap_or_default()))
}

/// Puts our tags on a secret of somebody else's. Its value stays, and is ours from then on.
pub(crate) async fn take_over(client: &Client, id: &str, ctx: &Context, name: &Name) -> Result<()> {
    let tags = ctx.tags(name).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let tag = client.tag_resource().secret_id(id).set_tags(Some(tags.collect())).send().await;
    tag.map_err(failed("secretsmanager:TagResource"))?;
    Ok(())
}

async fn bring_back(client: &Client, ctx: &Context, name: &Name, secret_name: &str) -> Result<()> {
    let Some(found) = describe(client, secret_name).await? else {
        return Err(Error::not_ready(format!(
            "The secret {secret_name} is still being deleted, and its name not free yet."
        )));
    };
    if owned(ctx, &found).as_ref() != Some(name) {
        let message = format!(
            "The secret {secret_name} is scheduled for deletion and is not this stack's. Delete it for good, or wait until AWS does."
        );
        return Err(Error::new(ErrorKind::Exists, message));
    }
    let restore = client.restore_secret().secret_id(secret_name).send().await;
    restore.map_err(failed("secretsmanager:RestoreSecret"))?;
    Ok(())
}

fn is_scheduled_for_deletion(error: &Error) -> bool {
    error.message.contains("scheduled for deletion") || error.message.contains("marked for deletion")
}

/// A new password, made by AWS.
async fn random(client: &Client) -> Result<String> {
    let random = client
        .get_random_password()
        .password_length(LENGTH)
        .exclude_punctuation(true)
        .include_space(false)
        .send()
        .await;
    let random = random.map_err(failed("secretsmanager:GetRandomPassword"))?;
    required(random.random_password().map(str::to_owned), "random password", "a value")
}

/// The current value of the password, for those who hand it on within AWS.
pub(crate) async fn value(client: &Client, names: &Names) -> Result<String> {
    let get = client
        .get_secret_value()
        .secret_id(names.need(&name())?)
        .version_id(names.need_attribute(&name(), "version")?);
    let value = get.send().await.map_err(failed("secretsmanager:GetSecretValue"))?;
    required(value.secret_string().map(str::to_owned), "secret", "a text")
}

/// Schedules a secret's deletion; with consent it goes at once, and its name is free again.
pub(crate) async fn delete(id: String, ctx: &Context, client: &Client) -> Result<Gone> {
    let delete = client.delete_secret().secret_id(id);
    let delete = match ctx.options.data {
        DataPolicy::Delete => delete.force_delete_without_recovery(true),
        DataPolicy::Refuse | DataPolicy::Snapshot | DataPolicy::Keep => {
            delete.recovery_window_in_days(RECOVERY_DAYS)
        }
    };
    match delete.send().await.map_err(failed("secretsmanager:DeleteSecret")) {
        Err(error) if is_scheduled_for_deletion(&error) => Ok(Gone::Now),
        other => gone(other, Gone::Now),
    }
}

impl Resource for Password {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = resource::kind::SECRET;
    const ADOPTABLE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let secrets =
            scope.arn("secretsmanager", &format!("secret:{}", scope.every_stack().secret("database-*")));
        let actions = [
            "secretsmanager:CreateSecret",
            "secretsmanager:DeleteSecret",
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:RestoreSecret",
            "secretsmanager:TagResource",
            "secretsmanager:UntagResource",
            "secretsmanager:UpdateSecretVersionStage",
        ];
        vec![
            Permission::on(&actions, [secrets]),
            Permission::unscoped(
                &["secretsmanager:GetRandomPassword"],
                "it makes a text and takes no resource",
            ),
        ]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        find(client, &secret_name(ctx)).await
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        Some(Identity { data: data_of_part(ctx), ..identity(ctx, raw, name())? })
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        let rotation = raw.tags().iter().find(|tag| tag.key() == Some(ROTATION)).and_then(Tag::value);
        let secret_name = raw.name().unwrap_or_default().to_owned();
        Ok(State::Settled(Self { secret_name, rotation: rotation.map(str::to_owned) }))
    }

    async fn create(self, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        let value = random(&client).await?;
        let rotation: Vec<(&str, String)> = self.rotation.iter().map(|run| (ROTATION, run.clone())).collect();
        make(&client, &ctx, &self.name(), &self.secret_name, &value, &rotation).await
    }

    async fn adopt(&self, id: String, Call { ctx, client, .. }: Call<Client>) -> Result<()> {
        take_over(&client, &id, &ctx, &self.name()).await
    }

    async fn update(self, now: Self, id: String, Call { client, .. }: Call<Client>) -> Result<Made> {
        // Ids of runs begin with the time, so the later of two is the greater.
        let version = match &self.rotation {
            Some(rotation) if now.rotation.as_ref().is_none_or(|found| rotation > found) => {
                self.rotate(&client, &id, rotation).await?
            }
            Some(_) | None => self.go_back(&client, &id, now.rotation.as_ref()).await?,
        };
        // The tag says what is done, so it comes after it.
        if let Some(rotation) = &self.rotation {
            let tag = Tag::builder().key(ROTATION).value(rotation).build();
            let tag = client.tag_resource().secret_id(&id).tags(tag).send().await;
            tag.map_err(failed("secretsmanager:TagResource"))?;
        } else {
            let untag = client.untag_resource().secret_id(&id).tag_keys(ROTATION).send().await;
            untag.map_err(failed("secretsmanager:UntagResource"))?;
        }
        Ok(Made::settled(id).with("version", version))
    }

    async fn delete(id: String, _: Option<Self>, Call { ctx, client, .. }: Call<Client>) -> Result<Gone> {
        delete(id, &ctx, &client).await
    }
}
