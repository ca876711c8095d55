//! No secret value stands in any log, payload, record, plan or error: a search through all that a stack's life leaves.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::types::Filter;
use aws_sdk_secretsmanager::types::FilterNameStringType::Name;
use statemachine::message::{Operation, Parameters};

use crate::harness::{BUCKET, Done, Emulator};
use crate::lifecycle::example;
use crate::operate::Runs;
use crate::strict::{Fault, Settings};

/// Everything that was said or written, by where it stands.
type Said = BTreeMap<String, String>;

/// Every value that the stack's secrets hold or held.
async fn values(emulator: &Emulator) -> Vec<String> {
    let client = aws_sdk_secretsmanager::Client::new(&emulator.config());
    let ours = Filter::builder().key(Name).values("arive/production/").build();
    let listed = client.list_secrets().filters(ours).send().await.expect("secrets");
    let mut values = Vec::new();
    for secret in listed.secret_list() {
        let id = secret.arn().expect("an ARN");
        let versions = client.list_secret_version_ids().secret_id(id).include_deprecated(true).send().await;
        for version in versions.expect("versions").versions() {
            let get =
                client.get_secret_value().secret_id(id).version_id(version.version_id().expect("an id"));
            if let Ok(value) = get.send().await {
                values.extend(value.secret_string().map(str::to_owned));
            }
        }
    }
    values
}

/// Every version of every object of the provisioner's bucket.
async fn records(emulator: &Emulator, said: &mut Said) {
    let s3 = emulator.s3();
    let listed = s3.list_object_versions().bucket(BUCKET).send().await.expect("versions");
    assert_ne!(listed.is_truncated(), Some(true), "all are in one page");
    for version in listed.versions() {
        let (key, id) = (version.key().expect("a key"), version.version_id().expect("an id"));
        let object = s3.get_object().bucket(BUCKET).key(key).version_id(id).send().await.expect("an object");
        let bytes = object.body.collect().await.expect("its bytes").into_bytes();
        said.insert(format!("s3 {key} {id}"), String::from_utf8_lossy(&bytes).into_owned());
    }
}

/// Every execution's input, output and history, with the data of its events.
async fn executions(emulator: &Emulator, said: &mut Said) {
    let sfn = aws_sdk_sfn::Client::new(&emulator.config());
    let machine = "arn:aws:states:us-east-1:000000000000:stateMachine:stepstack-arive";
    let listed = sfn.list_executions().state_machine_arn(machine).into_paginator().items().send();
    for execution in listed.collect::<Result<Vec<_>, _>>().await.expect("executions") {
        let arn = execution.execution_arn();
        let described = sfn.describe_execution().execution_arn(arn).send().await.expect("an execution");
        let history = sfn.get_execution_history().execution_arn(arn).include_execution_data(true);
        let pages = history.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let events = pages.expect("a history");
        // One by one: the SDK's Debug leaves out what AWS calls sensitive.
        let mut all = vec![described.input(), described.output(), described.error(), described.cause()];
        for event in &events {
            all.push(event.execution_started_event_details().and_then(|details| details.input()));
            all.push(event.state_entered_event_details().and_then(|details| details.input()));
            all.push(event.state_exited_event_details().and_then(|details| details.output()));
            all.push(event.task_scheduled_event_details().map(|details| details.parameters()));
            all.push(event.task_succeeded_event_details().and_then(|details| details.output()));
            all.push(event.task_failed_event_details().and_then(|details| details.cause()));
            all.push(event.execution_failed_event_details().and_then(|details| details.cause()));
        }
        said.insert(format!("execution {arn}"), all.into_iter().flatten().collect::<Vec<_>>().join("\n"));
    }
}

/// What the functions and the tasks have logged.
async fn logs(emulator: &Emulator, said: &mut Said) {
    let client = aws_sdk_cloudwatchlogs::Client::new(&emulator.config());
    let groups = client.describe_log_groups().send().await.expect("log groups");
    for group in groups.log_groups().iter().filter_map(|group| group.log_group_name()) {
        let pages = client.filter_log_events().log_group_name(group).into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.expect("events");
        let events = pages.iter().flat_map(|page| page.events());
        let lines: Vec<&str> = events.filter_map(|event| event.message()).collect();
        said.insert(format!("log {group}"), lines.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_value_is_in_any_log_payload_record_or_error() {
    let emulator = Emulator::start();
    let text = std::fs::read_to_string(example()).expect("the example");
    let file = emulator.write("stepstack.toml", &text);
    let (mut said, mut secret) = (Said::new(), Vec::new());
    let mut run = |arguments: &[&str], code: i32| {
        let done: Done = emulator.stepstack(&file, arguments).expect(code);
        said.insert(format!("stepstack {}", arguments.join(" ")), done.to_string());
    };

    run(&["apply", "--yes"], 0);
    secret.extend(values(&emulator).await);
    run(&["rotate", "--yes"], 0);
    secret.extend(values(&emulator).await);
    for arguments in [
        &["plan"][..],
        &["plan", "--json"],
        &["status"],
        &["status", "--json"],
        &["runs", "--json"],
        &["output"],
        &["state", "list"],
        &["state", "pull"],
        &["state", "show", "db-cluster/main"],
        &["state", "show", "secret/database-password"],
        &["state", "show", "secret/database-url"],
        &["state", "show", "service/api"],
        &["logs"],
    ] {
        run(arguments, 0);
    }
    // Calls that carry a secret fail, in AWS's words.
    for (service, operation) in [("rds", "ModifyDBCluster"), ("secretsmanager", "PutSecretValue")] {
        let faults = Some(vec![Fault::new(service, operation, "denied")]);
        emulator.strict().configure(&Settings { faults, ..Settings::default() });
        run(&["rotate", "--yes", "--json"], 1);
        emulator.strict().configure(&Settings { faults: Some(vec![]), ..Settings::default() });
        secret.extend(values(&emulator).await);
    }
    let command = Parameters { command: vec!["env".to_owned()], ..Parameters::default() };
    Runs::of(&emulator).succeeds(Operation::Run, command).await;
    run(&["apply", "--yes", "--json"], 0);
    records(&emulator, &mut said).await;
    executions(&emulator, &mut said).await;
    logs(&emulator, &mut said).await;
    let destroyed = emulator.stepstack(&file, &["destroy", "--yes", "--delete-data"]).expect(0);
    said.insert("stepstack destroy".to_owned(), destroyed.to_string());
    records(&emulator, &mut said).await;
    executions(&emulator, &mut said).await;
    logs(&emulator, &mut said).await;

    secret.sort();
    secret.dedup();
    // Passwords, and the URLs that hold them.
    assert!(secret.len() >= 4, "a rotation makes two more of two: {}", secret.len());
    assert!(secret.iter().all(|value| value.len() >= 32), "what is short would be found anywhere");
    // The search finds what is no secret in the same places.
    for (place, known) in [
        ("s3 runs/", "db-cluster/main"),
        ("s3 runs/", "postgres"),
        ("execution ", "db-cluster/main"),
        ("log /aws/lambda/stepstack-arive-database", "tick"),
        ("log /aws/lambda/stepstack-arive-control", "join"),
        ("stepstack plan --json", "db-cluster/main"),
        ("stepstack state show db-cluster/main", "arive-production-1"),
    ] {
        let found = said.iter().any(|(name, text)| name.starts_with(place) && text.contains(known));
        let places: Vec<_> = said.keys().filter(|name| name.starts_with(place)).collect();
        assert!(found, "{known:?} stands in {place:?}: {places:?}");
    }
    for (place, text) in &said {
        for value in &secret {
            assert!(!text.contains(value.as_str()), "{place} holds a secret");
        }
    }
}
