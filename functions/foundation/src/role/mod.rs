//! Roles: what the tasks and the flow log of a stack may do, each within the permissions boundary, and what the
//! parts of the engine may do, which the installer makes.

mod wanted;

use aws::{failed, gone};
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{Role as RawRole, Tag};
use serde::Serialize;
use serde_json::Value;
use statemachine::error::Optional as _;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

use crate::policy::normalized;

pub use wanted::of_stack;

/// The name of each role's one inline policy.
const POLICY: &str = "stepstack";

/// A role with its one inline policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Role {
    /// `execution`, `task`, `flow-log`; of the engine `network`, `states`.
    pub what: String,
    /// For people. `None` where it is not compared, see [`Extent::TrustAndPolicy`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who may assume it.
    pub trust: Value,
    /// What it may do; `None` while it has none.
    pub policy: Option<Value>,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
}

/// `role/task`.
pub fn name(what: &str) -> Name {
    resource::role(what)
}
use percent_encoding::percent_decode_str;

/// IAM, and where the roles stand.
#[derive(Clone, Debug)]
pub struct Roles {
    /// The client.
    pub iam: Client,
    /// The path: every role under it is looked at.
    pub path: String,
    /// What comes before [`Role::what`] in a role's name in AWS.
    pub prefix: String,
    /// What of a role is compared and changed.
    pub extent: Extent,
}

/// What of a role is compared and changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it, down to policies that somebody has attached.
    Whole,
    /// Trust and inline policy: the leave of whoever installs an engine reaches no further. The description,
    /// `about` and the role's `what`, is given once, when the role is made.
    TrustAndPolicy {
        /// How the description begins.
        about: String,
    },
}

impl Roles {
    /// The roles of a stack.
    pub fn of_stack(iam: &Client, ctx: &Context) -> Self {
        let names = ctx.aws_names();
        Self { iam: iam.clone(), path: names.role_path(), prefix: names.role(""), extent: Extent::Whole }
    }

    fn description(&self, role: &Role) -> Option<String> {
        match &self.extent {
            Extent::Whole => role.description.clone(),
            Extent::TrustAndPolicy { about } => Some(format!("{about}: {}", role.what)),
        }
    }
}

/// A role with what ListRoles leaves out, and without what is not compared.
pub struct Raw {
    what: String,
    role: RawRole,
    description: Option<String>,
    boundary: Option<String>,
    policy: Option<Value>,
}

impl Resource for Role {
    type Client = Roles;
    type Raw = Raw;

    const KIND: &'static str = resource::kind::ROLE;
    const ADOPTABLE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        // The last part keeps the engine's own roles out, which share the path's beginning.
        let every = scope.every_stack();
        let roles = scope.global("iam", &format!("role{}{}", every.role_path(), every.prefix()));
        // Without the boundary, CreateRole and PutRolePolicy on a prefix amount to administrator.
        let bounded = [
            "iam:CreateRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
        ];
        // These have no condition on the boundary: with one, IAM would never grant them.
        let unbounded = [
            "iam:DeleteRole",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:TagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
        ];
        vec![
            Permission::unscoped(&["iam:ListRoles"], "the listing goes by a path and takes no resource"),
            Permission::on(&bounded, [roles.clone()]).when(
                "StringEquals",
                "iam:PermissionsBoundary",
                [scope.boundary()],
            ),
            Permission::on(&unbounded, [roles]),
        ]
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(_: &Context, client: &Roles, _: &Names) -> Result<Vec<Raw>> {
        let pages = client.iam.list_roles().path_prefix(&client.path).into_paginator().items().send();
        let listed = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("iam:ListRoles"))?;
        // ListRoles leaves out tags, boundary and policies.
        futures_util::future::try_join_all(listed.iter().map(|role| describe(client, role.role_name())))
            .await
            .map(|roles| roles.into_iter().flatten().collect())
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let tags = raw.role.tags().iter().map(|tag| (tag.key(), tag.value()));
        let id = raw.role.role_name();
        let identity = match ctx.owned(tags) {
            Some(name) if name.what() == raw.what => Identity::ours(name, id),
            _ => Identity::theirs(name(&raw.what), id),
        };
        Some(identity.with("arn", raw.role.arn()))
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        let Raw { what, role, description, boundary, policy } = raw;
        let trust = role.assume_role_policy_document().unwrap_or("{}");
        Ok(State::Settled(Self { what, description, trust: normalized(document(trust)?), policy, boundary }))
    }

    async fn create(self, Call { ctx, client, .. }: Call<Roles>) -> Result<Made> {
        let role_name = format!("{}{}", client.prefix, self.what);
        let create = client
            .iam
            .create_role()
            .role_name(&role_name)
            .path(&client.path)
            .set_description(client.description(&self))
            .assume_role_policy_document(self.trust.to_string())
            .set_permissions_boundary(self.boundary.clone())
            .set_tags(Some(tags(&ctx, &self.name())?));
        let role = match create.send().await.map_err(failed("iam:CreateRole")) {
            // An earlier call got through without our hearing of it: the next look says whose it is. One that
            // stands elsewhere would never be seen by it.
            Err(error) if error.kind == ErrorKind::Exists && !is_elsewhere(&client, &role_name).await => {
                return Ok(Made::started(role_name));
            }
            other => other?,
        };
        let arn = role.role().map(RawRole::arn).unwrap_or_default().to_owned();
        // A role without its policy is a difference that the next look finds.
        match put_policy(&client.iam, &role_name, self.policy.as_ref()).await {
            Ok(()) => Ok(Made::settled(role_name).with("arn", arn)),
            Err(error) if error.kind == ErrorKind::Denied => Err(error),
            Err(_) => Ok(Made::started(role_name).with("arn", arn)),
        }
    }

    async fn adopt(&self, id: String, Call { ctx, client, .. }: Call<Roles>) -> Result<()> {
        let tag = client.iam.tag_role().role_name(id).set_tags(Some(tags(&ctx, &self.name())?)).send().await;
        tag.map_err(failed("iam:TagRole"))?;
        Ok(())
    }

    async fn update(self, now: Self, id: String, Call { client, .. }: Call<Roles>) -> Result<Made> {
        let client = client.iam;
        let Self { what: _, description, trust, policy, boundary } = &self;
        if let Some(boundary) = boundary.as_ref().filter(|boundary| now.boundary.as_ref() != Some(boundary)) {
            let put = client
                .put_role_permissions_boundary()
                .role_name(&id)
                .permissions_boundary(boundary)
                .send()
                .await;
            put.map_err(failed("iam:PutRolePermissionsBoundary"))?;
        }
        if *trust != now.trust {
            let update = client
                .update_assume_role_policy()
                .role_name(&id)
                .policy_document(trust.to_string())
                .send()
                .await;
            update.map_err(failed("iam:UpdateAssumeRolePolicy"))?;
        }
        if let Some(description) = description.as_ref().filter(|_| *description != now.description) {
            let update = client.update_role().role_name(&id).description(description).send().await;
            update.map_err(failed("iam:UpdateRole"))?;
        }
        if *policy != now.policy {
            put_policy(&client, &id, policy.as_ref()).await?;
        }
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client: roles, .. }: Call<Roles>) -> Result<Gone> {
        let client = &roles.iam;
        let policies = client.list_role_policies().role_name(&id).into_paginator().items().send();
        let policies = policies
            .collect::<Result<Vec<_>, _>>()
            .await
            .map_err(failed("iam:ListRolePolicies"))
            .optional()?;
        let Some(policies) = policies else { return Ok(Gone::Now) };
        for policy in policies {
            let delete = client.delete_role_policy().role_name(&id).policy_name(policy).send().await;
            delete.map_err(failed("iam:DeleteRolePolicy")).optional()?;
        }
        match roles.extent {
            Extent::Whole => detach_all(client, &id).await?,
            Extent::TrustAndPolicy { .. } => {}
        }
        gone(client.delete_role().role_name(id).send().await.map_err(failed("iam:DeleteRole")), Gone::Now)
    }
}

/// Our tags, in IAM's form.
pub fn tags(ctx: &Context, name: &Name) -> Result<Vec<Tag>> {
    let tags = ctx.tags(name).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>().map_err(|error| Error::internal(error.to_string()))
}

/// Takes off the policies that somebody has attached: a role that has any cannot be deleted.
async fn detach_all(client: &Client, id: &str) -> Result<()> {
    let attached = client.list_attached_role_policies().role_name(id).into_paginator().items().send();
    let attached =
        attached.collect::<Result<Vec<_>, _>>().await.map_err(failed("iam:ListAttachedRolePolicies"))?;
    for arn in attached.iter().filter_map(|policy| policy.policy_arn()) {
        let detach = client.detach_role_policy().role_name(id).policy_arn(arn).send().await;
        detach.map_err(failed("iam:DetachRolePolicy")).optional()?;
    }
    Ok(())
}

/// Whether the role of this name stands elsewhere: under another path, which our leave may not reach.
async fn is_elsewhere(client: &Roles, role_name: &str) -> bool {
    let found = client.iam.get_role().role_name(role_name).send().await;
    match found.map_err(failed("iam:GetRole")) {
        Ok(found) => found.role().is_some_and(|role| role.path() != client.path),
        Err(error) => error.kind == ErrorKind::Denied,
    }
}

async fn describe(client: &Roles, role_name: &str) -> Result<Option<Raw>> {
    let Some(what) = role_name.strip_prefix(&client.prefix) else { return Ok(None) };
    let role = async {
        client.iam.get_role().role_name(role_name).send().await.map_err(failed("iam:GetRole")).optional()
    };
    let policy = async {
        let get = client.iam.get_role_policy().role_name(role_name).policy_name(POLICY).send().await;
        get.map_err(failed("iam:GetRolePolicy")).optional()
    };
    let (role, policy) = futures_util::future::try_join(role, policy).await?;
    let Some(role) = role.and_then(|answer| answer.role) else { return Ok(None) };
    let policy = policy.map(|policy| document(policy.policy_document()).map(normalized)).transpose()?;
    let (description, boundary) = match client.extent {
        Extent::Whole => (Some(role.description().unwrap_or_default()), role.permissions_boundary()),
        Extent::TrustAndPolicy { .. } => (None, None),
    };
    Ok(Some(Raw {
        what: what.to_owned(),
        description: description.map(str::to_owned),
        boundary: boundary.and_then(|boundary| boundary.permissions_boundary_arn()).map(str::to_owned),
        policy,
        role,
    }))
}

async fn put_policy(client: &Client, role_name: &str, policy: Option<&Value>) -> Result<()> {
    let Some(policy) = policy else { return Ok(()) };
    let put =
        client.put_role_policy().role_name(role_name).policy_name(POLICY).policy_document(policy.to_string());
    put.send().await.map_err(failed("iam:PutRolePolicy"))?;
    Ok(())
}

/// A policy document as IAM returns it: JSON, percent-encoded (RFC 3986).
pub fn document(text: &str) -> Result<Value> {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::internal(format!("IAM returned a policy document that is no JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_comes_back_from_iam_as_it_was_put() {
        let want = json!({ "Statement": [{ "Principal": { "Service": "ecs-tasks.amazonaws.com" } }] });
        let encoded: Vec<String> = want.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(document(&encoded.concat()).expect("a document"), want);
        assert_eq!(document(&want.to_string()).expect("a document"), want);
        assert!(document("%zz").is_err());
    }
}
