//! Plans of the stage: in sync, over an empty account, with one thing changed, and with everything removed.

mod adopt;
mod world;

use std::fmt::Write as _;

use aws::Function as _;
use aws_sdk_ecr::types::ImageTagMutability;
use aws_sdk_s3::types::{CorsRule, LifecycleExpiration};
use foundation::{Clients, resources};
use statemachine::Result;
use statemachine::message::{Document, Operation, StageReport};
use statemachine::owner::Owner as _;
use statemachine::permission::policy;
use statemachine::resource::{Context, DataPolicy, Names, Options};
use testing::{context, scope, stack, whole};

use world::{Bucket, LOGS, UPLOADS, World, cluster, log_group, repository, rule};

const UPLOADS_OF_FILE: &str = r#"[uploads]
bucket = "arive-uploads-production"
cors_origins = ["https://tryarive.com"]
"#;
const FILE: &str = r#"
app = "arive"
environment = "production"
domain = "tryarive.com"
[database]
[uploads]
bucket = "arive-uploads-production"
cors_origins = ["https://tryarive.com"]
[image]
deploy_on_push = ["latest"]
[services.api]
port = 8000
[services.worker]
command = ["work"]
"#;

fn in_sync() -> World {
    World::in_sync(&stack(FILE))
}

/// A run over this file; without one it removes everything.
#[derive(Clone, Copy, Default)]
struct Asked<'a> {
    file: Option<&'a str>,
    data: DataPolicy,
    known_buckets: &'a [&'a str],
}

impl<'a> Asked<'a> {
    fn of(file: &'a str) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    fn removal(data: DataPolicy) -> Self {
        Self { data, ..Self::default() }
    }
}

async fn look(world: &World, asked: Asked<'_>) -> Result<StageReport> {
    let options = Options { data: asked.data, ..Options::default() };
    let ctx = Context { options, ..context(statemachine::Stage::Foundation) };
    let known: Vec<String> = asked.known_buckets.iter().map(|name| (*name).to_owned()).collect();
    let document =
        Document { known_buckets: known, ..testing::document(Operation::Plan, asked.file.map(stack)) };
    let resources = resources::foundation(&world.clients(), &ctx, &document);
    // Whatever a run asks for, all that the function lists is looked at: what it may do is what it uses.
    assert_eq!(resources.kinds(), Clients::kinds());
    testing::look(resources, &ctx, Names::default()).await
}

async fn plan(world: &World, asked: Asked<'_>) -> String {
    testing::plan(&look(world, asked).await.expect("the look"))
}

#[tokio::test]
async fn in_sync_nothing_changes() {
    let report = look(&in_sync(), Asked::of(FILE)).await.expect("the look");
    assert_eq!(whole(&report), "");
    let names: Vec<String> = report.names.iter().map(|(name, id)| format!("{name} = {id}")).collect();
    insta::assert_snapshot!(
        "names",
        names.join(
            "
"
        )
    );
}

#[tokio::test]
async fn an_empty_account_gets_everything() {
    let report = look(&World::default(), Asked::of(FILE)).await.expect("the look");
    insta::assert_snapshot!("empty", whole(&report));
}

#[tokio::test]
async fn drift_is_told_by_its_field() {
    let mut world = in_sync();
    let (role, _) = world.role("-execution");
    role.permissions_boundary = None;
    role.description = Some("Changed by hand".to_owned());
    let (_, policy) = world.role("-task");
    *policy = None;
    world.log_groups[0].0.retention_in_days = None;
    world.clusters = vec![cluster("ACTIVE", "enabled")];
    let logs = world.bucket(LOGS);
    let days = LifecycleExpiration::builder().days(1).build();
    logs.rules.push(rule("by-hand").expiration(days).build().expect("a rule"));
    let uploads = world.bucket(UPLOADS);
    uploads.versioning = None;
    uploads.block = None;
    uploads.policy = None;
    uploads.rules.pop();
    uploads.logging = None;
    let anybody = CorsRule::builder().allowed_origins("*").allowed_methods("GET");
    uploads.cors.push(anybody.build().expect("a rule"));
    if let Some((found, _)) = &mut world.repository {
        *found = repository(ImageTagMutability::Mutable);
        found.image_scanning_configuration = None;
    }
    world.lifecycle = None;
    insta::assert_snapshot!("drift", plan(&world, Asked::of(FILE)).await);
}

/// The same exclusions mean the opposite.
#[tokio::test]
async fn mutable_but_for_a_tag_is_not_immutable_but_for_it() {
    let mut world = in_sync();
    if let Some((found, _)) = &mut world.repository {
        *found = repository(ImageTagMutability::MutableWithExclusion);
    }
    insta::assert_snapshot!(
        plan(&world, Asked::of(FILE)).await,
        @r#"~ repository/main  mutable_tags: ["* except latest"] -> ["latest"]"#
    );
}

#[tokio::test]
async fn what_the_file_no_longer_names_goes() {
    let file = FILE.replace("[services.worker]\ncommand = [\"work\"]\n", "").replace("[database]\n", "");
    insta::assert_snapshot!(plan(&in_sync(), Asked::of(&file)).await, @r"
    - log-group/aurora.postgresql
    - log-group/worker
    ");
}

#[tokio::test]
async fn a_removal_takes_logs_and_asks_about_data() {
    let mut world = in_sync();
    (world.bucket(LOGS).objects, world.bucket(UPLOADS).objects) = (5, 1);
    let mut text = String::new();
    for data in [DataPolicy::Snapshot, DataPolicy::Keep, DataPolicy::Delete] {
        writeln!(text, "{data:?}:").expect("writing to a string");
        text += &plan(&world, Asked::removal(data)).await;
    }
    insta::assert_snapshot!("removed", text);
}

#[tokio::test]
async fn what_is_empty_goes_without_a_question() {
    let mut world = in_sync();
    world.images = 0;
    let everything = plan(&world, Asked::removal(DataPolicy::Delete)).await;
    assert_eq!(plan(&world, Asked::removal(DataPolicy::Snapshot)).await, everything);
    world.bucket(UPLOADS).uploads = 1;
    let with_an_unfinished_upload = plan(&world, Asked::removal(DataPolicy::Snapshot)).await;
    assert!(with_an_unfinished_upload.contains("! bucket/uploads"), "{with_an_unfinished_upload}");
}

#[tokio::test]
async fn the_bucket_of_an_earlier_file_is_found_and_asked_about() {
    let mut world = in_sync();
    let uploads = world.buckets.remove(UPLOADS).expect("the bucket is there");
    world.buckets.insert("arive-old".to_owned(), Bucket { objects: 1, ..uploads });
    let without = FILE.replace(UPLOADS_OF_FILE, "");
    let known = ["arive-old"];
    let left_over = plan(&world, Asked { known_buckets: &known, ..Asked::of(&without) }).await;
    assert!(left_over.contains("! bucket/uploads  bucket/uploads is not empty."), "{left_over}");
    let renamed = plan(&world, Asked { known_buckets: &known, ..Asked::of(FILE) }).await;
    assert!(renamed.contains("! bucket/uploads  The bucket is arive-old and cannot become"), "{renamed}");
}

#[tokio::test]
async fn a_strangers_bucket_is_in_the_way_only_where_the_file_names_it() {
    let other = FILE.replace("arive-uploads-production", "arive-files");
    let mut world = in_sync();
    let ours = world.buckets.remove(UPLOADS).expect("the bucket is there");
    world.buckets.insert("arive-files".to_owned(), ours);
    // Nobody's answer, another account's, and one in another region.
    for closed in [None, Some("AccessDenied"), Some("PermanentRedirect")] {
        let theirs = Bucket { closed, objects: 1, ..Bucket::default() };
        world.buckets.insert(UPLOADS.to_owned(), theirs);
        let changes = plan(&world, Asked::of(&other)).await;
        assert!(!changes.contains("arive-uploads-production is not"), "{closed:?}: {changes}");
        assert!(!changes.contains("! bucket"), "{closed:?}: {changes}");
        assert!(!changes.contains("= bucket"), "{closed:?}: {changes}");
        let removal = plan(&world, Asked::removal(DataPolicy::Delete)).await;
        assert!(!removal.contains("bucket/uploads"), "{closed:?}: {removal}");

        let mut in_the_way = in_sync();
        *in_the_way.bucket(UPLOADS) = Bucket { closed, objects: 1, ..Bucket::default() };
        let refused = plan(&in_the_way, Asked::of(FILE)).await;
        assert_eq!(
            refused,
            "! bucket/uploads  bucket/uploads exists already as arive-uploads-production and is not this stack's. Rename one of them, or take it over with --adopt.\n",
            "{closed:?}"
        );
    }
}

#[tokio::test]
async fn a_name_alone_makes_nothing_ours() {
    let mut world = in_sync();
    for (_, tags) in &mut world.log_groups[..1] {
        tags.clear();
    }
    world.clusters[0].tags = None;
    world.role("-task").0.tags = None;
    if let Some((_, tags)) = &mut world.repository {
        tags.clear();
    }
    insta::assert_snapshot!("theirs", plan(&world, Asked::of(FILE)).await);
    let removal = plan(&world, Asked::removal(DataPolicy::Delete)).await;
    for theirs in ["log-group/api", "cluster/main", "role/task", "repository/main"] {
        assert!(!removal.contains(&format!("- {theirs}")), "{removal}");
    }
}

/// `arive-production-eu` begins with `arive-production-`, and belongs to another environment.
#[tokio::test]
async fn another_environments_log_groups_are_left_alone() {
    let mut world = in_sync();
    let (group, mut tags) = log_group("/ecs/arive-production-eu-api", "log-group/api", 3);
    for (key, value) in &mut tags {
        if key == "stepstack:stack" {
            *value = "arive/production-eu".to_owned();
        }
    }
    world.log_groups.push((group, tags));
    assert_eq!(plan(&world, Asked::of(FILE)).await, "");
    let removal = plan(&world, Asked::removal(DataPolicy::Delete)).await;
    assert!(!removal.contains("eu-api"), "{removal}");
}

#[tokio::test]
async fn a_cluster_that_was_deleted_is_made_again_and_one_that_goes_is_waited_for() {
    let mut world = in_sync();
    let of = |status| vec![cluster(status, "disabled")];
    world.clusters = of("INACTIVE");
    assert_eq!(plan(&world, Asked::of(FILE)).await, "+ cluster/main\n");
    world.clusters = of("DEPROVISIONING");
    assert_eq!(plan(&world, Asked::of(FILE)).await, ". cluster/main  on its way out\n");
    world.clusters = of("FAILED");
    assert_eq!(
        plan(&world, Asked::of(FILE)).await,
        "± cluster/main  it failed: AWS could not make the cluster\n"
    );
}

#[tokio::test]
async fn words_that_aws_never_said_before_are_errors() {
    let mut world = in_sync();
    world.clusters = vec![cluster("DREAMING", "disabled")];
    let error = look(&world, Asked::of(FILE)).await.expect_err("an unlisted status");
    assert!(error.message.contains("\"DREAMING\""), "{error}");

    let mut world = in_sync();
    if let Some((found, _)) = &mut world.repository {
        *found = repository(ImageTagMutability::from("SOMETIMES"));
    }
    let error = look(&world, Asked::of(FILE)).await.expect_err("an unlisted mutability");
    assert!(error.message.contains("\"SOMETIMES\""), "{error}");
}

#[tokio::test]
async fn the_file_decides_what_tasks_may_do() {
    let without = FILE.replace(UPLOADS_OF_FILE, "");
    let with_exec = without.replace("port = 8000", "port = 8000\nexec = true\nread_only_root = false");
    let task = async |file: &str| {
        let report = look(&World::default(), Asked::of(file)).await.expect("the look");
        let item = report.items.into_iter().find(|item| item.name.as_str() == "role/task");
        item.and_then(|item| item.to).expect("the role is made")["policy"].to_string()
    };
    let (plain, uploads, exec) = (task(&without).await, task(FILE).await, task(&with_exec).await);
    assert!(!plain.contains("s3:") && !plain.contains("ssmmessages:"), "{plain}");
    assert!(uploads.contains("arn:aws:s3:::arive-uploads-production/*"), "{uploads}");
    assert!(exec.contains("ssmmessages:OpenDataChannel"), "{exec}");
}

#[test]
fn the_function_may_do_this_and_no_more() {
    let permissions = Clients::permissions(&scope());
    for permission in &permissions {
        assert!(permission.actions.iter().all(|action| !action.contains('*')), "{permission:?}");
        let everywhere = permission.resources.iter().any(|resource| resource == "*");
        assert!(!everywhere || permission.reason.is_some(), "{permission:?}");
    }
    let document = policy(&permissions);
    assert!(document.to_string().len() <= 10_240, "a role's inline policies may have 10,240 characters");
    let text = serde_json::to_string_pretty(&document).expect("a policy serializes");
    insta::assert_snapshot!("policy", text);
}
