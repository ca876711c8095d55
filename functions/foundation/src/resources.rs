//! What the stage owns, in the order in which it is made.

use statemachine::config::Stack;
use statemachine::resource::Context;
use statemachine::tick::Stage;

use crate::Clients;
use crate::bucket::{self, Bucket, Buckets};
use crate::cluster::Cluster;
use crate::log_group::{self, LogGroup};
use crate::repository::Repository;
use crate::role;

/// The stage `foundation`. Without a stack everything is left over. `known_buckets` are those that earlier
/// files named.
pub fn foundation(
    clients: &Clients,
    ctx: &Context,
    stack: Option<&Stack>,
    known_buckets: &[String],
) -> Stage {
    let buckets = Buckets::new(clients.s3.clone(), ctx, stack, known_buckets);
    Stage::new()
        .owns(&clients.iam, stack.map(|stack| role::of_stack(ctx, stack)).unwrap_or_default())
        .owns(&clients.logs, stack.map(|stack| log_groups(ctx, stack)).unwrap_or_default())
        .owns(&clients.ecs, stack.map(|_| Cluster::new(ctx)).into_iter().collect())
        .owns(&buckets, stack.map(|stack| buckets_of(ctx, stack)).unwrap_or_default())
        .owns(&clients.ecr, stack.map(|stack| Repository::new(ctx, stack)).into_iter().collect())
}

fn log_groups(ctx: &Context, stack: &Stack) -> Vec<LogGroup> {
    let services =
        stack.services.keys().map(|service| log_group::of_service(ctx, service, stack.logs.retention_days));
    let database = stack.database.as_ref().map(|_| log_group::of_database(ctx, stack.logs.retention_days));
    services.chain([log_group::of_flow(ctx)]).chain(database).collect()
}

fn buckets_of(ctx: &Context, stack: &Stack) -> Vec<Bucket> {
    let uploads = stack.uploads.as_ref().map(|uploads| bucket::uploads(ctx, uploads));
    [bucket::logs(ctx)].into_iter().chain(uploads).collect()
}
