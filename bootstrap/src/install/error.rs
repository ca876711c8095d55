//! What can end an installation.

use statemachine::Error;
use statemachine::message::Failure;

/// Why the engine could not be installed or removed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// AWS could not be looked at.
    #[error("{0}")]
    Look(#[from] Error),
    /// A part of the engine failed; `failure.next` says what to do.
    #[error("{}: {}", failure.name, failure.message)]
    Part {
        /// What failed.
        failure: Box<Failure>,
    },
    /// Functions are missing from what is to be installed.
    #[error("The code of these functions is missing: {}. Build them with `cargo bundle`.", .0.join(", "))]
    NoCode(Vec<String>),
    /// Environments still stand.
    #[error("The engine is still needed: {}. Destroy these environments first.", .0.join("; "))]
    Standing(Vec<String>),
}
