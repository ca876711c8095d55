//! The engine's roles: one per function, `states` for the state machine, `events` for the rules. They stand
//! under a path of their own, and only the installer makes them, with the user's credentials.

use aws::{failed, gone};
use aws_sdk_iam::Client;
use aws_sdk_iam::types::Role as RawRole;
use foundation::role::document;
use futures_util::future::{try_join, try_join_all};
use serde::Serialize;
use serde_json::Value;
use statemachine::error::Optional as _;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{ErrorKind, Result};

use super::{policy, tags};

/// The name of each role's one inline policy.
const POLICY: &str = "stepstack";

/// An engine role with its one inline policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Role {
    /// A function's name, `states` or `events`.
    pub part: String,
    /// Who may assume it.
    pub trust: Value,
    /// What it may do; `None` while it has no policy.
    pub policy: Option<Value>,
}

/// `role/network`.
pub(super) fn name(part: &str) -> Name {
    Name::new(Role::KIND, part)
}

impl Role {
    /// The role of a function, of `states` or of `events`.
    pub fn new(scope: &Scope, part: &str) -> Self {
        let service = match part {
            "states" => "states.amazonaws.com",
            "events" => "events.amazonaws.com",
            _ => "lambda.amazonaws.com",
        };
        Self {
            part: part.to_owned(),
            trust: policy::trust(service, &scope.account),
            policy: Some(policy::of(scope, part)),
        }
    }
}

/// A role and the document of its inline policy.
pub struct Raw {
    role: RawRole,
    policy: Option<Value>,
}

impl Resource for Role {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "role";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let roles = scope.global("iam", &format!("role{}*", scope.engine_path()));
        let actions = [
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListRolePolicies",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UpdateAssumeRolePolicy",
        ];
        let services = ["events.amazonaws.com", "lambda.amazonaws.com", "states.amazonaws.com"];
        vec![
            Permission::on(&actions, [roles.clone()]),
            Permission::unscoped(&["iam:ListRoles"], "the listing goes by a path and takes no resource"),
            Permission::on(&["iam:PassRole"], [roles]).when(
                "StringEquals",
                "iam:PassedToService",
                services.map(str::to_owned),
            ),
        ]
    }

    fn name(&self) -> Name {
        name(&self.part)
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let pages =
            client.list_roles().path_prefix(ctx.scope().engine_path()).into_paginator().items().send();
        let listed = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("iam:ListRoles"))?;
        // ListRoles leaves out tags and policies.
        let described = try_join_all(listed.iter().map(|role| describe(client, role.role_name()))).await?;
        Ok(described.into_iter().flatten().collect())
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.role.role_name();
        let part = id.strip_prefix(&format!("{}-", ctx.scope().engine()))?;
        let owned = ctx.owned(raw.role.tags().iter().map(|tag| (tag.key(), tag.value())));
        let ours = owned == Some(name(part));
        let identity = if ours { Identity::ours(name(part), id) } else { Identity::theirs(name(part), id) };
        Some(identity.with("arn", raw.role.arn()))
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        Ok(State::Settled(Self {
            part: names.name_of(raw.role.role_name()).what().to_owned(),
            trust: document(raw.role.assume_role_policy_document().unwrap_or("null"))?,
            policy: raw.policy,
        }))
    }

    async fn create(self, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        let scope = ctx.scope();
        let role_name = scope.engine_role(&self.part);
        let create = client
            .create_role()
            .role_name(&role_name)
            .path(scope.engine_path())
            .description(format!("Stepstack's engine of {}: {}", ctx.app, self.part))
            .assume_role_policy_document(self.trust.to_string())
            .set_tags(Some(tags::iam(&ctx, &self.name())?));
        create.send().await.map_err(failed("iam:CreateRole"))?;
        let arn = scope.engine_role_arn(&self.part);
        match put_policy(&client, &role_name, self.policy.as_ref()).await {
            Ok(()) => Ok(Made::settled(role_name).with("arn", arn)),
            // A role without its policy is a difference that the next look finds.
            Err(error) if error.kind == ErrorKind::Transient => Ok(Made::started(role_name).with("arn", arn)),
            Err(error) => Err(error),
        }
    }

    async fn update(self, now: Self, id: String, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        if self.trust != now.trust {
            let update = client.update_assume_role_policy().role_name(&id);
            let update = update.policy_document(self.trust.to_string()).send().await;
            update.map_err(failed("iam:UpdateAssumeRolePolicy"))?;
        }
        if self.policy != now.policy {
            put_policy(&client, &id, self.policy.as_ref()).await?;
        }
        let arn = ctx.scope().engine_role_arn(&self.part);
        Ok(Made::settled(id).with("arn", arn))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let policies = client.list_role_policies().role_name(&id).into_paginator().items().send();
        let policies = policies.collect::<Result<Vec<_>, _>>().await;
        let Some(policies) = policies.map_err(failed("iam:ListRolePolicies")).optional()? else {
            return Ok(Gone::Now);
        };
        for policy in policies {
            let delete = client.delete_role_policy().role_name(&id).policy_name(policy).send().await;
            delete.map_err(failed("iam:DeleteRolePolicy")).optional()?;
        }
        gone(client.delete_role().role_name(id).send().await.map_err(failed("iam:DeleteRole")), Gone::Now)
    }
}

async fn describe(client: &Client, role_name: &str) -> Result<Option<Raw>> {
    let role = async {
        client.get_role().role_name(role_name).send().await.map_err(failed("iam:GetRole")).optional()
    };
    let policy = async {
        let get = client.get_role_policy().role_name(role_name).policy_name(POLICY).send().await;
        get.map_err(failed("iam:GetRolePolicy")).optional()
    };
    let (role, policy) = try_join(role, policy).await?;
    let Some(role) = role.and_then(|answer| answer.role) else { return Ok(None) };
    let policy = policy.map(|policy| document(policy.policy_document())).transpose()?;
    Ok(Some(Raw { role, policy }))
}

async fn put_policy(client: &Client, role_name: &str, policy: Option<&Value>) -> Result<()> {
    let Some(policy) = policy else { return Ok(()) };
    let put = client.put_role_policy().role_name(role_name).policy_name(POLICY);
    let put = put.policy_document(policy.to_string()).send().await;
    put.map_err(failed("iam:PutRolePolicy"))?;
    Ok(())
}
