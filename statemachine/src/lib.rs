//! The loop that every stage of Stepstack runs, free of AWS SDKs.
//!
//! ```text
//! description ─┐
//!              ├─ decide (pure) ─> plan (data) ─> apply (no choices) ─> ready | not ready | failed
//! observation ─┘
//! ```
//!
//! Outside, a Step Functions state machine ([`definition`]) calls the stages' functions, waits and calls
//! again. Inside, each call is one [`tick::tick`]. Between them travel the types of [`message`].

#![warn(clippy::wildcard_enum_match_arm)]

pub mod config;
pub mod definition;
pub mod difference;
pub mod error;
pub mod function;
pub mod message;
pub mod naming;
pub mod owner;
pub mod permission;
pub mod plan;
pub mod resource;
pub mod stage;
pub mod template;
pub mod tick;

pub use error::{Error, ErrorKind, Result};
pub use function::Function;
pub use stage::{Part, Stage};
