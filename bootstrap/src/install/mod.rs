//! Installs the engine in the user's account, with the same kinds and the same tick that the engine uses
//! itself: the provisioner's bucket, roles, functions, the state machine and the rule of its trigger.
//!
//! An app has one engine per account and region. Its tags say `stepstack:stack = {app}/engine`.

mod boundary;
pub mod bucket;
mod clients;
mod engine;
mod error;
pub mod event_rule;
mod function;
mod github;
pub mod log_group;
mod names;
mod policies;
mod policy;
pub mod role;
mod run;
mod service_linked_role;
mod standing;
mod state_machine;
mod target;
mod ticks;

pub use crate::local::FunctionZip;
pub use boundary::Boundary;
pub use clients::Clients;
pub use engine::{context, engine, fingerprint, no_engine};
pub use error::InstallError;
pub use function::{Code, Function};
pub use github::is_repository;
pub use policies::policies;
pub use run::{Installed, Present, bring_up, bring_up_github, installed, installed_version, remove};
pub use service_linked_role::{SERVICES, ServiceLinkedRole};
pub use standing::standing;
pub use state_machine::{StateMachine, VERSION};
pub use target::Target;
