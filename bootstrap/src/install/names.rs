//! Names that more than one kind uses. The roles and log groups have theirs from `statemachine::naming::resource`,
//! as those of a stack have.

use statemachine::resource::Name;

/// [`statemachine::resource::Resource::KIND`] of a Lambda function.
pub(super) const FUNCTION: &str = "function";
/// [`statemachine::resource::Resource::KIND`] of the state machine.
pub(super) const STATE_MACHINE: &str = "state-machine";

/// `function/network`.
pub(super) fn function(what: &str) -> Name {
    Name::new(FUNCTION, what)
}

/// `state-machine/main`.
pub(super) fn state_machine() -> Name {
    Name::new(STATE_MACHINE, "main")
}

/// The last part of an IAM ARN: a role's name.
pub(super) fn role_of_arn(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
