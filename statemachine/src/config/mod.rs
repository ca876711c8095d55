//! The configuration: what a person writes, what the engine uses, and what stands between them.
//!
//! ```text
//! bytes ─> text (UTF-8, at most 1 MiB) ─> TOML with spans ─> shape (the schema) ─> checks ─> Stack
//! ```
//!
//! [`parse`] is the one way in, for the program and for the function alike, so that a file which the bucket
//! accepts is a file which the command line accepts. [`mod@file`] is the authority for keys, types, ranges and
//! defaults: the JSON Schema that editors complete from is generated from it, and [`parse`] checks a file's
//! shape against that same schema.

mod check;
mod error;
mod fargate;
pub mod file;
mod prices;
mod schema;
mod shape;
mod source;
mod stack;
mod template;
mod version;
mod words;

pub use error::{Errors, Problem, Snippet};
pub use fargate::{FARGATE_CPUS, fargate_memory};
pub use prices::{MonthlyPrice, Price, monthly_price, monthly_savings};
pub use schema::schema;
pub use stack::*;
pub use template::template;
pub use version::{EngineVersionError, check_engine_version};
pub use words::near;

use source::Source;

/// The largest file that is read, in bytes. A large stack needs a hundredth of it.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// The largest checked configuration, in bytes of JSON.
///
/// It travels in the state machine's document, whose hard limit is 262,144 bytes; ECS takes task definitions
/// of up to 64 KB.
pub const MAX_STACK_BYTES: usize = 64 * 1024;

/// Reads and checks a configuration, with every default filled in.
///
/// `file_name` is only shown in errors. What makes it fail, each step only when the one before was good: a
/// file that is empty, over [`MAX_FILE_BYTES`] or not UTF-8; TOML that cannot be read (the first mistake);
/// unknown keys, wrong types and values out of range (all of them); everything that AWS would refuse or that
/// contradicts itself (all of it).
pub fn parse(bytes: &[u8], file_name: &str) -> Result<Stack, Errors> {
    let source = Source::read(bytes, file_name)?;
    let file = shape::read(&source)?;
    check::check(&file, &source)
}
