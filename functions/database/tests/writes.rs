//! The calls of writes whose order or settings matter, in the order in which they must come.

use aws_sdk_rds::Client as RdsClient;
use aws_sdk_rds::operation::add_tags_to_resource::AddTagsToResourceOutput;
use aws_sdk_rds::operation::create_db_cluster::CreateDbClusterOutput;
use aws_sdk_rds::operation::delete_db_cluster::{DeleteDBClusterError, DeleteDbClusterOutput};
use aws_sdk_rds::operation::modify_db_cluster::ModifyDbClusterOutput;
use aws_sdk_rds::operation::start_db_cluster::StartDbClusterOutput;
use aws_sdk_secretsmanager::Client as SecretsClient;
use aws_sdk_secretsmanager::operation::create_secret::{CreateSecretError, CreateSecretOutput};
use aws_sdk_secretsmanager::operation::delete_secret::DeleteSecretOutput;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::operation::get_random_password::GetRandomPasswordOutput;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueOutput;
use aws_sdk_secretsmanager::operation::restore_secret::RestoreSecretOutput;
use aws_sdk_secretsmanager::operation::tag_resource::TagResourceOutput;
use aws_sdk_secretsmanager::types::Tag;
use aws_smithy_mocks::{Rule, mock};
use database::Clients;
use database::cluster::{Cluster, Pause, Rds};
use database::parameter_group::ParameterGroup;
use database::secret::Password;
use database::url::DatabaseUrl;
use statemachine::ErrorKind;
use statemachine::config::Database;
use statemachine::resource::{Call, Context, DataPolicy, Gone, Name, Names, Options, Resource};
use testing::{all_called, client, context, in_order, said};

const VALUE: &str = "abcdefghijklmnopqrstuvwxyz012345";

/// Clients that take exactly these calls, in this order.
fn clients(rds: &[&Rule], secrets: &[&Rule]) -> Clients {
    Clients {
        rds: client!(aws_sdk_rds, in_order(rds)),
        secrets: client!(aws_sdk_secretsmanager, in_order(secrets)),
        events: client!(aws_sdk_eventbridge, in_order(&[])),
    }
}

fn database() -> Database {
    serde_json::from_value(
        serde_json::json!({"engine_version": "15", "name": "arive", "deletion_protection": true}),
    )
    .expect("a database with its defaults")
}

fn cluster(ctx: &Context) -> Cluster {
    Cluster::of(ctx, &database(), &ParameterGroup::of("15"), 1, Pause::No)
}

fn names() -> Names {
    let mut names = Names::default();
    let version = [("version", "v2".to_owned())];
    names.insert_with(&Name::new("secret", "database-password"), "arn:password", &version);
    let attributes = [
        ("endpoint", "db.internal".to_owned()),
        ("port", "5432".to_owned()),
        ("arn", "arn:cluster".to_owned()),
    ];
    names.insert_with(&Name::new("db-cluster", "main"), "arive-production-1", &attributes);
    names.insert(Name::new("db-subnet-group", "main"), "arive-production");
    names.insert(ParameterGroup::of("15").name(), "arive-production-af6f12");
    names.insert(Name::new("security-group", "database"), "sg-database");
    names
}

fn password_is_read() -> Rule {
    mock!(SecretsClient::get_secret_value)
        .match_requests(|request| {
            request.secret_id() == Some("arn:password") && request.version_id() == Some("v2")
        })
        .then_output(|| GetSecretValueOutput::builder().secret_string(VALUE).build())
}

#[tokio::test]
async fn a_cluster_gets_the_password_s_value_and_says_only_its_version() {
    let read = password_is_read();
    let create = mock!(RdsClient::create_db_cluster)
        .match_requests(|request| {
            let version = request.tags().iter().find(|tag| tag.key() == Some("stepstack:password-version"));
            request.master_user_password() == Some(VALUE)
                && version.and_then(|tag| tag.value()) == Some("v2")
                && request.tags().iter().all(|tag| tag.value() != Some(VALUE))
                && request.storage_encrypted() == Some(true)
                && request.engine_lifecycle_support() == Some("open-source-rds-extended-support-disabled")
        })
        .then_output(|| CreateDbClusterOutput::builder().build());
    let (ctx, clients) = (context(statemachine::Stage::Database), clients(&[&create], &[&read]));
    let made = cluster(&ctx)
        .create(Call { ctx, client: Rds::new(&clients, 1), names: names() })
        .await
        .expect("it is made");
    assert!(!made.settled);
    all_called(&[&read, &create]);
}

#[tokio::test]
async fn a_rotated_password_is_set_before_the_tag_says_so() {
    let read = password_is_read();
    let modify = mock!(RdsClient::modify_db_cluster)
        .match_requests(|request| {
            request.master_user_password() == Some(VALUE)
                && request.apply_immediately() == Some(true)
                && request.engine_version().is_none()
                && request.cloudwatch_logs_export_configuration().is_none()
        })
        .then_output(|| ModifyDbClusterOutput::builder().build());
    let tag = mock!(RdsClient::add_tags_to_resource)
        .match_requests(|request| {
            request.resource_name() == Some("arn:cluster") && request.tags()[0].value() == Some("v2")
        })
        .then_output(|| AddTagsToResourceOutput::builder().build());
    let (ctx, clients) = (context(statemachine::Stage::Database), clients(&[&modify, &tag], &[&read]));
    let now = Cluster { password: Name::foreign("v1"), ..cluster(&ctx) };
    let id = now.identifier.clone();
    cluster(&ctx)
        .update(now, id, Call { ctx, client: Rds::new(&clients, 1), names: names() })
        .await
        .expect("it is changed");
    all_called(&[&read, &modify, &tag]);
}

#[tokio::test]
async fn other_changes_do_not_read_the_password() {
    let modify = mock!(RdsClient::modify_db_cluster)
        .match_requests(|request| request.master_user_password().is_none())
        .then_output(|| ModifyDbClusterOutput::builder().build());
    let (ctx, clients) = (context(statemachine::Stage::Database), clients(&[&modify], &[]));
    let now = Cluster { max_acu: 8.0, ..cluster(&ctx) };
    let id = now.identifier.clone();
    cluster(&ctx)
        .update(now, id, Call { ctx, client: Rds::new(&clients, 1), names: names() })
        .await
        .expect("it is changed");
    all_called(&[&modify]);
}

#[tokio::test]
async fn a_stopped_cluster_is_started_before_anything_else_of_it_changes() {
    let start = mock!(RdsClient::start_db_cluster)
        .match_requests(|request| request.db_cluster_identifier() == Some("arive-production-1"))
        .then_output(|| StartDbClusterOutput::builder().build());
    let (ctx, clients) = (context(statemachine::Stage::Database), clients(&[&start], &[]));
    let now = Cluster { running: false, max_acu: 8.0, ..cluster(&ctx) };
    let id = now.identifier.clone();
    let waits = cluster(&ctx)
        .update(now, id, Call { ctx, client: Rds::new(&clients, 1), names: names() })
        .await
        .expect_err("it waits");
    // Not ready and not changed: the change of its capacity is this run's first.
    assert_eq!(waits.kind, ErrorKind::NotReady);
    all_called(&[&start]);
}

fn protection_goes_off() -> Rule {
    mock!(RdsClient::modify_db_cluster)
        .match_requests(|request| request.deletion_protection() == Some(false))
        .then_output(|| ModifyDbClusterOutput::builder().build())
}

fn deleted_with(
    snapshot: Option<&'static str>,
) -> aws_smithy_mocks::RuleBuilder<
    aws_sdk_rds::operation::delete_db_cluster::DeleteDbClusterInput,
    DeleteDbClusterOutput,
    DeleteDBClusterError,
> {
    mock!(RdsClient::delete_db_cluster).match_requests(move |request| {
        request.final_db_snapshot_identifier() == snapshot
            && request.skip_final_snapshot() == Some(snapshot.is_none())
    })
}

fn refused(code: &'static str) -> DeleteDBClusterError {
    DeleteDBClusterError::generic(said(code))
}

async fn delete(ctx: Context, now: Option<Cluster>, rules: &[&Rule]) -> statemachine::Result<Gone> {
    let clients = clients(rules, &[]);
    let gone = Cluster::delete(
        "arive-production-1".to_owned(),
        now,
        Call { ctx, client: Rds::new(&clients, 1), names: names() },
    )
    .await;
    all_called(rules);
    gone
}

#[tokio::test]
async fn a_cluster_goes_with_a_snapshot_named_by_the_run() {
    let ctx = context(statemachine::Stage::Database);
    let off = protection_goes_off();
    let first = "arive-production-1-final-20261123-101500-abcd";
    let deleted = deleted_with(Some(first)).then_output(|| DeleteDbClusterOutput::builder().build());
    let protected = cluster(&ctx);
    assert_eq!(delete(ctx.clone(), Some(protected.clone()), &[&off, &deleted]).await.ok(), Some(Gone::Going));

    // Nothing takes the place of a snapshot that is there already, and nothing goes without one.
    let unprotected = Cluster { deletion_protection: false, ..protected };
    let taken = deleted_with(Some(first)).then_error(|| refused("DBClusterSnapshotAlreadyExistsFault"));
    let second = "arive-production-1-final-20261123-101500-abcd-2";
    let deleted = deleted_with(Some(second)).then_output(|| DeleteDbClusterOutput::builder().build());
    assert_eq!(
        delete(ctx.clone(), Some(unprotected.clone()), &[&taken, &deleted]).await.ok(),
        Some(Gone::Going)
    );

    let skips = Context { options: Options { skip_final_snapshot: true, ..Options::default() }, ..ctx };
    let deleted = deleted_with(None).then_output(|| DeleteDbClusterOutput::builder().build());
    assert_eq!(delete(skips, Some(unprotected), &[&deleted]).await.ok(), Some(Gone::Going));
}

#[tokio::test]
async fn a_cluster_that_cannot_go_yet_is_no_failure() {
    let ctx = context(statemachine::Stage::Database);
    let unprotected = Cluster { deletion_protection: false, ..cluster(&ctx) };
    let first = "arive-production-1-final-20261123-101500-abcd";
    let too_early = deleted_with(Some(first)).then_error(|| refused("InvalidDBClusterStateFault"));
    let error = delete(ctx.clone(), Some(unprotected.clone()), &[&too_early]).await.expect_err("too early");
    assert_eq!(error.kind, ErrorKind::NotReady);

    let gone = deleted_with(Some(first)).then_error(|| refused("DBClusterNotFoundFault"));
    assert_eq!(delete(ctx.clone(), Some(unprotected.clone()), &[&gone]).await.ok(), Some(Gone::Now));

    let start = mock!(RdsClient::start_db_cluster).then_output(|| StartDbClusterOutput::builder().build());
    let stopped = Cluster { running: false, ..unprotected };
    let error = delete(ctx, Some(stopped), &[&start]).await.expect_err("it is stopped");
    assert_eq!(error.kind, ErrorKind::NotReady);
}

fn random_password() -> Rule {
    mock!(SecretsClient::get_random_password)
        .match_requests(|request| {
            request.password_length() == Some(32) && request.exclude_punctuation() == Some(true)
        })
        .then_output(|| GetRandomPasswordOutput::builder().random_password(VALUE).build())
}

fn scheduled_for_deletion() -> Rule {
    mock!(SecretsClient::create_secret).then_error(|| {
        let said =
            "You can't create this secret because a secret with this name is already scheduled for deletion.";
        let metadata = aws_sdk_secretsmanager::error::ErrorMetadata::builder();
        CreateSecretError::generic(metadata.code("InvalidRequestException").message(said).build())
    })
}

#[tokio::test]
async fn a_password_is_made_with_its_tags_and_a_token() {
    let ctx = context(statemachine::Stage::Database);
    let (random, token) = (random_password(), ctx.token(&Name::new("secret", "database-password")));
    let create = mock!(SecretsClient::create_secret)
        .match_requests(move |request| {
            request.secret_string() == Some(VALUE)
                && request.client_request_token() == Some(token.as_str())
                && request.tags().iter().any(|tag| tag.value() == Some("secret/database-password"))
        })
        .then_output(|| CreateSecretOutput::builder().arn("arn:password").version_id("v1").build());
    let clients = clients(&[], &[&random, &create]);
    let made = Password::of(&ctx, None)
        .create(Call { ctx, client: clients.secrets, names: Names::default() })
        .await
        .expect("it is made");
    assert_eq!((made.id.as_str(), made.settled), ("arn:password", true));
    assert_eq!(made.attributes, [("version", "v1".to_owned())]);
    assert!(!format!("{made:?}").contains(VALUE));
    all_called(&[&random, &create]);
}

fn found(ctx: &Context) -> DescribeSecretOutput {
    let tags = ctx.tags(&Name::new("secret", "database-password"));
    let tags = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    DescribeSecretOutput::builder().arn("arn:password").set_tags(Some(tags)).build()
}

#[tokio::test]
async fn a_password_on_its_way_out_comes_back_with_a_new_value() {
    let ctx = context(statemachine::Stage::Database);
    let (random, create, ours) = (random_password(), scheduled_for_deletion(), found(&ctx));
    let describe = mock!(SecretsClient::describe_secret).then_output(move || ours.clone());
    let restore = mock!(SecretsClient::restore_secret).then_output(|| RestoreSecretOutput::builder().build());
    let put = mock!(SecretsClient::put_secret_value)
        .match_requests(|request| request.secret_string() == Some(VALUE))
        .then_output(|| PutSecretValueOutput::builder().arn("arn:password").version_id("v3").build());
    let tag = mock!(SecretsClient::tag_resource).then_output(|| TagResourceOutput::builder().build());
    let rules = [&random, &create, &describe, &restore, &put, &tag];
    let clients = clients(&[], &rules);
    let made = Password::of(&ctx, None)
        .create(Call { ctx, client: clients.secrets, names: Names::default() })
        .await
        .expect("it is brought back");
    assert_eq!(made.attributes, [("version", "v3".to_owned())]);
    all_called(&rules);
}

#[tokio::test]
async fn a_stranger_s_secret_on_its_way_out_is_left_alone() {
    let ctx = context(statemachine::Stage::Database);
    let (random, create) = (random_password(), scheduled_for_deletion());
    let another = found(&Context { app: "other".to_owned(), ..ctx.clone() });
    let describe = mock!(SecretsClient::describe_secret).then_output(move || another.clone());
    let clients = clients(&[], &[&random, &create, &describe]);
    let error = Password::of(&ctx, None)
        .create(Call { ctx, client: clients.secrets, names: Names::default() })
        .await
        .expect_err("it is not ours");
    assert_eq!(error.kind, ErrorKind::Exists);
    assert!(
        error.message.contains("is not this stack's") && !error.message.contains(VALUE),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_url_is_made_of_password_and_endpoint_and_its_tags_follow_its_value() {
    let ctx = context(statemachine::Stage::Database);
    let read = password_is_read();
    let put = mock!(SecretsClient::put_secret_value)
        .match_requests(|request| {
            let url = format!("postgresql://postgres:{VALUE}@db.internal:5432/arive");
            request.secret_string() == Some(url.as_str())
        })
        .then_output(|| PutSecretValueOutput::builder().arn("arn:url").version_id("u2").build());
    let tag = mock!(SecretsClient::tag_resource)
        .match_requests(|request| {
            let value =
                |key: &str| request.tags().iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value);
            value("stepstack:password-version") == Some("v2")
                && value("stepstack:endpoint") == Some("db.internal")
        })
        .then_output(|| TagResourceOutput::builder().build());
    let rules = [&read, &put, &tag];
    let clients = clients(&[], &rules);
    let want = DatabaseUrl::of(&ctx, &database());
    let now = DatabaseUrl { password: Name::foreign("v1"), ..want.clone() };
    let made = want
        .update(now, "arn:url".to_owned(), Call { ctx, client: clients.secrets, names: names() })
        .await
        .expect("it is changed");
    assert_eq!(made.attributes, [("version", "u2".to_owned())]);
    all_called(&rules);
}

#[tokio::test]
async fn a_url_waits_for_the_cluster_s_endpoint() {
    let ctx = context(statemachine::Stage::Database);
    let read = password_is_read();
    let clients = clients(&[], &[&read]);
    let mut names = names();
    names.insert(Name::new("db-cluster", "main").attribute("endpoint"), "");
    let url = DatabaseUrl::of(&ctx, &database());
    let error = url.create(Call { ctx, client: clients.secrets, names }).await.expect_err("it has to wait");
    assert_eq!(error.kind, ErrorKind::NotReady);
}

#[tokio::test]
async fn a_secret_can_be_brought_back_for_a_week_unless_data_may_go() {
    for (data, days, forced) in
        [(DataPolicy::Snapshot, Some(7), None), (DataPolicy::Delete, None, Some(true))]
    {
        let ctx = Context {
            options: Options { data, ..Options::default() },
            ..context(statemachine::Stage::Database)
        };
        let deleted = mock!(SecretsClient::delete_secret)
            .match_requests(move |request| {
                request.recovery_window_in_days() == days && request.force_delete_without_recovery() == forced
            })
            .then_output(|| DeleteSecretOutput::builder().build());
        let clients = clients(&[], &[&deleted]);
        let gone = Password::delete(
            "arn:password".to_owned(),
            None,
            Call { ctx, client: clients.secrets, names: Names::default() },
        )
        .await;
        assert_eq!(gone.ok(), Some(Gone::Now));
        all_called(&[&deleted]);
    }
}
