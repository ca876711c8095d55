//! The configuration: what a person writes, what the engine uses, and what stands between them.
//!
//! ```text
//! bytes ─> text (UTF-8, at most 1 MiB) ─> TOML with spans ─> shape (the schema) ─> complete ─> checks ─> Stack
//! ```
//!
//! [`parse`] is the one way in, for the program and for the function alike, so that a file which the bucket
//! accepts is a file which the command line accepts. [`Stack`] is the authority for keys, types, ranges and
//! defaults: the JSON Schema that editors complete from is generated from it, and [`parse`] checks a file's
//! shape against that same schema. A plain new key is a field there, and what uses it.

mod check;
mod complete;
mod error;
mod fargate;
mod prices;
mod schema;
mod shape;
mod source;
mod stack;
mod template;
mod version;
mod words;

pub use check::MAX_STACK_BYTES;
pub use error::{Errors, Problem, Snippet};
pub use fargate::{FARGATE_CPUS, fargate_memory};
pub use prices::{MonthlyPrice, Price, monthly_price, monthly_savings};
pub use schema::schema;
pub use source::MAX_FILE_BYTES;
pub use stack::{
    CorsMethod, Database, Egress, Image, Logs, Network, ReleaseCommand, Scale, Service, Stack, Uploads,
};
pub use template::template;
pub use version::{EngineVersionError, check_engine_version};
pub use words::near;

use source::Source;

/// Reads and checks a configuration, with every default filled in.
///
/// `file_name` is only shown in errors. What makes it fail, each step only when the one before was good: a
/// file that is empty, over [`MAX_FILE_BYTES`] or not UTF-8; TOML that cannot be read (the first mistake);
/// unknown keys, wrong types and values out of range (all of them); everything that AWS would refuse or that
/// contradicts itself (all of it).
pub fn parse(bytes: &[u8], file_name: &str) -> Result<Stack, Errors> {
    let source = Source::read(bytes, file_name)?;
    shape::check(&source)?;
    check::check(&source)
}
