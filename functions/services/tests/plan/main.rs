//! Plans of the stage: in sync, over an empty account, with one thing changed, and with everything removed.

mod world;

use aws::Function as _;
use aws_sdk_ecs::types::DeploymentRolloutState;
use services::Clients;
use statemachine::message::{Document, Image, Operation, StageReport, Wanted};
use statemachine::owner::Owner as _;
use statemachine::permission::policy;
use statemachine::plan::Action;
use statemachine::resource::{Name, Names};
use statemachine::{ErrorKind, Result};
use testing::{context, longest_scope, stack, whole};

use world::{
    NEW, OLD, World, alias, arn_of, definition, deployment, host_rule, https, names, scalable_target,
    service, target_group, target_group_arn,
};

const FILE: &str = r#"
app = "arive"
environment = "production"
domain = "tryarive.com"
[network]
egress = "nat"
[uploads]
bucket = "arive-uploads-production"
[services.api]
port = 8000
host = "api.tryarive.com"
environment = { OPTIONS = '{"url":"https://a/b"}' }
[services.worker]
command = ["work"]
[database]
name = "arive"
"#;

fn document(file: Option<&str>, operation: Operation, digest: Option<&str>) -> Document {
    let image = |digest: &str| Image { digest: digest.to_owned(), tag: None, architecture: None };
    Document {
        image: digest.map(|digest| Wanted::New(image(digest))),
        known_hosts: vec!["api.tryarive.com".to_owned()],
        ..testing::document(operation, file.map(stack))
    }
}

async fn look_with(world: &World, document: Document, names: Names) -> Result<StageReport> {
    let ctx = context(statemachine::Stage::Services);
    let resources = world.clients().resources(&ctx, &document, &names).await?;
    // Whatever a run asks for, all that the function lists is looked at: what it may do is what it uses.
    assert_eq!(resources.kinds(), Clients::kinds());
    testing::look(resources, &ctx, names).await
}

async fn look(world: &World, file: Option<&str>) -> StageReport {
    look_with(world, document(file, Operation::Plan, Some(OLD)), names()).await.expect("the look")
}

async fn plan(world: &World) -> String {
    testing::plan(&look(world, Some(FILE)).await)
}

fn digest(report: &StageReport) -> Option<&str> {
    report.names.attribute(&Name::new("image", "current"), "digest")
}

#[tokio::test]
async fn in_sync_nothing_changes() {
    let report = look(&World::in_sync(), Some(FILE)).await;
    assert_eq!(whole(&report), "");
    assert_eq!(digest(&report), Some(OLD));
}

#[tokio::test]
async fn an_empty_account_gets_everything() {
    let world = World { images: vec![(OLD, "latest")], ..World::default() };
    insta::assert_snapshot!("empty", whole(&look(&world, Some(FILE)).await));
}

#[tokio::test]
async fn before_any_other_stage_the_first_push_is_waited_for_and_the_rest_is_planned() {
    let document = document(Some(FILE), Operation::Plan, None);
    let report = look_with(&World::default(), document, Names::default()).await.expect("the look");
    insta::assert_snapshot!("before_any_other_stage", testing::plan(&report));
    assert_eq!(report.waiting.len(), 1);
    assert_eq!(report.waiting[0].what, "the first image");
}

#[tokio::test]
async fn an_empty_repository_says_how_to_push() {
    let report = look_with(&World::default(), document(Some(FILE), Operation::Plan, None), names()).await;
    insta::assert_snapshot!("first_push", report.expect("the look").waiting[0].next);
}

#[tokio::test]
async fn drift_is_an_update_of_the_field() {
    let mut world = World::in_sync();
    world.target_groups[0].health_check_path = Some("/".to_owned());
    world.deregistration_s = "300".to_owned();
    world.listeners[0] = https("arn:aws:acm:us-east-1:123456789012:certificate/other");
    world.rules[0] = host_rule(&["api.tryarive.com", "other.tryarive.com"], &target_group_arn("other"));
    world.records[0] = alias("api.tryarive.com", "arive-production-0.us-east-1.elb.amazonaws.com");
    world.services[0].desired_count = 0;
    world.services[0].running_count = 0;
    world.services[1].enable_execute_command = true;
    world.pattern = Some(r#"{"source":["aws.ecr"]}"#.to_owned());
    insta::assert_snapshot!("drift", plan(&world).await);
}

#[tokio::test]
async fn an_image_deployed_is_a_new_revision_that_the_service_follows() {
    let document = document(Some(FILE), Operation::Deploy, Some(NEW));
    let report = look_with(&World::in_sync(), document, names()).await.expect("the look");
    insta::assert_snapshot!("deploy", testing::plan(&report));
    assert_eq!(digest(&report), Some(NEW));
}

#[tokio::test]
async fn an_apply_keeps_the_image_that_runs() {
    let mut world = World::in_sync();
    // Newer ones in the repository do not matter, nor does a repository that has lost it.
    world.images = vec![(NEW, "latest")];
    let document = document(Some(FILE), Operation::Apply, None);
    let report = look_with(&world, document, names()).await.expect("the look");
    assert_eq!((testing::plan(&report).as_str(), digest(&report)), ("", Some(OLD)));
}

#[tokio::test]
async fn with_no_service_the_newest_image_of_a_tag_that_is_deployed_is_run() {
    let world = World { images: World::in_sync().images, ..World::default() };
    let found = async |world: &World, operation, wanted| {
        let report = look_with(world, document(Some(FILE), operation, wanted), names()).await;
        report.map(|report| digest(&report).map(str::to_owned))
    };
    assert_eq!(found(&world, Operation::Apply, None).await.expect("a look").as_deref(), Some(OLD));
    // No image has such a tag: the newest with any, but never a signature.
    let untagged =
        World { images: vec![(NEW, "v1"), ("sha256:3333", "sha256-2222.sig")], ..World::default() };
    assert_eq!(found(&untagged, Operation::Apply, None).await.expect("a look").as_deref(), Some(NEW));
    // The last good release went with an earlier life of the stack. A deploy of it is a mistake.
    let gone = Some("sha256:9999");
    assert_eq!(found(&world, Operation::Apply, gone).await.expect("a look").as_deref(), Some(OLD));
    let error = found(&world, Operation::Deploy, gone).await.expect_err("no such image");
    assert_eq!(error.kind, ErrorKind::Invalid);
    insta::assert_snapshot!("lost_image", error.message);
}

#[tokio::test]
async fn a_rotated_secret_is_a_new_revision() {
    let mut names = names();
    names.insert(Name::new("secret", "database-password").attribute("version"), "v2");
    let report = look_with(&World::in_sync(), document(Some(FILE), Operation::Plan, None), names).await;
    let report = report.expect("the look");
    let made = report.items.iter().find(|item| item.action == Action::Create).expect("a new revision");
    let secrets = &made.to.as_ref().expect("what it will be")["secrets"];
    assert!(secrets["PGPASSWORD"].as_str().is_some_and(|arn| arn.ends_with(":::v2")), "{secrets}");
    assert!(secrets["DATABASE_URL"].as_str().is_some_and(|arn| arn.ends_with(":::v1")), "{secrets}");
}

/// They come back under the same names, so the revision is as it was registered.
#[tokio::test]
async fn a_log_group_or_role_deleted_behind_our_back_blocks_nothing() {
    let mut names = names();
    names.remove(&Name::new("log-group", "api"));
    names.remove(&Name::new("role", "task"));
    let report = look_with(&World::in_sync(), document(Some(FILE), Operation::Plan, None), names).await;
    assert_eq!(testing::plan(&report.expect("the look")), "");
}

#[tokio::test]
async fn a_service_is_settled_only_when_what_was_asked_for_runs() {
    let with = async |change: &dyn Fn(&mut aws_sdk_ecs::types::Service)| {
        let mut world = World::in_sync();
        change(&mut world.services[0]);
        plan(&world).await
    };
    let api = arn_of(&World::in_sync().definitions, "api");
    let started = with(&|service| service.running_count = 0).await;
    let pending = with(&|service| service.pending_count = 1).await;
    let rolling = with(&|service| {
        service.deployments = Some(vec![deployment(&api, DeploymentRolloutState::InProgress)]);
    })
    .await;
    let two = with(&|service| {
        let old = deployment("arn:old", DeploymentRolloutState::InProgress);
        service.deployments.as_mut().expect("one deployment").push(old);
    })
    .await;
    for text in [started, pending, rolling, two] {
        assert_eq!(text, ". service/api  AWS is still at work on it\n");
    }
    let failed = with(&|service| {
        service.running_count = 0;
        service.deployments = Some(vec![deployment(&api, DeploymentRolloutState::Failed)]);
    })
    .await;
    insta::assert_snapshot!("failed_rollout", failed);
    // The circuit breaker went back to another revision and calls that completed.
    let plan = with(&|service| {
        service.task_definition = Some("arn:old".to_owned());
        service.deployments = Some(vec![deployment("arn:old", DeploymentRolloutState::Completed)]);
    })
    .await;
    assert!(
        plan.starts_with("~ service/api  task_definition: \"arn:old\" -> \"task-definition/api@"),
        "{plan}"
    );
    // One that is gone but for its name is made again.
    let gone = with(&|service| service.status = Some("INACTIVE".to_owned())).await;
    assert_eq!(gone, "+ service/api\n");
}

#[tokio::test]
async fn a_service_that_leaves_takes_what_leads_to_it_along() {
    let less = FILE.replace("[services.worker]\ncommand = [\"work\"]\n", "");
    insta::assert_snapshot!("worker_removed", testing::plan(&look(&World::in_sync(), Some(&less)).await));
    let (_, after) = FILE.split_once("[services.worker]").expect("a worker");
    let (before, _) = FILE.split_once("[services.api]").expect("an API");
    let less = format!("{before}[services.worker]{after}");
    insta::assert_snapshot!("api_removed", testing::plan(&look(&World::in_sync(), Some(&less)).await));
}

#[tokio::test]
async fn a_service_becomes_private_or_moves_to_another_port_in_place() {
    let file = FILE.replace("8000", "9000");
    insta::assert_snapshot!("port", testing::plan(&look(&World::in_sync(), Some(&file)).await));
    let file = FILE.replace("port = 8000\nhost = \"api.tryarive.com\"\n", "");
    insta::assert_snapshot!("private", testing::plan(&look(&World::in_sync(), Some(&file)).await));
}

#[tokio::test]
async fn without_a_domain_rules_stand_on_port_80() {
    let file = FILE.replace("domain = \"tryarive.com\"\n", "").replace("host = \"api.tryarive.com\"\n", "");
    insta::assert_snapshot!("without_domain", testing::plan(&look(&World::in_sync(), Some(&file)).await));
}

#[tokio::test]
async fn without_a_stack_everything_goes() {
    insta::assert_snapshot!("removed", testing::plan(&look(&World::in_sync(), None).await));
    assert_eq!(testing::plan(&look(&World::default(), None).await), "");
}

#[tokio::test]
async fn autoscaling_takes_the_count_over() {
    let file = FILE.replace("host = ", "scale = { min = 2, max = 4, cpu = 60 }\nhost = ");
    let mut world = World::in_sync();
    world.services[0].desired_count = 3;
    world.services[0].running_count = 3;
    assert_eq!(testing::plan(&look(&world, Some(&file)).await), "+ scaling-target/api\n");
    world.scalable_targets = vec![scalable_target(2, 4)];
    assert_eq!(testing::plan(&look(&world, Some(&file)).await), "");
    world.scalable_targets = vec![scalable_target(2, 9)];
    assert_eq!(testing::plan(&look(&world, Some(&file)).await), "~ scaling-target/api  max: 9 -> 4\n");
    // No longer asked for, the count is the file's again.
    insta::assert_snapshot!("scale_removed", plan(&world).await);
}

#[tokio::test]
async fn strangers_in_our_places_are_refused_and_never_removed() {
    let mut world = World::in_sync();
    world.owned.clear();
    world.records[0] = alias("api.tryarive.com", "stranger-1.us-east-1.elb.amazonaws.com");
    world.services[1].tags = None;
    insta::assert_snapshot!("theirs", plan(&world).await);
    insta::assert_snapshot!("theirs_removed", testing::plan(&look(&world, None).await));
}

#[tokio::test]
async fn another_environment_s_parts_are_none_of_ours() {
    let mut world = World::in_sync();
    // A copy with our tags and another name, and a group of another environment of the app.
    world.target_groups.insert(0, target_group("arive-staging-api", "staging"));
    world.owned.insert(target_group_arn("staging"), services::target_group::name("api", 8000));
    let (name, mut copy) = definition("api", OLD);
    copy.family = Some("arive-production-copy".to_owned());
    copy.task_definition_arn = Some("arn:task-definition/arive-production-copy:1".to_owned());
    world.definitions.insert(0, (name, copy));
    let report = look(&world, Some(FILE)).await;
    assert_eq!(testing::plan(&report), "");
    let group = services::target_group::name("api", 8000);
    assert_eq!(report.names.id(&group), Some(target_group_arn("api").as_str()));
}

#[tokio::test]
async fn an_unlisted_status_is_an_error_and_not_probably_fine() {
    let mut world = World::in_sync();
    world.services[0] = service("api", "arn:1").status("MELTING").build();
    let document = document(Some(FILE), Operation::Plan, Some(OLD));
    let error = look_with(&world, document, names()).await.expect_err("AWS says something new");
    insta::assert_snapshot!("unlisted_status", error);
}

#[test]
fn the_role_s_policy_is_narrow_and_fits() {
    let permissions = Clients::permissions(&longest_scope());
    for permission in &permissions {
        assert!(permission.actions.iter().all(|action| !action.contains('*')), "{permission:?}");
        assert!(
            !permission.resources.iter().any(|resource| resource == "*") || permission.reason.is_some(),
            "{permission:?}"
        );
        // The engine's own roles stand under the same path and must not be passed to a task.
        if permission.actions.contains(&"iam:PassRole") {
            assert!(permission.resources.iter().all(|role| !role.ends_with("/*")), "{permission:?}");
        }
    }
    let document = policy(&permissions).to_string();
    // A role's inline policies may have 10,240 characters, and every function also reads and writes its record.
    assert!(document.len() < 9_000, "{} characters", document.len());
}
