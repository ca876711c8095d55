//! The calls of a rotation, of its way back, and of a restore, over AWS's own request types.

use std::collections::HashMap;

use aws_sdk_rds::Client as RdsClient;
use aws_sdk_rds::operation::add_tags_to_resource::AddTagsToResourceOutput;
use aws_sdk_rds::operation::restore_db_cluster_from_snapshot::RestoreDbClusterFromSnapshotOutput;
use aws_sdk_rds::operation::stop_db_cluster::StopDbClusterOutput;
use aws_sdk_secretsmanager::Client as SecretsClient;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::operation::get_random_password::GetRandomPasswordOutput;
use aws_sdk_secretsmanager::operation::put_secret_value::{PutSecretValueError, PutSecretValueOutput};
use aws_sdk_secretsmanager::operation::tag_resource::TagResourceOutput;
use aws_sdk_secretsmanager::operation::untag_resource::UntagResourceOutput;
use aws_sdk_secretsmanager::operation::update_secret_version_stage::UpdateSecretVersionStageOutput;
use aws_smithy_mocks::{Rule, mock};
use database::Clients;
use database::cluster::{Cluster, Pause, Rds};
use database::kept::{Forget, KeptCluster, KeptClusters};
use database::parameter_group::ParameterGroup;
use database::secret::Password;
use statemachine::ErrorKind;
use statemachine::config::Database;
use statemachine::resource::{Call, Made, Name, Names, Resource as _};
use testing::{all_called, client, context, in_order, said};

const RUN: &str = "20261123-101500-abcd";

/// Clients that take exactly these calls, in this order.
fn clients(rds: &[&Rule], secrets: &[&Rule]) -> Clients {
    Clients {
        rds: client!(aws_sdk_rds, in_order(rds)),
        secrets: client!(aws_sdk_secretsmanager, in_order(secrets)),
        events: client!(aws_sdk_eventbridge, in_order(&[])),
    }
}

fn password(rotation: Option<&str>) -> Password {
    Password::of(&context(statemachine::Stage::Database), rotation.map(str::to_owned))
}

/// What the rotation of [`RUN`] makes: the call's token is the version's id.
fn version_of_run() -> String {
    use sha2::Digest as _;
    let text = format!("arive/production/database-password/{RUN}");
    statemachine::resource::hex(&sha2::Sha256::digest(text))[..32].to_owned()
}

fn random() -> Rule {
    mock!(SecretsClient::get_random_password)
        .then_output(|| GetRandomPasswordOutput::builder().random_password("x".repeat(32)).build())
}

fn tagged_with_run() -> Rule {
    mock!(SecretsClient::tag_resource)
        .match_requests(|request| {
            let tag = &request.tags()[0];
            (tag.key(), tag.value()) == (Some("stepstack:rotation"), Some(RUN))
        })
        .then_output(|| TagResourceOutput::builder().build())
}

async fn change(want: Password, now: Password, secrets: &[&Rule]) -> statemachine::Result<Made> {
    let clients = clients(&[], secrets);
    let ctx = context(statemachine::Stage::Database);
    want.update(
        now,
        "arn:password".to_owned(),
        Call { ctx, client: clients.secrets, names: Names::default() },
    )
    .await
}

#[tokio::test]
async fn a_rotation_makes_one_version_whose_id_is_known_beforehand() {
    let put = mock!(SecretsClient::put_secret_value)
        .match_requests(|request| request.client_request_token() == Some(version_of_run().as_str()))
        .then_output(|| PutSecretValueOutput::builder().version_id(version_of_run()).build());
    let (random, tag) = (random(), tagged_with_run());
    let made =
        change(password(Some(RUN)), password(None), &[&random, &put, &tag]).await.expect("it is changed");
    assert_eq!(made.attributes, [("version", version_of_run())]);
    all_called(&[&random, &put, &tag]);
}

#[tokio::test]
async fn a_rotation_whose_answer_was_lost_is_not_made_twice() {
    let put = mock!(SecretsClient::put_secret_value)
        .then_error(|| PutSecretValueError::generic(said("ResourceExistsException")));
    let (random, tag) = (random(), tagged_with_run());
    let earlier = Some("20261101-000000-0000");
    let made =
        change(password(Some(RUN)), password(earlier), &[&random, &put, &tag]).await.expect("it is changed");
    assert_eq!(made.attributes, [("version", version_of_run())]);
}

fn described(current: String) -> Rule {
    mock!(SecretsClient::describe_secret).then_output(move || {
        let stages = HashMap::from([
            (current.clone(), vec!["AWSCURRENT".to_owned()]),
            ("before".to_owned(), vec!["AWSPREVIOUS".to_owned()]),
        ]);
        DescribeSecretOutput::builder().arn("arn:password").set_version_ids_to_stages(Some(stages)).build()
    })
}

fn untagged() -> Rule {
    mock!(SecretsClient::untag_resource)
        .match_requests(|request| request.tag_keys() == ["stepstack:rotation"])
        .then_output(|| UntagResourceOutput::builder().build())
}

#[tokio::test]
async fn a_rotation_is_taken_back_by_moving_the_label() {
    let describe = described(version_of_run());
    let update = mock!(SecretsClient::update_secret_version_stage)
        .match_requests(|request| {
            request.move_to_version_id() == Some("before")
                && request.remove_from_version_id() == Some(version_of_run().as_str())
                && request.version_stage() == Some("AWSCURRENT")
        })
        .then_output(|| UpdateSecretVersionStageOutput::builder().build());
    let untag = untagged();
    let made =
        change(password(None), password(Some(RUN)), &[&describe, &update, &untag]).await.expect("it is back");
    assert_eq!(made.attributes, [("version", "before".to_owned())]);
    all_called(&[&describe, &update, &untag]);
}

#[tokio::test]
async fn taking_it_back_a_second_time_only_mends_the_tag() {
    let (describe, untag) = (described("before it all".to_owned()), untagged());
    let made = change(password(None), password(Some(RUN)), &[&describe, &untag]).await.expect("it is back");
    assert_eq!(made.attributes, [("version", "before it all".to_owned())]);
    all_called(&[&describe, &untag]);
}

fn cluster(generation: u32, pause: Pause) -> Cluster {
    let database: Database = serde_json::from_value(
        serde_json::json!({"engine_version": "15", "name": "arive", "deletion_protection": true}),
    )
    .expect("a database with its defaults");
    Cluster::of(
        &context(statemachine::Stage::Database),
        &database,
        &ParameterGroup::of("15"),
        generation,
        pause,
    )
}

fn names() -> Names {
    let mut names = Names::default();
    names.insert(Name::new("db-subnet-group", "main"), "arive-production");
    names.insert(ParameterGroup::of("15").name(), "arive-production-af6f12");
    names.insert(Name::new("security-group", "database"), "sg-database");
    names.insert_with(&Name::new("db-cluster", "1"), "arive-production-1", &[("arn", "arn:old".to_owned())]);
    names
}

#[tokio::test]
async fn a_restore_asks_for_everything_the_call_takes() {
    let restore = mock!(RdsClient::restore_db_cluster_from_snapshot)
        .match_requests(|request| {
            let scaling = request.serverless_v2_scaling_configuration().expect("capacities");
            let password = request.tags().iter().find(|tag| tag.key() == Some("stepstack:password-version"));
            request.db_cluster_identifier() == Some("arive-production-2")
                && request.snapshot_identifier() == Some("arive-production-before")
                && request.engine() == Some("aurora-postgresql")
                && request.db_subnet_group_name() == Some("arive-production")
                && request.db_cluster_parameter_group_name() == Some("arive-production-af6f12")
                && request.vpc_security_group_ids() == ["sg-database"]
                && request.deletion_protection() == Some(true)
                && request.enable_iam_database_authentication() == Some(true)
                && request.copy_tags_to_snapshot() == Some(true)
                && request.enable_cloudwatch_logs_exports() == ["postgresql"]
                && (scaling.min_capacity(), scaling.max_capacity()) == (Some(0.5), Some(4.0))
                // Nobody knows the snapshot's password: the ordinary difference sets ours.
                && password.and_then(|tag| tag.value()) == Some("of the snapshot")
        })
        .then_output(|| RestoreDbClusterFromSnapshotOutput::builder().build());
    let clients = clients(&[&restore], &[]);
    let rds = Rds::new(&clients, 2).with_snapshot(Some("arive-production-before".to_owned()));
    let made = cluster(2, Pause::No)
        .create(Call { ctx: context(statemachine::Stage::Database), client: rds, names: names() })
        .await;
    assert!(!made.expect("it is begun").settled);
    all_called(&[&restore]);
}

#[tokio::test]
async fn what_a_restore_leaves_is_tagged_as_kept() {
    let tag = mock!(RdsClient::add_tags_to_resource)
        .match_requests(|request| {
            let tag = &request.tags()[0];
            request.resource_name() == Some("arn:old")
                && (tag.key(), tag.value())
                    == (Some("stepstack:kept"), Some("2026-11-23 20261123-101500-abcd"))
        })
        .then_output(|| AddTagsToResourceOutput::builder().build());
    let clients = clients(&[&tag], &[]);
    let identifier = "arive-production-1".to_owned();
    let now = KeptCluster { identifier: identifier.clone(), kept: None };
    let want = KeptCluster { kept: Some("2026-11-23 20261123-101500-abcd".to_owned()), ..now.clone() };
    let kept = KeptClusters { rds: clients.rds, live: 2, forget: Forget::Nothing };
    want.update(
        now,
        identifier,
        Call { ctx: context(statemachine::Stage::Database), client: kept, names: names() },
    )
    .await
    .expect("it is kept");
    all_called(&[&tag]);
}

#[tokio::test]
async fn a_pause_stops_what_cannot_sleep_once_nothing_else_is_to_change() {
    let stop = mock!(RdsClient::stop_db_cluster)
        .match_requests(|request| request.db_cluster_identifier() == Some("arive-production-1"))
        .then_output(|| StopDbClusterOutput::builder().build());
    let first = clients(&[&stop], &[]);
    let (want, now) = (cluster(1, Pause::Stop), cluster(1, Pause::No));
    let id = now.identifier.clone();
    let ctx = context(statemachine::Stage::Database);
    want.clone()
        .update(now.clone(), id.clone(), Call { ctx, client: Rds::new(&first, 1), names: names() })
        .await
        .expect("it is stopped");
    all_called(&[&stop]);

    let modify = mock!(RdsClient::modify_db_cluster)
        .then_output(|| aws_sdk_rds::operation::modify_db_cluster::ModifyDbClusterOutput::builder().build());
    let second = clients(&[&modify], &[]);
    let other = Cluster { max_acu: 8.0, ..now };
    let ctx = context(statemachine::Stage::Database);
    let waits = want
        .update(other, id, Call { ctx, client: Rds::new(&second, 1), names: names() })
        .await
        .expect_err("it waits");
    assert_eq!(waits.kind, ErrorKind::NotReady);
    all_called(&[&modify]);
}
