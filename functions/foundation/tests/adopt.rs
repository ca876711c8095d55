//! The calls that make what somebody else has made ours.

use aws::Function as _;
use aws_sdk_cloudwatchlogs::operation::tag_resource::TagResourceOutput as LogsTagged;
use aws_sdk_ecr::operation::tag_resource::TagResourceOutput as EcrTagged;
use aws_sdk_ecs::operation::tag_resource::TagResourceOutput as EcsTagged;
use aws_sdk_iam::operation::tag_role::TagRoleOutput;
use aws_sdk_s3::operation::get_bucket_tagging::GetBucketTaggingOutput;
use aws_sdk_s3::operation::put_bucket_tagging::PutBucketTaggingOutput;
use aws_sdk_s3::types::Tag;
use aws_smithy_mocks::mock;
use foundation::Clients;
use foundation::bucket::{self, Buckets};
use foundation::cluster::{self, Cluster};
use foundation::log_group::{self, LogGroup, LogGroups};
use foundation::repository;
use foundation::role::{self, Roles};
use statemachine::config::Stack;
use statemachine::resource::{Call, Context, Names, Resource as _};
use testing::{client, in_order};

const REPOSITORY: &str = "arn:aws:ecr:us-east-1:123456789012:repository/arive/production";
const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/arive-production";

fn stack() -> Stack {
    let file = "app = \"arive\"\nenvironment = \"production\"\n[services.worker]\ncommand = [\"work\"]\n";
    testing::stack(file)
}

fn context() -> Context {
    testing::context(statemachine::Stage::Foundation)
}

fn names() -> Names {
    let mut names = Names::default();
    names.insert_with(&repository::name(), "arive/production", &[("arn", REPOSITORY.to_owned())]);
    names.insert_with(&cluster::name(), "arive-production", &[("arn", CLUSTER.to_owned())]);
    names
}

/// S3 takes all tags of a bucket at once: leaving one out would delete it.
#[tokio::test]
async fn a_bucket_keeps_the_tags_that_it_has() {
    let ctx = context();
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build().expect("a tag");
    let theirs = vec![tag("team", "web"), tag("stepstack:name", "something else")];
    let get = mock!(aws_sdk_s3::Client::get_bucket_tagging).then_output(move || {
        GetBucketTaggingOutput::builder().set_tag_set(Some(theirs.clone())).build().expect("tags")
    });
    let put = mock!(aws_sdk_s3::Client::put_bucket_tagging)
        .match_requests(|input| {
            let tags = input.tagging().map(|tagging| tagging.tag_set()).unwrap_or_default();
            let mut tags: Vec<_> = tags.iter().map(|tag| (tag.key(), tag.value())).collect();
            tags.sort_unstable();
            tags == [
                ("Name", "arive-production-logs"),
                ("stepstack:name", "bucket/logs"),
                ("stepstack:stack", "arive/production"),
                ("stepstack:stage", "foundation"),
                ("team", "web"),
            ]
        })
        .then_output(|| PutBucketTaggingOutput::builder().build());
    let buckets = Buckets::of_stack(client!(aws_sdk_s3, in_order(&[&get, &put])), &ctx, None, &[]);
    let logs = bucket::logs(&ctx);
    logs.adopt(logs.bucket_name.clone(), Call { ctx, client: buckets, names: Names::default() })
        .await
        .expect("tagged");
    assert_eq!((get.num_calls(), put.num_calls()), (1, 1));
}

#[tokio::test]
async fn a_role_a_cluster_a_repository_and_a_log_group_get_our_tags() {
    let ctx = context();
    let tag = mock!(aws_sdk_iam::Client::tag_role)
        .match_requests(|input| {
            let named =
                input.tags().iter().any(|tag| tag.key() == "stepstack:name" && tag.value() == "role/task");
            input.role_name() == Some("arive-production-task") && named
        })
        .then_output(|| TagRoleOutput::builder().build());
    let roles = role::of_stack(&ctx, &stack());
    let task = roles.iter().find(|role| role.what == "task").expect("a task role");
    let iam = Roles::of_stack(&client!(aws_sdk_iam, in_order(&[&tag])), &ctx);
    task.adopt("arive-production-task".to_owned(), Call { ctx: ctx.clone(), client: iam, names: names() })
        .await
        .expect("tagged");

    let tag = mock!(aws_sdk_ecs::Client::tag_resource)
        .match_requests(|input| input.resource_arn() == Some(CLUSTER) && input.tags().len() == 4)
        .then_output(|| EcsTagged::builder().build());
    let ecs = client!(aws_sdk_ecs, in_order(&[&tag]));
    Cluster::new(&ctx)
        .adopt("arive-production".to_owned(), Call { ctx: ctx.clone(), client: ecs, names: names() })
        .await
        .expect("tagged");

    let tag = mock!(aws_sdk_ecr::Client::tag_resource)
        .match_requests(|input| input.resource_arn() == Some(REPOSITORY) && input.tags().len() == 4)
        .then_output(|| EcrTagged::builder().build());
    let ecr = client!(aws_sdk_ecr, in_order(&[&tag]));
    let images = repository::Repository::new(&ctx, &stack());
    images
        .adopt("arive/production".to_owned(), Call { ctx: ctx.clone(), client: ecr, names: names() })
        .await
        .expect("tagged");

    // Tags belong to the ARN without the `:*` that listings show.
    let tag = mock!(aws_sdk_cloudwatchlogs::Client::tag_resource)
        .match_requests(|input| {
            let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/arive-production-worker";
            input.resource_arn() == Some(arn)
                && input.tags().is_some_and(|tags| {
                    tags.get("stepstack:name").is_some_and(|name| name == "log-group/worker")
                })
        })
        .then_output(|| LogsTagged::builder().build());
    let logs = LogGroups::of_stack(&client!(aws_sdk_cloudwatchlogs, in_order(&[&tag])), &ctx);
    let group: LogGroup = log_group::of_service(&ctx, "worker", 7);
    group
        .adopt(group.log_group_name.clone(), Call { ctx, client: logs, names: Names::default() })
        .await
        .expect("tagged");
}

#[test]
fn the_function_may_tag_what_it_takes_over() {
    let scope = context().scope();
    let permissions = Clients::permissions(&scope);
    for action in
        ["ecr:TagResource", "ecs:TagResource", "iam:TagRole", "logs:TagResource", "s3:PutBucketTagging"]
    {
        assert!(permissions.iter().any(|permission| permission.actions.contains(&action)), "{action}");
    }
}
