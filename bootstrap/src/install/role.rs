//! The engine's roles: one per function, `states` for the state machine, `events` for the rules. They stand
//! under a path of their own, and only the installer makes them, with the user's credentials.

use foundation::policy::normalized;
use foundation::role::{Extent, Role, Roles};
use serde_json::Value;
use statemachine::permission::{Permission, Scope};

use super::policy;

/// The role of a function, of `states` or of `events`.
pub fn wanted(scope: &Scope, part: &str) -> Role {
    let service = match part {
        "states" => "states.amazonaws.com",
        "events" => "events.amazonaws.com",
        _ => "lambda.amazonaws.com",
    };
    with(part, policy::trust(service, &scope.account), policy::of(scope, part))
}

/// A role of the engine that is trusted and may do this.
pub(super) fn with(what: &str, trust: Value, policy: Value) -> Role {
    Role {
        what: what.to_owned(),
        description: None,
        trust: normalized(trust),
        policy: Some(normalized(policy)),
        boundary: None,
    }
}

/// Where they stand.
pub(super) fn place(iam: &aws_sdk_iam::Client, scope: &Scope) -> Roles {
    Roles {
        iam: iam.clone(),
        path: scope.engine_path(),
        prefix: scope.engine_role(""),
        extent: Extent::TrustAndPolicy { about: format!("Stepstack's engine of {}", scope.app) },
    }
}

/// What making them, changing them, passing them on and removing them needs.
pub(super) fn permissions(scope: &Scope) -> Vec<Permission> {
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
