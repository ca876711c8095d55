//! A person at the console.

use serde_json::Value;

/// A call of AWS.
pub(super) struct Call {
    pub(super) service: &'static str,
    pub(super) operation: &'static str,
    pub(super) params: Value,
}

/// What a person does, and the lines of the plan that show it.
pub(super) struct Hand {
    pub(super) calls: Vec<Call>,
    pub(super) shows: Vec<&'static str>,
}

pub(super) fn call(service: &'static str, operation: &'static str, params: Value) -> Call {
    Call { service, operation, params }
}

pub(super) fn hand(shows: &[&'static str], calls: impl IntoIterator<Item = Call>) -> Hand {
    Hand { calls: calls.into_iter().collect(), shows: shows.to_vec() }
}
