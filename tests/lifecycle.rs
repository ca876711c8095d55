//! From nothing to a running stack and back to nothing, by the README's commands.

use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{BUCKET, Emulator};
use crate::reference_stack::check_reference_stack;

pub(crate) fn example() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/arive.toml")
}

pub(crate) fn counts(plan: &Value) -> (u64, u64, u64) {
    let count =
        |name: &str| plan["counts"][name].as_u64().unwrap_or_else(|| panic!("counts.{name} in {plan}"));
    (count("create"), count("update"), count("delete"))
}

/// The lines of a plan that change something, as `create vpc/main`.
pub(crate) fn changed(plan: &Value) -> Vec<String> {
    let items = plan["plan"]["stages"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|stage| stage["items"].as_array().into_iter().flatten());
    let changing = items.filter(|item| !matches!(item["action"].as_str(), Some("keep" | "kept")));
    changing
        .map(|item| {
            format!("{} {}", item["action"].as_str().unwrap_or("?"), item["name"].as_str().unwrap_or("?"))
        })
        .collect()
}

/// `update service/api` of `update service/api@1a2b3c`, wherever in a text: the hash is of what AWS calls things here.
pub(crate) fn without_hashes(text: &str) -> String {
    let mut parts = text.split('@');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
}

#[tokio::test]
async fn one_command_stands_the_stack_up_a_second_changes_nothing_and_destroy_leaves_nothing() {
    let emulator = Emulator::start();
    let file = example();

    // A plan over an empty account shows everything and makes nothing.
    let plan = emulator.stepstack(&file, &["plan", "--json", "--detailed-exitcode"]).expect(3).json();
    let (create, update, delete) = counts(&plan);
    assert!(create > 50 && update == 0 && delete == 0, "{plan:#}");
    let vpcs = aws_sdk_ec2::Client::new(&emulator.config())
        .describe_vpcs()
        .filters(ours())
        .send()
        .await
        .expect("VPCs");
    assert!(vpcs.vpcs().is_empty(), "a plan makes nothing");

    // The first command of the README.
    let applied = emulator.stepstack(&file, &["apply"]).expect(0);
    let shown = format!("{}{}", applied.stdout, applied.stderr);
    for output in ["https://api.tryarive.com", "ns-", "arive/production", "console.aws.amazon.com/states"] {
        assert!(shown.contains(output), "the end names {output}:\n{shown}");
    }
    check_reference_stack(&emulator).await;

    // A second run changes nothing, and a plan says so.
    let again = emulator.stepstack(&file, &["plan", "--json", "--detailed-exitcode"]);
    assert_eq!((counts(&again.json()), changed(&again.json())), ((0, 0, 0), vec![]), "{again}");
    again.expect(0);
    let again = emulator.stepstack(&file, &["apply", "--json"]).expect(0).json();
    assert_eq!(again["outcome"], "no-changes", "{again:#}");

    // What anybody can ask.
    let url = emulator.stepstack(&file, &["output", "url"]).expect(0);
    assert_eq!(url.stdout.trim(), "https://api.tryarive.com");
    let state = emulator.stepstack(&file, &["state", "list"]).expect(0);
    assert!(state.stdout.contains("db-cluster/main") && state.stdout.contains("service/api"), "{state}");
    emulator.stepstack(&file, &["state", "show", "vpc/main"]).expect(0);
    emulator.stepstack(&file, &["status"]).expect(0);
    emulator.stepstack(&file, &["runs"]).expect(0);

    no_secret_in_the_record(&emulator).await;

    // A destroy with data in the way is refused before it deletes anything; nobody is asked off a terminal.
    emulator
        .s3()
        .put_object()
        .bucket("arive-uploads-production")
        .key("photo")
        .body(b"x".to_vec().into())
        .send()
        .await
        .expect("an upload");
    emulator.stepstack(&file, &["destroy"]).expect(2);
    let refused = emulator.stepstack(&file, &["destroy", "--yes"]).expect(4);
    assert!(format!("{}{}", refused.stdout, refused.stderr).contains("--delete-data"), "{refused}");
    let plan = emulator.stepstack(&file, &["plan", "--json"]).expect(0).json();
    assert_eq!(changed(&plan), Vec::<String>::new(), "a refused destroy deleted nothing");

    // Without the file, by the stack's name alone.
    let destroyed = emulator
        .run(&["--local", "--stack", "arive/production", "destroy", "--yes", "--delete-data"])
        .expect(0);
    assert!(format!("{}{}", destroyed.stdout, destroyed.stderr).contains("0 left"), "{destroyed}");
    nothing_is_left(&emulator).await;

    // And it can begin anew.
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    check_reference_stack(&emulator).await;
}

fn ours() -> aws_sdk_ec2::types::Filter {
    aws_sdk_ec2::types::Filter::builder().name("tag:stepstack:stack").values("arive/production").build()
}

async fn nothing_is_left(emulator: &Emulator) {
    let config = emulator.config();
    let ec2 = aws_sdk_ec2::Client::new(&config);
    // Each kind by its own listing: the emulator's DescribeTags still lists what is gone.
    let id = |id: Option<&str>| id.unwrap_or("?").to_owned();
    let mut left: Vec<String> = Vec::new();
    let vpcs = ec2.describe_vpcs().filters(ours()).send().await.expect("VPCs");
    left.extend(vpcs.vpcs().iter().map(|one| id(one.vpc_id())));
    let subnets = ec2.describe_subnets().filters(ours()).send().await.expect("subnets");
    left.extend(subnets.subnets().iter().map(|one| id(one.subnet_id())));
    let gateways = ec2.describe_internet_gateways().filters(ours()).send().await.expect("internet gateways");
    left.extend(gateways.internet_gateways().iter().map(|one| id(one.internet_gateway_id())));
    let tables = ec2.describe_route_tables().filters(ours()).send().await.expect("route tables");
    left.extend(tables.route_tables().iter().map(|one| id(one.route_table_id())));
    let groups = ec2.describe_security_groups().filters(ours()).send().await.expect("security groups");
    left.extend(groups.security_groups().iter().map(|one| id(one.group_id())));
    let addresses = ec2.describe_addresses().filters(ours()).send().await.expect("addresses");
    left.extend(addresses.addresses().iter().map(|one| id(one.allocation_id())));
    let endpoints = ec2.describe_vpc_endpoints().filters(ours()).send().await.expect("endpoints");
    left.extend(endpoints.vpc_endpoints().iter().map(|one| id(one.vpc_endpoint_id())));
    let nats = ec2.describe_nat_gateways().filter(ours()).send().await.expect("NAT gateways");
    let is_gone = |state: Option<&aws_sdk_ec2::types::NatGatewayState>| {
        state.is_some_and(|state| state.as_str() == "deleted")
    };
    left.extend(
        nats.nat_gateways().iter().filter(|nat| !is_gone(nat.state())).map(|nat| id(nat.nat_gateway_id())),
    );
    assert_eq!(left, Vec::<String>::new(), "EC2");
    let ecs = aws_sdk_ecs::Client::new(&config).list_clusters().send().await.expect("clusters");
    assert!(ecs.cluster_arns().is_empty(), "{:?}", ecs.cluster_arns());
    let balancers = aws_sdk_elasticloadbalancingv2::Client::new(&config)
        .describe_load_balancers()
        .send()
        .await
        .expect("load balancers");
    assert!(balancers.load_balancers().is_empty());
    let clusters =
        aws_sdk_rds::Client::new(&config).describe_db_clusters().send().await.expect("DB clusters");
    assert!(clusters.db_clusters().is_empty());
    let repositories =
        aws_sdk_ecr::Client::new(&config).describe_repositories().send().await.expect("repositories");
    assert!(repositories.repositories().is_empty());
    let buckets = emulator.s3().list_buckets().send().await.expect("buckets");
    let names: Vec<&str> = buckets.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert_eq!(names, [BUCKET], "only the provisioner's own bucket is left");
    let groups = aws_sdk_cloudwatchlogs::Client::new(&config)
        .describe_log_groups()
        .log_group_name_prefix("/ecs/arive-production")
        .send()
        .await;
    assert!(groups.expect("log groups").log_groups().is_empty());
    let roles = aws_sdk_iam::Client::new(&config)
        .list_roles()
        .path_prefix("/stepstack/arive/production/")
        .send()
        .await
        .expect("roles");
    assert!(roles.roles().is_empty());
}

/// No record, report or plan holds the database's password.
async fn no_secret_in_the_record(emulator: &Emulator) {
    let secrets = aws_sdk_secretsmanager::Client::new(&emulator.config());
    let value = secrets
        .get_secret_value()
        .secret_id("arive/production/database-password")
        .send()
        .await
        .expect("the password");
    let password = value.secret_string().expect("a text").to_owned();
    let s3 = emulator.s3();
    let mut pages = s3.list_objects_v2().bucket(BUCKET).into_paginator().send();
    let mut looked_at = 0;
    while let Some(page) = pages.next().await {
        for key in page.expect("a page").contents().iter().filter_map(|object| object.key()) {
            let object = s3.get_object().bucket(BUCKET).key(key).send().await.expect("an object");
            let text = String::from_utf8_lossy(&object.body.collect().await.expect("its bytes").into_bytes())
                .into_owned();
            assert!(!text.contains(&password), "{key} holds the password");
            looked_at += 1;
        }
    }
    assert!(looked_at > 20);
}
