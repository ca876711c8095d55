//! EC2's permissions in three shapes: what is made carries our tag in the request, what is changed or deleted
//! carries it already, and Describe takes no resource. And how many small statements become few.

use std::collections::{BTreeMap, BTreeSet};

use statemachine::permission::{Permission, Scope};

const CREATE_ACTION: &str = "ec2:CreateAction";

/// Which stacks' resources: those of all environments of the app. The slash keeps an app `arive` out of
/// `arive-admin`.
fn stacks(scope: &Scope) -> [String; 1] {
    [scope.every_stack().stack()]
}

/// Describe calls.
pub(crate) fn describe(actions: &[&'static str]) -> Permission {
    Permission::unscoped(actions, "EC2's Describe actions take no resource")
}

/// Making one of `kind` (`subnet`) by `action` (`ec2:CreateSubnet`), with our tags in the same call.
pub(crate) fn create(scope: &Scope, action: &'static str, kind: &str) -> Vec<Permission> {
    let operation = action.split_once(':').map_or(action, |(_, operation)| operation);
    let made = scope.arn("ec2", &format!("{kind}/*"));
    vec![
        Permission::on(&[action], [made.clone()]).when(
            "StringLike",
            "aws:RequestTag/stepstack:stack",
            stacks(scope),
        ),
        Permission::on(&["ec2:CreateTags"], [made]).when(
            "StringEquals",
            CREATE_ACTION,
            [operation.to_owned()],
        ),
    ]
}

/// Doing something to, or with, what is ours already.
pub(crate) fn change(scope: &Scope, actions: &[&'static str], kinds: &[&str]) -> Permission {
    let arns = kinds.iter().map(|kind| scope.arn("ec2", &format!("{kind}/*")));
    Permission::on(actions, arns).when("StringLike", "aws:ResourceTag/stepstack:stack", stacks(scope))
}

/// One statement of all that share their conditions and reason. A role's inline policies may have 10,240
/// characters; one statement per kind and verb has twice as many. An action only ever applies to the kinds of
/// resource that EC2 defines for it, and the condition holds for each of them, so that joined lists grant no
/// more than the single statements. Not so for what is asked of a request's tags: joined, CreateSubnet with our
/// tags would pass in anybody's VPC.
pub(crate) fn merged(permissions: Vec<Permission>) -> Vec<Permission> {
    /// Conditions, reason, and whether it is about tags in a create call.
    type Key = (BTreeMap<&'static str, BTreeMap<String, Vec<String>>>, Option<&'static str>, bool);
    /// Actions, resources, and the create calls.
    type Group = (BTreeSet<&'static str>, BTreeSet<String>, BTreeSet<String>);
    let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
    let (mut alone, together): (Vec<_>, Vec<_>) = permissions.into_iter().partition(asks_for_tags);
    for permission in together {
        let Permission { actions, resources, mut conditions, reason } = permission;
        let made_by = conditions
            .get_mut("StringEquals")
            .and_then(|keys| keys.remove(CREATE_ACTION))
            .unwrap_or_default();
        conditions.retain(|_, keys| !keys.is_empty());
        let group = groups.entry((conditions, reason, made_by.is_empty())).or_default();
        group.0.extend(actions);
        group.1.extend(resources);
        group.2.extend(made_by);
    }
    let join = |((conditions, reason, _), (actions, resources, made_by)): (Key, Group)| {
        let actions = actions.into_iter().collect();
        let permission =
            Permission { actions, resources: resources.into_iter().collect(), conditions, reason };
        if made_by.is_empty() { permission } else { permission.when("StringEquals", CREATE_ACTION, made_by) }
    };
    alone.extend(groups.into_iter().map(join));
    alone
}

fn asks_for_tags(permission: &Permission) -> bool {
    permission.conditions.values().flat_map(BTreeMap::keys).any(|key| key.starts_with("aws:RequestTag/"))
}
