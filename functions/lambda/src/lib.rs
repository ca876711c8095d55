//! How a function is served: request -> tick -> report, one structured line per invocation.

mod answer;
mod link;
mod merge;
mod serve;

pub use lambda_runtime::Error as RuntimeError;
pub use serve::{Fault, bucket, serve, serve_with};
