//! Every policy of an engine, for people to read.

use serde_json::Value;
use statemachine::definition::FUNCTIONS;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::Resource as _;

use super::boundary::Boundary;
use super::function::Function;
use super::service_linked_role::ServiceLinkedRole;
use super::state_machine::StateMachine;
use super::{bucket, event_rule, github, log_group, policy, role};

/// Every policy of an app's engine, by role: the functions', `states`, `events`, the `boundary` of stack
/// roles, and what the `installer` itself needs. For `bootstrap --print-policies`.
pub fn policies(scope: &Scope) -> Vec<(String, Value)> {
    let parts = FUNCTIONS.iter().chain(&["states", "events"]);
    let roles = parts.map(|part| (scope.engine_role(part), policy::of(scope, part)));
    let others = [
        ("boundary", policy::boundary(scope)),
        ("github", github::may(scope)),
        ("installer", policy::document(installer(scope))),
    ];
    roles.chain(others.map(|(name, policy)| (name.to_owned(), policy))).collect()
}

/// What the person or program that installs needs.
fn installer(scope: &Scope) -> Vec<Permission> {
    [
        bucket::permissions(scope),
        Boundary::permissions(scope),
        ServiceLinkedRole::permissions(scope),
        role::permissions(scope),
        log_group::permissions(scope),
        Function::permissions(scope),
        StateMachine::permissions(scope),
        event_rule::permissions(scope),
        github::OidcProvider::permissions(scope),
    ]
    .concat()
}
