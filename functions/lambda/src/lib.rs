//! How a function is served: request -> tick -> report, one structured line per invocation.

mod record;
mod serve;

pub use lambda_runtime::Error as RuntimeError;
pub use record::{Bucket, get_json, put_json, put_json_over, work_report};
pub use serve::{Fault, serve, serve_with};
