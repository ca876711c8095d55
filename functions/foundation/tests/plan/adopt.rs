//! Plans with `--adopt`: what stands in our place is taken over, and changed where it differs.

use aws_sdk_s3::types::CorsRule;
use statemachine::message::{Operation, StageReport};
use statemachine::resource::{Context, Names, Options};
use statemachine::{ErrorKind, Result};
use testing::{context, stack};

use super::world::{LOGS, UPLOADS, World};
use super::{FILE, in_sync};

async fn look(world: &World) -> Result<StageReport> {
    let ctx = Context {
        options: Options { adopt: true, ..Options::default() },
        ..context(statemachine::Stage::Foundation)
    };
    let document = testing::document(Operation::Plan, Some(stack(FILE)));
    let resources = foundation::resources::foundation(&world.clients(), &ctx, &document);
    testing::look(resources, &ctx, Names::default()).await
}

async fn plan(world: &World) -> String {
    testing::plan(&look(world).await.expect("the look"))
}

/// The stack as described, none of it with our tags.
fn theirs() -> World {
    let mut world = in_sync();
    for (_, tags) in &mut world.log_groups {
        tags.clear();
    }
    for cluster in &mut world.clusters {
        cluster.tags = None;
    }
    for what in ["-execution", "-task", "-flow-log"] {
        world.role(what).0.tags = None;
    }
    if let Some((_, tags)) = &mut world.repository {
        tags.clear();
    }
    for bucket in [LOGS, UPLOADS] {
        world.bucket(bucket).tags.clear();
    }
    world
}

#[tokio::test]
async fn everything_here_can_be_taken_over_even_as_it_is() {
    insta::assert_snapshot!("adopted", plan(&theirs()).await);
    assert_eq!(plan(&in_sync()).await, "", "what is ours already is left as it is");
}

#[tokio::test]
async fn a_bucket_that_is_taken_over_loses_what_is_not_described() {
    let mut world = in_sync();
    let uploads = world.bucket(UPLOADS);
    uploads.tags = vec![("team".to_owned(), "web".to_owned())];
    (uploads.versioning, uploads.policy) = (None, None);
    let anybody = CorsRule::builder().allowed_origins("*").allowed_methods("GET");
    uploads.cors.push(anybody.build().expect("a rule"));
    insta::assert_snapshot!("adopted_bucket", plan(&world).await);
}

#[tokio::test]
async fn another_stack_s_bucket_and_another_account_s_stay_theirs() {
    let mut world = in_sync();
    for (key, value) in &mut world.bucket(UPLOADS).tags {
        if key == "stepstack:stack" {
            *value = "arive/staging".to_owned();
        }
    }
    let error = look(&world).await.expect_err("a refusal");
    assert_eq!(error.kind, ErrorKind::Invalid);
    insta::assert_snapshot!(error, @"The bucket arive-uploads-production belongs to the stack arive/staging, and is not taken from it. Choose another name.");
    world.bucket(UPLOADS).closed = Some("AccessDenied");
    let error = look(&world).await.expect_err("a refusal");
    assert!(error.message.contains("another account's"), "{error}");
}
