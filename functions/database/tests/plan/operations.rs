//! Plans of what operations lay over the file: rotation, restore, snapshots, pause.

use aws_sdk_rds::types::DbClusterSnapshot;
use statemachine::message::{By, Document, Operation, Trigger};
use statemachine::plan::Action;
use statemachine::resource::{Name, Options};
use testing::whole;

use super::{FILE, document, look_at, network};
use crate::world::{World, tags};

fn by(operation: Operation) -> By {
    By {
        run: "20261123-101500-abcd".to_owned(),
        at: "2026-11-23T10:15:00Z".to_owned(),
        operation,
        trigger: Trigger::Cli,
        caller: None,
    }
}

fn asking(operation: Operation) -> Document {
    let mut document = document(Some(FILE));
    document.run.operation = operation;
    document
}

async fn plan(world: &World, document: &Document) -> String {
    let report = look_at(world, document, network(), Options::default()).await.expect("the look");
    testing::plan(&report)
}

#[tokio::test]
async fn a_rotation_is_a_new_version_of_the_password() {
    let mut document = asking(Operation::Rotate);
    document.intent.database.rotation = Some(by(Operation::Rotate));
    assert_eq!(
        plan(&World::in_sync(), &document).await,
        "~ secret/database-password  rotation: null -> \"20261123-101500-abcd\"\n"
    );
}

#[tokio::test]
async fn a_rotation_that_is_put_back_is_the_version_before() {
    let mut world = World::in_sync();
    let rotated = [("stepstack:rotation", "20261123-101500-abcd")];
    world.secrets[0] =
        crate::world::secret(crate::world::PASSWORD_NAME, "secret/database-password", "v2", &rotated);
    let text = plan(&world, &asking(Operation::Rotate)).await;
    assert!(
        text.contains("~ secret/database-password  rotation: \"20261123-101500-abcd\" -> null"),
        "{text}"
    );
}

fn snapshot(status: &str) -> DbClusterSnapshot {
    DbClusterSnapshot::builder()
        .db_cluster_snapshot_identifier("arive-production-before")
        .db_cluster_identifier("arive-production-1")
        .status(status)
        .set_tag_list(Some(tags(&Name::new("db-snapshot", "arive-production-before"), &[])))
        .build()
}

fn restoring() -> Document {
    let mut document = asking(Operation::Restore);
    document.intent.database.generation = 2;
    document.intent.database.snapshot = Some("before".to_owned());
    document.intent.database.restored = Some(by(Operation::Restore));
    document
}

#[tokio::test]
async fn a_restore_makes_the_next_generation_and_keeps_the_one_before_without_its_instance() {
    let world = World { snapshots: vec![snapshot("available")], ..World::in_sync() };
    insta::assert_snapshot!("restore", plan(&world, &restoring()).await);
}

#[tokio::test]
async fn a_restore_from_what_is_not_there_changes_nothing() {
    let text = plan(&World::in_sync(), &restoring()).await;
    assert!(text.contains("! db-cluster/main  There is no snapshot arive-production-before."), "{text}");
    let world = World { snapshots: vec![snapshot("creating")], ..World::in_sync() };
    let text = plan(&world, &restoring()).await;
    assert!(text.contains("! db-cluster/main  The snapshot arive-production-before is creating."), "{text}");
}

/// The second generation runs, and the first is kept.
fn restored() -> World {
    let mut world = World::in_sync();
    let (mut live, mut instance) = (world.clusters[0].clone(), world.instances[0].clone());
    live.db_cluster_identifier = Some("arive-production-2".to_owned());
    instance.db_instance_identifier = Some("arive-production-2-1".to_owned());
    instance.db_cluster_identifier = Some("arive-production-2".to_owned());
    let kept = [("stepstack:password-version", "v0"), ("stepstack:kept", "2026-11-23 20261123-101500-abcd")];
    world.clusters[0].tag_list = Some(tags(&Name::new("db-cluster", "main"), &kept));
    world.clusters.push(live);
    world.instances = vec![instance];
    world
}

#[tokio::test]
async fn after_a_restore_nothing_changes_and_the_earlier_cluster_is_shown_as_kept() {
    let mut document = restoring();
    document.run.operation = Operation::Apply;
    let report = look_at(&restored(), &document, network(), Options::default()).await.expect("the look");
    assert_eq!(testing::plan(&report), "= db-cluster/1  kept on purpose: arive-production-1\n");
    assert_eq!(
        report.names.attribute(&Name::new("db-cluster", "1"), "kept"),
        Some("2026-11-23 20261123-101500-abcd")
    );
}

#[tokio::test]
async fn a_kept_cluster_goes_when_it_is_forgotten_or_when_the_stack_goes() {
    let mut document = restoring();
    document.run.operation = Operation::SnapshotForget;
    document.run.parameters.snapshot = Some("arive-production-1".to_owned());
    let options = Options { data: statemachine::resource::DataPolicy::Snapshot, ..Options::default() };
    let report = look_at(&restored(), &document, network(), options.clone()).await.expect("the look");
    assert_eq!(testing::plan(&report), "- db-cluster/1\n");

    let mut gone = restoring();
    (gone.stack, gone.run.operation) = (None, Operation::Destroy);
    let report = look_at(&restored(), &gone, network(), options).await.expect("the look");
    let deleted = report.items.iter().filter(|item| item.action == Action::Delete);
    let deleted: Vec<&str> = deleted.map(|item| item.name.as_str()).collect();
    assert!(deleted.contains(&"db-cluster/1") && deleted.contains(&"db-cluster/main"), "{deleted:?}");
}

#[tokio::test]
async fn a_snapshot_is_taken_once_and_let_go_of_by_name() {
    let mut document = asking(Operation::SnapshotCreate);
    document.run.parameters.snapshot = Some("before".to_owned());
    assert_eq!(plan(&World::in_sync(), &document).await, "+ db-snapshot/arive-production-before\n");
    let world = World { snapshots: vec![snapshot("available")], ..World::in_sync() };
    assert_eq!(plan(&world, &document).await, "", "it is there already");
    document.run.operation = Operation::Apply;
    assert_eq!(plan(&world, &document).await, "", "no other run looks at it");
    document.run.operation = Operation::SnapshotForget;
    assert_eq!(plan(&world, &document).await, "- db-snapshot/arive-production-before\n");
}

#[tokio::test]
async fn a_paused_database_sleeps_where_its_version_can_and_is_stopped_where_not() {
    let mut document = asking(Operation::Pause);
    document.intent.paused = Some(by(Operation::Pause));
    insta::assert_snapshot!("pause_stops", plan(&World::in_sync(), &document).await);
    let mut sleeps = World::in_sync();
    sleeps.clusters[0].engine_version = Some("15.12".to_owned());
    insta::assert_snapshot!("pause_sleeps", plan(&sleeps, &document).await);
}

#[tokio::test]
async fn a_password_that_is_to_change_by_the_clock_has_a_rule() {
    let file = FILE.replace("[database]", "[database]\nrotate_every_days = 30");
    let mut document = super::document(Some(&file));
    document.run.operation = Operation::Apply;
    let report =
        look_at(&World::in_sync(), &document, network(), Options::default()).await.expect("the look");
    insta::assert_snapshot!("scheduled_rotation", whole(&report));
}
