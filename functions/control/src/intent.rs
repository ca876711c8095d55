//! What was asked for: the one thing that AWS cannot tell. It stands in the provisioner's bucket.

use statemachine::config::Stack;

/// The hosts of a stack's public services.
pub(crate) fn hosts(stack: &Stack) -> Vec<String> {
    stack.public_services().filter_map(|(_, service)| service.host.clone()).collect()
}

/// The name of a stack's uploads bucket.
pub(crate) fn buckets(stack: &Stack) -> Vec<String> {
    stack.uploads.iter().map(|uploads| uploads.bucket.clone()).collect()
}

/// What is known already, and what is new.
pub(crate) fn joined(new: Vec<String>, known: &[String]) -> Vec<String> {
    let old = known.iter().filter(|name| !new.contains(name)).cloned().collect::<Vec<_>>();
    new.into_iter().chain(old).collect()
}
