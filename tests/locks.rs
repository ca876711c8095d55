//! One run at a time in an environment, whoever starts it, and a dead run blocks nobody.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::harness::{BUCKET, Emulator};

/// A stack that stands within a second or two.
fn file(environment: &str, count: u32) -> String {
    format!(
        "app = \"arive\"\nenvironment = \"{environment}\"\n[network]\negress = \"public\"\n[services.worker]\ncommand = [\"work\"]\ncount = {count}\n"
    )
}

/// Starts a run of an operation, as the program does; answers its id.
async fn start(
    emulator: &Emulator,
    environment: &str,
    number: u32,
    operation: &str,
    parameters: Value,
) -> String {
    let id = format!("20991231-{number:06}-00aa");
    let request = json!({
        "app": "arive", "environment": environment, "operation": operation, "parameters": parameters, "wait": true,
    });
    let start = aws_sdk_sfn::Client::new(&emulator.config()).start_execution();
    let start = start.state_machine_arn("arn:aws:states:us-east-1:000000000000:stateMachine:stepstack-arive");
    start.name(&id).input(request.to_string()).send().await.expect("it starts");
    id
}

async fn of_run(emulator: &Emulator, environment: &str, run: &str, object: &str) -> Option<Value> {
    emulator.object(&format!("runs/{environment}/{run}/{object}")).await
}

async fn result(emulator: &Emulator, environment: &str, run: &str) -> Value {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_mins(3) {
        if let Some(result) = of_run(emulator, environment, run, "result.json").await {
            return result;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the run {run} did not end within three minutes");
}

async fn desired(emulator: &Emulator, environment: &str) -> i32 {
    let ecs = aws_sdk_ecs::Client::new(&emulator.config());
    let cluster = format!("arive-{environment}");
    let described =
        ecs.describe_services().cluster(cluster).services("worker").send().await.expect("a service");
    described.services()[0].desired_count()
}

/// Milliseconds since the epoch.
fn ms(at: &Value) -> u64 {
    let time: jiff::Timestamp = at.as_str().expect("a time").parse().expect("RFC 3339");
    u64::try_from(time.as_millisecond()).expect("after 1970")
}

/// The first and the last write of a run, by its stages' reports.
async fn writes(emulator: &Emulator, run: &str) -> Option<(u64, u64)> {
    let mut times = Vec::new();
    for stage in statemachine::Stage::ALL {
        let report = of_run(emulator, "production", run, &format!("stages/{stage}.json")).await;
        let items = report.and_then(|report| report["items"].as_array().cloned()).unwrap_or_default();
        for item in items {
            times.extend(item["started_ms"].as_u64());
            times.extend(item["ended_ms"].as_u64());
        }
    }
    Some((*times.iter().min()?, *times.iter().max()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_starts_at_once_run_one_after_another_and_none_is_lost() {
    let emulator = Emulator::start();
    let path = emulator.write("stepstack.toml", &file("production", 1));
    emulator.stepstack(&path, &["apply", "--yes"]).expect(0);
    let generation =
        async || emulator.object("locks/production.json").await.expect("a lock")["generation"].clone();
    let before = generation().await.as_u64().expect("a number");

    let mut ids = Vec::new();
    for number in 0..18 {
        let (operation, parameters) = match number % 3 {
            0 => ("scale", json!({ "counts": { "worker": number + 2 } })),
            1 => ("restart", json!({})),
            _ => ("plan", json!({})),
        };
        ids.push(start(&emulator, "production", number, operation, parameters).await);
    }
    // Two more, by upload: the later one is the newest configuration.
    for count in [3, 4] {
        let body = ByteStream::from(file("production", count).into_bytes());
        let put = emulator.s3().put_object().bucket(BUCKET).key("environments/production.toml").body(body);
        put.send().await.expect("an upload");
    }

    let mut order = BTreeMap::new();
    for id in &ids {
        let result = result(&emulator, "production", id).await;
        let outcome = result["outcome"].as_str().expect("an outcome").to_owned();
        assert!(matches!(outcome.as_str(), "succeeded" | "no-changes" | "planned"), "{id}: {result:#}");
        let request = of_run(&emulator, "production", id, "request.json").await.expect("a request");
        let lock = request["run"]["lock"].as_u64().expect("a generation");
        if outcome != "planned" {
            assert!(
                order.insert(lock, (id.clone(), result)).is_none(),
                "two runs held the lock's generation {lock}"
            );
        }
    }
    // The uploads, and the push of the sample image, have runs of their own; each ends, well or superseded.
    for run in emulator.runs("production").await.iter().filter(|run| !ids.contains(run)) {
        let result = result(&emulator, "production", run).await;
        let outcome = result["outcome"].as_str().expect("an outcome").to_owned();
        assert!(matches!(outcome.as_str(), "succeeded" | "no-changes" | "superseded"), "{run}: {result:#}");
        let request = of_run(&emulator, "production", run, "request.json").await.expect("a request");
        let lock = request["run"]["lock"].as_u64().expect("a generation");
        if lock > before {
            assert!(
                order.insert(lock, (run.clone(), result)).is_none(),
                "two runs held the lock's generation {lock}"
            );
        }
    }

    // Nobody wrote before the one before had ended.
    let mut ended = 0;
    for (id, result) in order.values() {
        if let Some((first, _)) = writes(&emulator, id).await {
            assert!(first >= ended, "{id} wrote while the run before it was at work");
        }
        ended = ms(&result["ended_at"]);
    }
    assert!(order.keys().all(|lock| *lock > before), "each took the lock anew");
    let lock = emulator.object("locks/production.json").await.expect("a lock");
    assert!(lock["holder"].is_null(), "it is free: {lock}");
    let taken = u64::try_from(order.len()).expect("few");
    assert_eq!(lock["generation"], before + taken, "and was taken once by each");

    // The newest configuration wins, with what was laid over the count that it has.
    let stored = emulator.s3().get_object().bucket(BUCKET).key("environments/production.toml").send().await;
    let stored = stored.expect("the file").body.collect().await.expect("all of it").into_bytes();
    assert_eq!(String::from_utf8_lossy(&stored), file("production", 4));
    let intent = emulator.object("intent/production.json").await.expect("an intent");
    let count = intent["counts"]["worker"]["count"].as_i64().unwrap_or(4);
    assert_eq!(i64::from(desired(&emulator, "production").await), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_do_not_wait_for_each_other() {
    let emulator = Emulator::start();
    let files = ["production", "staging"].map(|name| emulator.write(&format!("{name}.toml"), &file(name, 1)));
    for file in &files {
        emulator.stepstack(file, &["apply", "--yes"]).expect(0);
    }
    // One is held: its run waits for a lock that nobody gives back for a while.
    let holder = json!({
        "generation": 100, "stop": null,
        "holder": {
            "run": "20991231-235959-0000", "execution": "arn:aws:states:us-east-1:000000000000:execution:stepstack-arive:none",
            "operation": "apply", "since": "2099-12-31T23:59:59Z",
        },
    });
    let put = emulator.s3().put_object().bucket(BUCKET).key("locks/production.json");
    put.body(ByteStream::from(holder.to_string().into_bytes())).send().await.expect("it is put");
    let waits = start(&emulator, "production", 1, "scale", json!({ "counts": { "worker": 2 } })).await;
    let goes = start(&emulator, "staging", 2, "scale", json!({ "counts": { "worker": 2 } })).await;
    let result = result(&emulator, "staging", &goes).await;
    assert_eq!(result["outcome"], "succeeded", "{result:#}");
    assert!(of_run(&emulator, "production", &waits, "result.json").await.is_none(), "the other waits still");
    let request = of_run(&emulator, "production", &waits, "request.json").await.expect("a request");
    assert_eq!(request["waits_for"], "20991231-235959-0000", "and says for whom");

    // An operation that does not wait says so at once, and exits with 4.
    let told = emulator.run(&["--local", "--stack", "arive/production", "scale", "worker=3"]).expect(4);
    assert!(format!("{}{}", told.stdout, told.stderr).contains("20991231-235959-0000"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_taken_over_after_its_functions_time_and_the_next_goes_on_from_there() {
    let emulator = Emulator::start();
    let path = emulator.write("stepstack.toml", &file("production", 1));
    // Killed while it makes the stack, as soon as it has written anything.
    let child = std::thread::spawn({
        let (emulator, path) = (emulator.clone_for_thread(), path.clone());
        move || emulator.run(&["--local", "-c", path.to_str().expect("a path"), "apply", "--yes"])
    });
    let begin = Instant::now();
    let killed = loop {
        assert!(begin.elapsed() < Duration::from_mins(2), "no run has begun to write within two minutes");
        if let Some(run) =
            emulator.runs_exist().await.iter().find_map(|key| key.strip_suffix("/stages/network.json"))
        {
            break run.rsplit('/').next().expect("a run").to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let execution = format!("arn:aws:states:us-east-1:000000000000:execution:stepstack-arive:{killed}");
    let sfn = aws_sdk_sfn::Client::new(&emulator.config());
    sfn.stop_execution().execution_arn(execution).send().await.expect("it is stopped");
    let stopped = Instant::now();
    let told = child.join().expect("the program ends");
    if of_run(&emulator, "production", &killed, "result.json").await.is_some() {
        // It was faster than the hand that killed it; there is nothing to take over.
        return;
    }
    assert_eq!(told.code, 1, "who follows it is told that it ended: {told}");

    let next = emulator.stepstack(&path, &["apply", "--yes"]).expect(0);
    assert!(
        stopped.elapsed() >= Duration::from_secs(59),
        "a function of the dead run might still have written: {next}"
    );
    emulator.stepstack(&path, &["plan", "--detailed-exitcode"]).expect(0);
    let ec2 = aws_sdk_ec2::Client::new(&emulator.config());
    let ours =
        aws_sdk_ec2::types::Filter::builder().name("tag:stepstack:stack").values("arive/production").build();
    let vpcs = ec2.describe_vpcs().filters(ours).send().await.expect("VPCs");
    assert_eq!(vpcs.vpcs().len(), 1, "and nothing is there twice");
    emulator.stepstack(&path, &["destroy", "--yes", "--delete-data"]).expect(0);
}
