//! The forms that EC2's permissions take: created with our tag, changed and deleted with our tag.

use statemachine::permission::{Permission, Scope};

/// Why EC2's Describe actions stand on `*`.
pub(crate) const DESCRIBE: &str = "EC2's Describe actions take no resource";

/// A create call that must carry the app's tag, and its tagging.
pub(crate) fn tagged_create(scope: &Scope, action: &'static str, create: &str, arn: &str) -> Vec<Permission> {
    vec![
        Permission::on(&[action], [arn.to_owned()]).when("StringLike", "aws:RequestTag/stepstack:stack", [stacks(scope)]),
        Permission::on(&["ec2:CreateTags"], [arn.to_owned()]).when("StringEquals", "ec2:CreateAction", [create.to_owned()]),
    ]
}

/// Actions on what carries the app's tag.
pub(crate) fn owned_by_app(scope: &Scope, actions: &[&'static str], arns: impl IntoIterator<Item = String>) -> Permission {
    Permission::on(actions, arns).when("StringLike", "aws:ResourceTag/stepstack:stack", [stacks(scope)])
}

fn stacks(scope: &Scope) -> String {
    format!("{}/*", scope.app)
}
