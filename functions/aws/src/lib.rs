//! What every function shares of AWS, without any service's SDK: how clients are configured, and what an
//! SDK error means.

mod config;
mod download;
mod error;
mod sent_once;

use std::future::Future;

use aws_types::SdkConfig;
use statemachine::Result;
use statemachine::message::Document;
use statemachine::owner::Owner;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Names};
use statemachine::tick::Resources;

pub use config::{config, config_from_environment, http_client};
pub use download::download;
pub use error::{failed, gone, kind_of};
pub use sent_once::SentOnce;

/// The owner of a stage (or two): a Lambda function. Implemented by a struct of its SDK clients, whose kinds
/// [`statemachine::owns!`] lists.
pub trait Function: Owner + Clone + Send + Sync + 'static {
    /// Builds the clients, once per process.
    fn new(config: &SdkConfig) -> Self;

    /// What the stage `ctx.stage` owns and wants. May read AWS where a description depends on it (zones, live
    /// engine versions). `names` holds the ids of the other stages. `document.stack` is `None` for a removal
    /// of everything: then every list is empty.
    fn resources(
        &self,
        ctx: &Context,
        document: &Document,
        names: &Names,
    ) -> impl Future<Output = Result<Resources<Self>>> + Send;

    /// What `resources` itself reads, beyond what its kinds need.
    fn reads(scope: &Scope) -> Vec<Permission> {
        let _ = scope;
        Vec::new()
    }

    /// What the function may do: what `resources` reads, and what its kinds need.
    fn permissions(scope: &Scope) -> Vec<Permission> {
        [Self::reads(scope), Self::permissions_of_kinds(scope)].concat()
    }
}
