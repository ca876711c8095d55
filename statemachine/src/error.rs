//! What can go wrong with a call to AWS, in words that the loop and the state machine act on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The outcome of anything that talks to AWS.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error means for the run. The names are public: the state machine's `Retry` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorKind {
    /// May well go through the next time: throttling, a 5xx, a lost connection, a role not visible yet.
    Transient,
    /// AWS refuses because something else is still changing or still in use. Not a failure: look again.
    NotReady,
    /// A role or policy made a moment ago is not visible to the service yet.
    Propagating,
    /// The thing does not exist.
    Missing,
    /// Something of that name exists already.
    Exists,
    /// The caller lacks a permission.
    Denied,
    /// A quota or an account plan stands in the way.
    Quota,
    /// AWS refuses the request as it is.
    Invalid,
    /// Ours: AWS answered something that we do not know, or an invariant does not hold.
    Internal,
}

impl ErrorKind {
    /// Whether the same call may go through a moment later.
    pub fn is_passing(self) -> bool {
        match self {
            ErrorKind::Transient | ErrorKind::NotReady => true,
            ErrorKind::Propagating
            | ErrorKind::Missing
            | ErrorKind::Exists
            | ErrorKind::Denied
            | ErrorKind::Quota
            | ErrorKind::Invalid
            | ErrorKind::Internal => false,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A failed call: what was tried, and what AWS said.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What it means for the run.
    pub kind: ErrorKind,
    /// One or two sentences, with AWS's own words in them.
    pub message: String,
    /// The IAM action of the call: `ec2:CreateSubnet`.
    pub action: Option<&'static str>,
    /// AWS's error code: `InvalidSubnet.Conflict`.
    pub code: Option<String>,
}

impl Error {
    /// An error without a call behind it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), action: None, code: None }
    }

    /// AWS refuses for now; look again.
    pub fn not_ready(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotReady, message)
    }

    /// AWS answered something that we do not know: an unlisted status, a missing field.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// A status that the reading code does not list.
    pub fn unknown_status(kind: &str, status: &str) -> Self {
        Self::internal(format!(
            "AWS reports the status {status:?} for a {kind}, which Stepstack does not know"
        ))
    }
}

/// What AWS's documentation promises of every `kind`: `required(raw.vpc_id(), "subnet", "a VPC")?`.
///
/// # Errors
///
/// AWS has left it out.
pub fn required<T>(value: Option<T>, kind: &str, what: &str) -> Result<T> {
    value.ok_or_else(|| Error::internal(format!("AWS described a {kind} without {what}")))
}

/// Turns "it does not exist" into `None`, so that reads and deletes can treat it as an answer.
pub trait Optional<T> {
    /// `Ok(None)` when the error is [`ErrorKind::Missing`].
    fn optional(self) -> Result<Option<T>>;
}

impl<T> Optional<T> for Result<T> {
    fn optional(self) -> Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind == ErrorKind::Missing => Ok(None),
            Err(error) => Err(error),
        }
    }
}
