//! The calls that make what somebody else has made ours.

use aws_sdk_rds::operation::add_tags_to_resource::AddTagsToResourceOutput;
use aws_sdk_secretsmanager::operation::tag_resource::TagResourceOutput;
use aws_smithy_mocks::{Rule, mock};
use database::Clients;
use database::cluster::{Cluster, Pause, Rds};
use database::instance::{Instance, Instances};
use database::parameter_group::ParameterGroup;
use database::secret::Password;
use database::subnet_group::SubnetGroup;
use database::url::DatabaseUrl;
use statemachine::resource::{Call, Names, Resource};
use testing::{client, context, in_order, stack};

const FILE: &str =
    "app = \"arive\"\nenvironment = \"production\"\n[services.worker]\ncommand = [\"work\"]\n[database]\n";

/// Clients that take exactly these calls, in this order.
fn clients(rds: &[&Rule], secrets: &[&Rule]) -> Clients {
    Clients {
        rds: client!(aws_sdk_rds, in_order(rds)),
        secrets: client!(aws_sdk_secretsmanager, in_order(secrets)),
        events: client!(aws_sdk_eventbridge, in_order(&[])),
    }
}

/// Takes over what has this id, and asserts that exactly its ARN gets exactly our tags.
async fn takes_over<R: Resource>(
    one: R,
    id: &str,
    kind: &'static str,
    client: impl FnOnce(Clients) -> R::Client,
) {
    let (name, arn) = (one.name().to_string(), format!("arn:aws:rds:us-east-1:123456789012:{kind}:{id}"));
    let add = mock!(aws_sdk_rds::Client::add_tags_to_resource)
        .match_requests(move |input| {
            let mut keys: Vec<_> = input.tags().iter().filter_map(|tag| tag.key()).collect();
            keys.sort_unstable();
            let named = input.tags().iter().any(|tag| tag.value() == Some(&name));
            // No version of a password: the cluster gets ours with the change that follows.
            let ours = keys == ["Name", "stepstack:name", "stepstack:stack", "stepstack:stage"];
            input.resource_name() == Some(&arn) && named && ours
        })
        .then_output(|| AddTagsToResourceOutput::builder().build());
    let client = client(clients(&[&add], &[]));
    one.adopt(
        id.to_owned(),
        Call { ctx: context(statemachine::Stage::Database), client, names: Names::default() },
    )
    .await
    .expect(kind);
    assert_eq!(add.num_calls(), 1, "{kind}");
}

#[tokio::test]
async fn groups_cluster_and_instance_get_our_tags() {
    let ctx = context(statemachine::Stage::Database);
    let stack = stack(FILE);
    let database = stack.database.expect("a database");
    let group = ParameterGroup::of(database.major());
    let cluster = Cluster::of(&ctx, &database, &group, 1, Pause::No);
    let instance = Instance::of(&ctx, 1, Pause::No);
    takes_over(SubnetGroup::of(&ctx), "arive-production", "subgrp", |clients| clients.rds).await;
    takes_over(group, "arive-production-af6f12", "cluster-pg", |clients| clients.rds).await;
    takes_over(cluster, "arive-production-1", "cluster", |clients| Rds::new(&clients, 1)).await;
    let instances = |clients: Clients| Instances { rds: clients.rds, live: 1 };
    takes_over(instance, "arive-production-1-1", "db", instances).await;
}

/// A secret's value is nobody's to read for that.
#[tokio::test]
async fn secrets_get_our_tags_and_keep_their_values() {
    let ctx = context(statemachine::Stage::Database);
    let stack = stack(FILE);
    let url = DatabaseUrl::of(&ctx, &stack.database.expect("a database"));
    let tag = |name: &'static str| {
        mock!(aws_sdk_secretsmanager::Client::tag_resource)
            .match_requests(move |input| {
                input.secret_id() == Some("arn") && input.tags().iter().any(|tag| tag.value() == Some(name))
            })
            .then_output(|| TagResourceOutput::builder().build())
    };
    let (password_tag, url_tag) = (tag("secret/database-password"), tag("secret/database-url"));
    let secrets = clients(&[], &[&password_tag, &url_tag]).secrets;
    let password = Password::of(&ctx, None);
    password
        .adopt("arn".to_owned(), Call { ctx: ctx.clone(), client: secrets.clone(), names: Names::default() })
        .await
        .expect("tagged");
    url.adopt("arn".to_owned(), Call { ctx, client: secrets, names: Names::default() })
        .await
        .expect("tagged");
    assert_eq!((password_tag.num_calls(), url_tag.num_calls()), (1, 1));
}
