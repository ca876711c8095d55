//! Plans of the stage: in sync, over an empty account, with one thing changed, and with everything removed.

mod operations;
mod world;

use std::fmt::Write as _;

use aws::Function as _;
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types::{ClusterPendingModifiedValues, Tag};
use database::Clients;
use statemachine::message::{Document, Operation, StageReport};
use statemachine::owner::Owner as _;
use statemachine::permission::policy;
use statemachine::plan::Action;
use statemachine::resource::{Context, DataPolicy, Name, Names, Options};
use statemachine::{ErrorKind, Result};
use testing::{assert_narrow, context, longest_scope, scope, stack, whole};

use world::{PASSWORD_NAME, World, network, secret, tags};

const FILE: &str = r#"
app = "arive"
environment = "production"
[network]
egress = "nat"
[services.api]
port = 8000
[database]
engine_version = "15"
"#;

fn document(file: Option<&str>) -> Document {
    let stack = file.map(stack);
    testing::document(Operation::Plan, stack)
}

async fn look_with(world: &World, file: Option<&str>, names: Names, options: Options) -> Result<StageReport> {
    look_at(world, &document(file), names, options).await
}

async fn look_at(world: &World, document: &Document, names: Names, options: Options) -> Result<StageReport> {
    let ctx = Context { options, ..context(statemachine::Stage::Database) };
    let resources = world.clients().resources(&ctx, document, &names).await?;
    // Whatever a run asks for, all that the function lists is looked at: what it may do is what it uses.
    assert_eq!(resources.kinds(), Clients::kinds());
    testing::look(resources, &ctx, names).await
}

async fn look(world: &World, file: Option<&str>) -> StageReport {
    look_with(world, file, network(), Options::default()).await.expect("the look")
}

async fn plan(world: &World, file: Option<&str>) -> String {
    testing::plan(&look(world, file).await)
}

#[tokio::test]
async fn in_sync_nothing_changes() {
    let report = look(&World::in_sync(), Some(FILE)).await;
    assert_eq!(whole(&report), "");
    let attribute = |name: &str, attribute| report.names.attribute(&Name::from_tag(name), attribute);
    assert_eq!(attribute("secret/database-password", "version"), Some("v1"));
    assert_eq!(attribute("secret/database-url", "version"), Some("u1"));
    assert_eq!(attribute("db-cluster/main", "endpoint"), Some(world::ENDPOINT));
    assert_eq!(attribute("db-cluster/main", "port"), Some("5432"));
}

#[tokio::test]
async fn an_empty_account_gets_everything() {
    let world = World::empty();
    insta::assert_snapshot!("empty", whole(&look(&world, Some(FILE)).await));
    let before_the_network = look_with(&world, Some(FILE), Names::default(), Options::default()).await;
    assert_eq!(whole(&before_the_network.expect("the look")), whole(&look(&world, Some(FILE)).await));
}

/// What runs says by itself that AWS offers it: no version is listed. Anything else is checked against the list.
#[tokio::test]
async fn versions_are_listed_only_where_something_else_is_asked_than_runs() {
    let world = World { versions: Vec::new(), ..World::in_sync() };
    assert_eq!(plan(&world, Some(FILE)).await, "");
    for other in [FILE.replace("\"15\"", "\"15.12\""), format!("{FILE}max_acu = 8\n")] {
        let plan = plan(&world, Some(&other)).await;
        assert!(plan.contains("! db-cluster/main"), "{plan}");
    }
}

/// Between its look and its making a run resolves the version once.
#[tokio::test]
async fn the_version_of_a_new_cluster_is_resolved_once() {
    let report = look(&World::empty(), Some(FILE)).await;
    let told = report.names.attribute(&Name::new("db-cluster", "main"), "engine_version");
    assert_eq!(told, Some("15.12"));
    let world = World { versions: Vec::new(), ..World::empty() };
    let mut document = document(Some(FILE));
    assert!(testing::plan(&look(&world, Some(FILE)).await).contains("! db-cluster/main"));
    document.stages.database.outputs = report.names.clone();
    let again = look_at(&world, &document, network(), Options::default()).await.expect("the look");
    assert_eq!(whole(&again), whole(&report));
    assert_eq!(again.names.attribute(&Name::new("db-cluster", "main"), "engine_version"), Some("15.12"));
}

#[tokio::test]
async fn without_a_cluster_no_instance_is_looked_for_but_in_a_removal() {
    let mut world = World::in_sync();
    world.clusters.clear();
    assert!(plan(&world, Some(FILE)).await.contains("+ db-instance/main"));
    assert!(plan(&world, None).await.contains("- db-instance/main"));
}

#[tokio::test]
async fn without_a_database_an_empty_account_gets_nothing() {
    let file = FILE.split("[database]").next().expect("a first part");
    assert_eq!(plan(&World::empty(), Some(file)).await, "");
    assert_eq!(plan(&World::empty(), None).await, "");
}

#[tokio::test]
async fn what_the_file_changes_is_changed_in_place() {
    let file = FILE.to_owned()
        + "min_acu = 1\nmax_acu = 8\nbackup_retention_days = 14\ndeletion_protection = false\n";
    insta::assert_snapshot!("file_changed", plan(&World::in_sync(), Some(&file)).await);
}

#[tokio::test]
async fn what_changed_outside_is_put_back() {
    let mut text = String::new();
    let mut drifted = World::in_sync();
    drifted.subnet_groups[0].subnets.as_mut().expect("subnets").pop();
    drifted.parameters.remove(0);
    let cluster = &mut drifted.clusters[0];
    cluster.deletion_protection = Some(false);
    cluster.enabled_cloudwatch_logs_exports = None;
    cluster.iam_database_authentication_enabled = Some(false);
    cluster.vpc_security_groups.as_mut().expect("groups")[0].vpc_security_group_id =
        Some("sg-other".to_owned());
    drifted.instances[0].publicly_accessible = Some(true);
    text += &plan(&drifted, Some(FILE)).await;

    text += "a secret deleted outside is made again, and what was made with it follows:\n";
    let mut drifted = World::in_sync();
    drifted.secrets[0].deleted_date = Some(DateTime::from_secs(0));
    text += &plan(&drifted, Some(FILE)).await;

    text += "a stopped cluster is started:\n";
    let mut drifted = World::in_sync();
    drifted.clusters[0].status = Some("stopped".to_owned());
    drifted.instances[0].db_instance_status = Some("stopped".to_owned());
    text += &plan(&drifted, Some(FILE)).await;
    insta::assert_snapshot!("drift", text);
}

#[tokio::test]
async fn a_new_password_reaches_the_cluster_and_the_url() {
    let mut rotated = World::in_sync();
    rotated.secrets[0] = secret(PASSWORD_NAME, "secret/database-password", "v2", &[]);
    insta::assert_snapshot!(plan(&rotated, Some(FILE)).await, @r#"
    ~ db-cluster/main  password: "v1" -> "secret/database-password"
    ~ secret/database-url  password: "v1" -> "secret/database-password"
    "#);
}

#[tokio::test]
async fn what_aws_cannot_change_is_refused() {
    let world = World::in_sync();
    let mut text = String::new();
    for (what, file) in [
        ("another name", FILE.to_owned() + "name = \"other\"\n"),
        ("a retired minor", FILE.replace("\"15\"", "\"15.4\"")),
        ("a major that is not there", FILE.replace("\"15\"", "\"14\"")),
        ("a major upgrade", FILE.replace("\"15\"", "\"16\"")),
        ("sleeping on a minor that cannot", FILE.to_owned() + "min_acu = 0\n"),
    ] {
        writeln!(text, "{what}:\n{}", plan(&world, Some(&file)).await).expect("writing to a string");
    }
    let allowed = Options { allow_downtime: true, ..Options::default() };
    let upgrade = FILE.replace("\"15\"", "\"16\"");
    let upgrade = look_with(&world, Some(&upgrade), network(), allowed.clone()).await.expect("the look");
    writeln!(text, "a major upgrade with --allow-downtime:\n{}", testing::plan(&upgrade))
        .expect("writing to a string");

    let mut newer = World::in_sync();
    newer.clusters[0].engine_version = Some("16.8".to_owned());
    let downgrade = look_with(&newer, Some(FILE), network(), allowed).await.expect("the look");
    writeln!(text, "a downgrade:\n{}", testing::plan(&downgrade)).expect("writing to a string");

    let mut failed = World::in_sync();
    failed.clusters[0].status = Some("inaccessible-encryption-credentials".to_owned());
    writeln!(text, "a failed cluster:\n{}", plan(&failed, Some(FILE)).await).expect("writing to a string");
    insta::assert_snapshot!("refused", text);
}

#[tokio::test]
async fn a_stranger_s_is_not_touched() {
    let mut world = World::in_sync();
    world.tags.clear();
    world.clusters[0].tag_list = None;
    // Copied tags do not make it ours: the stage is another's.
    let foreign =
        Context { stage: statemachine::Stage::Network.into(), ..context(statemachine::Stage::Database) };
    let foreign = foreign.tags(&Name::new("db-instance", "main")).into_iter();
    let foreign = foreign.map(|(key, value)| Tag::builder().key(key).value(value).build());
    world.instances[0].tag_list = Some(foreign.collect());
    for secret in &mut world.secrets {
        secret.tags = None;
    }
    insta::assert_snapshot!("theirs", plan(&world, Some(FILE)).await);
    assert_eq!(plan(&world, None).await, "");
    let adopt = Options { adopt: true, ..Options::default() };
    let report = look_with(&world, Some(FILE), network(), adopt).await.expect("the look");
    insta::assert_snapshot!("adopted", testing::plan(&report));
}

#[tokio::test]
async fn what_is_removed_goes_but_for_its_data() {
    let mut text = String::new();
    for policy in [DataPolicy::Refuse, DataPolicy::Snapshot, DataPolicy::Keep] {
        let options = Options { data: policy, ..Options::default() };
        let report = look_with(&World::in_sync(), None, network(), options).await.expect("the look");
        writeln!(text, "{policy:?}:\n{}", testing::plan(&report)).expect("writing to a string");
    }
    insta::assert_snapshot!("removed", text);
}

#[tokio::test]
async fn a_cluster_that_a_restore_replaced_is_kept() {
    let mut world = World::in_sync();
    let kept = [("stepstack:password-version", "v1"), ("stepstack:kept", "20261123-101500-abcd")];
    world.clusters[0].tag_list = Some(tags(&Name::new("db-cluster", "main"), &kept));
    let options = Options { data: DataPolicy::Delete, ..Options::default() };
    let report = look_with(&world, None, network(), options).await.expect("the look");
    let kept = report.items.iter().find(|item| item.action == Action::Kept).expect("something kept");
    assert_eq!(kept.name.as_str(), "db-cluster/main");
}

#[tokio::test]
async fn the_group_of_a_former_major_is_a_left_over() {
    let mut world = World::in_sync();
    let former = world.add_parameter_group("14").db_cluster_parameter_group_name.expect("a name");
    let hash = former.rsplit('-').next().expect("a last part");
    assert_eq!(plan(&world, Some(FILE)).await, format!("- db-parameter-group/main@{hash}\n"));
}

#[tokio::test]
async fn a_change_that_has_not_begun_is_waited_for() {
    let mut world = World::in_sync();
    let pending = ClusterPendingModifiedValues::builder().backup_retention_period(7);
    world.clusters[0].pending_modified_values = Some(pending.build());
    assert_eq!(plan(&world, Some(FILE)).await, ". db-cluster/main  AWS is still at work on it\n");
}

#[tokio::test]
async fn an_unlisted_status_is_an_error() {
    type Change = fn(&mut World);
    let changes: [(Change, &str); 3] = [
        (|world| world.subnet_groups[0].subnet_group_status = Some("Dreaming".to_owned()), "DB subnet group"),
        (|world| world.clusters[0].status = Some("Dreaming".to_owned()), "DB cluster"),
        (|world| world.instances[0].db_instance_status = Some("Dreaming".to_owned()), "DB instance"),
    ];
    for (change, kind) in changes {
        let mut world = World::in_sync();
        change(&mut world);
        let error =
            look_with(&world, Some(FILE), network(), Options::default()).await.expect_err("it is unlisted");
        assert_eq!(error.kind, ErrorKind::Internal);
        assert!(
            error.message.contains(&format!("the status \"Dreaming\" for a {kind}")),
            "{}",
            error.message
        );
    }
}

#[test]
fn the_role_s_policy_is_narrow_and_fits() {
    let permissions = Clients::permissions(&longest_scope());
    assert_narrow(&permissions);
    // A role's inline policies may have 10,240 characters, and every function also reads and writes its record.
    let length = policy(&permissions).to_string().len();
    assert!(length < 8_000, "{length} characters");
    insta::assert_snapshot!("policy", format!("{:#}", policy(&Clients::permissions(&scope()))));
}
