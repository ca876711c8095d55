//! What the tests of the crates share: a run of the app `arive`, environment `production`, the plan of a stage
//! in words, and clients that answer by rules. A dev-dependency, and nothing else.

#[cfg(feature = "clients")]
mod clients;
mod plan;
mod run;

#[cfg(feature = "clients")]
pub use clients::{all_called, any_order, config, http_client, in_order, said};
pub use plan::{assert_narrow, look, plan, whole};
pub use run::{context, document, longest_scope, scope, stack, tags};
