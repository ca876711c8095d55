//! The permissions boundary of stack roles: what they may at most do, whatever their own policies say. A
//! function may create or change a role only with it (security.md).

use aws::{failed, gone};
use aws_sdk_iam::Client;
use aws_sdk_iam::types::Policy as RawPolicy;
use serde::Serialize;
use serde_json::Value;
use statemachine::Result;
use statemachine::error::Optional as _;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};

use super::policy;

/// IAM keeps at most this many versions of a policy.
const MOST_VERSIONS: usize = 5;

/// The managed policy `stepstack-{app}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Boundary {
    /// `stepstack-{app}`
    pub policy_name: String,
    /// Its default version.
    pub policy: Value,
}

/// The policy and the document of its default version.
pub struct Raw {
    policy: RawPolicy,
    document: Value,
}

fn name() -> Name {
    Name::new(Boundary::KIND, "boundary")
}

impl Boundary {
    /// The boundary of an app's stack roles.
    pub fn new(scope: &Scope) -> Self {
        Self { policy_name: scope.engine(), policy: policy::boundary(scope) }
    }
}

impl Resource for Boundary {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "policy";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let actions = [
            "iam:CreatePolicy",
            "iam:CreatePolicyVersion",
            "iam:DeletePolicy",
            "iam:DeletePolicyVersion",
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:ListPolicyVersions",
            "iam:TagPolicy",
        ];
        vec![Permission::on(&actions, [scope.boundary()])]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let arn = ctx.scope().boundary();
        let policy = client.get_policy().policy_arn(&arn).send().await.map_err(failed("iam:GetPolicy"));
        let Some(policy) = policy.optional()?.and_then(|answer| answer.policy) else { return Ok(Vec::new()) };
        let version = policy.default_version_id().unwrap_or("v1");
        let version = client.get_policy_version().policy_arn(&arn).version_id(version).send().await;
        let version = version.map_err(failed("iam:GetPolicyVersion"))?.policy_version;
        let text = version.and_then(|version| version.document).unwrap_or_else(|| "null".to_owned());
        Ok(vec![Raw { policy, document: foundation::role::document(&text)? }])
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.policy.arn()?;
        let owned = ctx.owned(raw.policy.tags().iter().map(|tag| (tag.key(), tag.value())));
        let ours = owned == Some(name()) && id == ctx.scope().boundary();
        Some(if ours { Identity::ours(name(), id) } else { Identity::theirs(name(), id) })
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        let policy_name = raw.policy.policy_name().unwrap_or_default().to_owned();
        Ok(State::Settled(Self { policy_name, policy: raw.document }))
    }

    async fn create(self, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        let create = client
            .create_policy()
            .policy_name(self.policy_name)
            .description("What the roles of this app's stacks may at most do")
            .policy_document(self.policy.to_string())
            .set_tags(Some(foundation::role::tags(&ctx, &name())?));
        create.send().await.map_err(failed("iam:CreatePolicy"))?;
        Ok(Made::settled(ctx.scope().boundary()))
    }

    async fn update(self, _: Self, id: String, Call { client, .. }: Call<Client>) -> Result<Made> {
        let old = versions(&client, &id).await?;
        if let Some(oldest) = old.first().filter(|_| old.len() + 1 >= MOST_VERSIONS) {
            delete_version(&client, &id, oldest).await?;
        }
        let create = client.create_policy_version().policy_arn(&id).set_as_default(true);
        let create = create.policy_document(self.policy.to_string()).send().await;
        create.map_err(failed("iam:CreatePolicyVersion"))?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let Some(old) = versions(&client, &id).await.optional()? else { return Ok(Gone::Now) };
        for version in old {
            delete_version(&client, &id, &version).await?;
        }
        let delete = client.delete_policy().policy_arn(id).send().await;
        gone(delete.map_err(failed("iam:DeletePolicy")), Gone::Now)
    }
}

/// The versions that are not the default, oldest first.
async fn versions(client: &Client, arn: &str) -> Result<Vec<String>> {
    let listed = client.list_policy_versions().policy_arn(arn).into_paginator().items().send();
    let listed = listed.collect::<Result<Vec<_>, _>>().await.map_err(failed("iam:ListPolicyVersions"))?;
    let mut old: Vec<_> = listed.into_iter().filter(|version| !version.is_default_version()).collect();
    old.sort_by_key(|version| version.create_date().map(aws_smithy_types::DateTime::secs));
    Ok(old.into_iter().filter_map(|version| version.version_id).collect())
}

async fn delete_version(client: &Client, arn: &str, version: &str) -> Result<()> {
    let delete = client.delete_policy_version().policy_arn(arn).version_id(version).send().await;
    delete.map_err(failed("iam:DeletePolicyVersion")).optional()?;
    Ok(())
}
