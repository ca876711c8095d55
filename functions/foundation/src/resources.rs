//! What the stage owns, in the order in which it is made.

use statemachine::config::Stack;
use statemachine::message::{Document, ObjectVersion, Operation};
use statemachine::resource::Context;
use statemachine::tick::Resources;

use crate::Clients;
use crate::bucket::{self, Bucket, Buckets};
use crate::cluster::Cluster;
use crate::log_group::{self, LogGroup, LogGroups};
use crate::repository::Repository;
use crate::restored_object::{Objects, RestoredObject};
use crate::role::{self, Roles};

/// The stage `foundation`. Without a stack everything is left over.
pub fn foundation(clients: &Clients, ctx: &Context, document: &Document) -> Resources<Clients> {
    let (stack, known_buckets) = (document.stack.as_ref(), &document.known_buckets);
    let generation = document.intent.database.generation;
    let object = document.run.parameters.object.clone();
    let object = object.filter(|_| document.run.operation == Operation::RestoreObject);
    let object =
        stack.and_then(|stack| stack.uploads.as_ref()).map(|uploads| uploads.bucket.clone()).zip(object);
    let buckets = Buckets::of_stack(clients.s3.clone(), ctx, stack, known_buckets);
    Resources::new()
        .owns(
            &Roles::of_stack(&clients.iam, ctx),
            stack.map(|stack| role::of_stack(ctx, stack)).unwrap_or_default(),
        )
        .owns(
            &LogGroups::of_stack(&clients.logs, ctx),
            stack.map(|stack| log_groups(ctx, stack, generation)).unwrap_or_default(),
        )
        .owns(&clients.ecs, stack.map(|_| Cluster::new(ctx)).into_iter().collect())
        .owns(&buckets, stack.map(|stack| buckets_of(ctx, stack)).unwrap_or_default())
        .owns(&Objects { s3: clients.s3.clone(), asked: object.clone() }, restored(object.as_ref()))
        .owns(&clients.ecr, stack.map(|stack| Repository::new(ctx, stack)).into_iter().collect())
}

fn restored(asked: Option<&(String, ObjectVersion)>) -> Vec<RestoredObject> {
    asked.map(|(_, version)| RestoredObject::of(version)).into_iter().collect()
}

fn log_groups(ctx: &Context, stack: &Stack, generation: u32) -> Vec<LogGroup> {
    let services =
        stack.services.keys().map(|service| log_group::of_service(ctx, service, stack.logs.retention_days));
    let days = stack.logs.retention_days;
    let database = stack.database.as_ref().map(|_| log_group::of_database(ctx, generation, days));
    services.chain([log_group::of_flow(ctx)]).chain(database).collect()
}

fn buckets_of(ctx: &Context, stack: &Stack) -> Vec<Bucket> {
    let uploads = stack.uploads.as_ref().map(|uploads| bucket::uploads(ctx, uploads));
    [bucket::logs(ctx)].into_iter().chain(uploads).collect()
}
