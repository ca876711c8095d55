//! How a function is served: request -> tick -> report, one structured line per invocation.

mod record;
mod serve;

pub use lambda_runtime::Error as RuntimeError;
pub use record::{Bucket, get_json, is_lost_race, put_json, work_report};
pub use serve::{Fault, serve, serve_with};
