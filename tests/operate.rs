//! The day-to-day of a running environment: each operation is a run of its own, through the real machine.

use std::collections::BTreeMap;

use serde_json::Value;
use statemachine::message::{ObjectVersion, Operation, Parameters, Request};
use statemachine::resource::Options;

use crate::harness::{BUCKET, Emulator};
use crate::strict::{FailedTask, Settings};

const FILE: &str = r#"app = "arive"
environment = "production"

[network]
egress = "nat"

[services.api]
port = 8000

[services.worker]
command = ["work"]

[database]
engine_version = "15"

[uploads]
bucket = "arive-uploads-production"
"#;

/// Runs of one environment, started as the program starts them.
pub(crate) struct Runs<'a> {
    emulator: &'a Emulator,
    started: u32,
}

impl<'a> Runs<'a> {
    pub(crate) fn of(emulator: &'a Emulator) -> Self {
        Self { emulator, started: 0 }
    }

    async fn start(&mut self, operation: Operation, parameters: Parameters) -> String {
        self.started += 1;
        let id = format!("20991231-{:06}-00aa", self.started);
        let request = Request {
            app: "arive".to_owned(),
            environment: "production".to_owned(),
            operation,
            config_key: None,
            plan: None,
            parameters,
            wait: true,
            options: Options::default(),
            caller: Some("arn:aws:iam::000000000000:user/ann".to_owned()),
        };
        let sfn = aws_sdk_sfn::Client::new(&self.emulator.config());
        sfn.start_execution()
            .state_machine_arn("arn:aws:states:us-east-1:000000000000:stateMachine:stepstack-arive")
            .name(&id)
            .input(serde_json::to_string(&request).expect("a request is JSON"))
            .send()
            .await
            .expect("it starts");
        id
    }

    /// Starts a run and answers its result once it has ended.
    pub(crate) async fn run(&mut self, operation: Operation, parameters: Parameters) -> Value {
        let id = self.start(operation, parameters).await;
        self.result(&id).await
    }

    async fn result(&self, id: &str) -> Value {
        for _ in 0..600 {
            let key = format!("runs/production/{id}/result.json");
            if let Some(result) = self.emulator.object(&key).await {
                return result;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the run {id} did not end within a minute");
    }

    pub(crate) async fn succeeds(&mut self, operation: Operation, parameters: Parameters) -> Value {
        let result = self.run(operation, parameters).await;
        assert_eq!(result["outcome"], "succeeded", "{operation:?}: {result:#}");
        result
    }
}

/// What the services run and how many: name, image's digest, desired count, task definition.
async fn services(emulator: &Emulator) -> BTreeMap<String, (String, i32, String)> {
    let ecs = aws_sdk_ecs::Client::new(&emulator.config());
    let described = ecs.describe_services().cluster("arive-production").services("api").services("worker");
    let described = described.send().await.expect("services");
    let mut found = BTreeMap::new();
    for service in described.services() {
        let arn = service.task_definition().expect("a task definition").to_owned();
        let definition =
            ecs.describe_task_definition().task_definition(&arn).send().await.expect("it is there");
        let image =
            definition.task_definition().expect("it").container_definitions()[0].image().expect("an image");
        let digest = image.split_once('@').expect("a digest").1.to_owned();
        let name = service.service_name().expect("a name").to_owned();
        found.insert(name, (digest, service.desired_count(), arn));
    }
    found
}

async fn intent(emulator: &Emulator) -> Value {
    emulator.object("intent/production.json").await.expect("an intent")
}

fn counts(count: u32) -> Parameters {
    Parameters { counts: [("worker".to_owned(), Some(count))].into(), ..Parameters::default() }
}

/// Nothing is to do for the file, and the plan's notes say what is laid over it.
fn in_sync(emulator: &Emulator, file: &std::path::Path) -> String {
    let plan = emulator.stepstack(file, &["plan", "--json", "--detailed-exitcode"]).expect(0).json();
    plan["notes"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_environment_is_operated_by_runs() {
    let emulator = Emulator::start();
    let file = emulator.write("stepstack.toml", FILE);
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    let mut runs = Runs::of(&emulator);

    releases(&emulator, &mut runs, &file).await;
    counts_and_restarts(&emulator, &mut runs, &file).await;
    commands(&emulator, &mut runs, &file).await;
    passwords(&emulator, &mut runs, &file).await;
    snapshots(&emulator, &mut runs, &file).await;
    pause(&emulator, &mut runs, &file).await;
    uploads(&emulator, &mut runs).await;
    looks(&emulator, &file);
    emulator.stepstack(&file, &["destroy", "--yes", "--delete-data"]).expect(0);
    let refused = runs.run(Operation::Scale, counts(2)).await;
    assert_eq!(refused["outcome"], "refused");
    assert!(refused["message"].as_str().expect("words").contains("arive/production does not exist"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_that_fails_puts_every_service_back() {
    let emulator = Emulator::start();
    let file = emulator.write("stepstack.toml", FILE);
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    let before = services(&emulator).await;
    let digest = push(&emulator, &file, "v2").await;
    let task = FailedTask {
        stop_code: "EssentialContainerExited",
        stopped_reason: "Essential container in task exited",
        exit_code: Some(3),
        log: vec!["ImportError: no module named workers"],
        times: 1,
    };
    let failing_services = BTreeMap::from([("worker", task)]);
    emulator.strict().configure(&Settings { failing_services, ..Settings::default() });
    let mut runs = Runs::of(&emulator);
    let deploy = Parameters { image: Some(digest), ..Parameters::default() };
    let failed = runs.run(Operation::Deploy, deploy.clone()).await;
    assert_eq!(failed["outcome"], "failed", "{failed:#}");
    let message = failed["message"].as_str().expect("words");
    assert!(message.contains("service/worker"), "it says what failed: {message}");
    assert!(
        message.contains(&format!("Every service runs what it ran before: {}", before["api"].0)),
        "{message}"
    );
    assert!(failed["diagnosis"]["evidence"].to_string().contains("ImportError"), "and why: {failed:#}");
    assert_eq!(services(&emulator).await, before, "the one that had moved is back, and so is the other");
    assert_eq!(emulator.object("intent/production.json").await.expect("an intent")["releases"], 1);
    assert!(emulator.object("locks/production.json").await.expect("a lock")["holder"].is_null());

    // The same again, where it succeeds.
    runs.succeeds(Operation::Deploy, deploy).await;
    emulator.strict().record().is_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled_and_the_next_goes_on_from_where_it_was() {
    let emulator = Emulator::start();
    // Long enough for a hand to come between.
    let seconds = BTreeMap::from([("db-instance", 8.0)]);
    emulator.strict().configure(&Settings { seconds, ..Settings::default() });
    let file = emulator.write("stepstack.toml", FILE);
    let started = emulator.stepstack(&file, &["apply", "--yes", "--detach", "--json"]).expect(0).json();
    let id = started["run"].as_str().expect("a run").to_owned();
    for _ in 0..600 {
        if emulator.object(&format!("runs/production/{id}/stages/database.json")).await.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // Behind it a second one waits for its turn: that one can simply end.
    let mut runs = Runs::of(&emulator);
    let waits = runs.start(Operation::Apply, Parameters::default()).await;
    for _ in 0..200 {
        if emulator.object(&format!("runs/production/{waits}/request.json")).await.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let told = emulator.stepstack(&file, &["cancel", &waits]).expect(0);
    assert!(told.stdout.contains("has changed nothing"), "{told}");
    let waited = runs.result(&waits).await;
    assert_eq!(waited["outcome"], "stopped", "{waited:#}");

    emulator.stepstack(&file, &["cancel", &id]).expect(0);
    let result = runs.result(&id).await;
    assert_eq!(result["outcome"], "stopped", "{result:#}");
    assert!(result["message"].as_str().expect("words").contains("cancelled by"), "{result:#}");
    emulator.stepstack(&file, &["cancel", &id]).expect(4);
    emulator.stepstack(&file, &["cancel", "20200101-000000-0000"]).expect(4);

    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    in_sync(&emulator, &file);
    emulator.strict().record().is_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_burst_of_pushes_the_newest_wins_and_the_others_say_so() {
    let emulator = Emulator::start();
    let file = emulator.write("stepstack.toml", FILE);
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    let known = emulator.runs("production").await;
    for _ in 0..4 {
        emulator.stepstack(&file, &["local", "push"]).expect(0);
    }
    let ecr = aws_sdk_ecr::Client::new(&emulator.config());
    let tagged = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag("latest").build();
    let newest = ecr.describe_images().repository_name("arive/production").image_ids(tagged).send().await;
    let newest = newest.expect("the image").image_details()[0].image_digest().expect("a digest").to_owned();
    let mut ids = Vec::new();
    for _ in 0..600 {
        ids = emulator.runs("production").await.into_iter().filter(|run| !known.contains(run)).collect();
        if ids.len() == 4 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(ids.len(), 4, "each push has a run: {ids:?}");
    let runs = Runs::of(&emulator);
    let mut outcomes = Vec::new();
    for id in &ids {
        let outcome = runs.result(id).await["outcome"].as_str().expect("an outcome").to_owned();
        assert!(matches!(outcome.as_str(), "succeeded" | "superseded" | "no-changes"), "{id}: {outcome}");
        outcomes.push(outcome);
    }
    assert!(outcomes.iter().any(|outcome| outcome == "succeeded"), "{outcomes:?}");
    assert!(
        services(&emulator).await.values().all(|(runs, _, _)| *runs == newest),
        "the newest runs: {outcomes:?}"
    );
}

/// Pushes another sample image under a tag; answers its digest.
async fn push(emulator: &Emulator, file: &std::path::Path, tag: &str) -> String {
    emulator.stepstack(file, &["local", "push", "--tag", tag]).expect(0);
    let ecr = aws_sdk_ecr::Client::new(&emulator.config());
    let tagged = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag(tag).build();
    let pushed = ecr.describe_images().repository_name("arive/production").image_ids(tagged).send().await;
    pushed.expect("the image").image_details()[0].image_digest().expect("a digest").to_owned()
}

async fn releases(emulator: &Emulator, runs: &mut Runs<'_>, file: &std::path::Path) {
    let first = services(emulator).await;
    let digest = push(emulator, file, "v2").await;
    let deploy =
        Parameters { image: Some(digest.clone()), tag: Some("v2".to_owned()), ..Parameters::default() };
    let result = runs.succeeds(Operation::Deploy, deploy.clone()).await;
    assert_eq!(result["outputs"]["release"], "2");
    let second = services(emulator).await;
    assert!(second.values().all(|(runs, _, _)| *runs == digest), "both move together: {second:?}");
    let release = emulator.object("releases/production/000002.json").await.expect("a record");
    assert_eq!(
        (&release["digest"], &release["tag"], &release["operation"], &release["caller"]),
        (
            &digest.clone().into(),
            &"v2".into(),
            &"deploy".into(),
            &"arn:aws:iam::000000000000:user/ann".into()
        )
    );
    assert_eq!(release["task_definitions"]["api"], second["api"].2.clone());
    assert!(release["duration_ms"].as_u64().is_some_and(|ms| ms > 0));

    let again = runs.run(Operation::Deploy, deploy).await;
    assert_eq!(again["outcome"], "no-changes", "the same image is no second release: {again:#}");

    let result = runs.succeeds(Operation::Rollback, Parameters::default()).await;
    assert_eq!(result["outputs"]["release"], "3", "a rollback is a release of its own");
    let third = services(emulator).await;
    assert!(third.iter().all(|(name, (runs, _, _))| *runs == first[name].0), "{third:?}");
    in_sync(emulator, file);

    let missing =
        runs.run(Operation::Rollback, Parameters { release: Some(9), ..Parameters::default() }).await;
    assert_eq!(missing["outcome"], "refused");
    assert!(missing["message"].as_str().expect("words").contains("There is no release 9. There are 1 to 3"));
    let absent = Parameters { image: Some(format!("sha256:{}", "9".repeat(64))), ..Parameters::default() };
    let absent = runs.run(Operation::Deploy, absent).await;
    assert_eq!(absent["outcome"], "failed", "{absent:#}");
    assert!(absent["message"].as_str().expect("words").contains("is not in the repository"), "{absent:#}");
    assert_eq!(services(emulator).await, third, "and what runs is untouched");
}

async fn counts_and_restarts(emulator: &Emulator, runs: &mut Runs<'_>, file: &std::path::Path) {
    runs.succeeds(Operation::Scale, counts(3)).await;
    assert_eq!(services(emulator).await["worker"].1, 3);
    let notes = in_sync(emulator, file);
    assert!(notes.contains("worker runs 3 tasks instead of the file's 1: set by scale on"), "{notes}");
    emulator.stepstack(file, &["apply", "--yes"]).expect(0);
    assert_eq!(services(emulator).await["worker"].1, 3, "it survives an apply");
    let miss = Parameters { counts: [("wroker".to_owned(), Some(2))].into(), ..Parameters::default() };
    let miss = runs.run(Operation::Scale, miss).await;
    assert_eq!(miss["message"], "There is no service \"wroker\". Did you mean \"worker\"?");

    let before = services(emulator).await;
    let restart = Parameters { services: vec!["api".to_owned()], ..Parameters::default() };
    runs.succeeds(Operation::Restart, restart).await;
    let after = services(emulator).await;
    assert_ne!(before["api"].2, after["api"].2, "another revision");
    assert_eq!(before["api"].0, after["api"].0, "of the same image");
    assert_eq!(before["worker"], after["worker"], "and only of the one that was named");

    // The file's own count takes over as soon as it changes.
    let grown = emulator.write("grown.toml", &FILE.replace("[\"work\"]", "[\"work\"]\ncount = 2"));
    emulator.stepstack(&grown, &["apply", "--yes"]).expect(0);
    assert_eq!(services(emulator).await["worker"].1, 2);
    emulator.stepstack(file, &["apply", "--yes"]).expect(0);
    assert_eq!(services(emulator).await["worker"].1, 1);
    assert_eq!(intent(emulator).await["counts"], serde_json::json!({}));
}

async fn commands(emulator: &Emulator, runs: &mut Runs<'_>, file: &std::path::Path) {
    let command = |words: &[&str]| Parameters {
        command: words.iter().map(|word| (*word).to_owned()).collect(),
        services: vec!["worker".to_owned()],
        ..Parameters::default()
    };
    let result = runs.succeeds(Operation::Run, command(&["sh", "-c", "echo hello"])).await;
    assert_eq!(result["exit_code"], 0);
    let result = runs.run(Operation::Run, command(&["sh", "-c", "echo oh no; exit 4"])).await;
    assert_eq!((&result["outcome"], &result["exit_code"]), (&"failed".into(), &4.into()), "{result:#}");
    let evidence = result["diagnosis"]["evidence"].to_string();
    assert!(evidence.contains("oh no"), "the last lines of its log: {evidence}");

    // The program streams the log and hands on the exit code; the log is there afterwards, too.
    let ran = emulator
        .stepstack(file, &["run", "--service", "worker", "--", "sh", "-c", "echo from a task; exit 7"]);
    assert_eq!(ran.code, 7, "{ran}");
    assert!(ran.stdout.contains("from a task"), "{ran}");
    let logs = emulator.stepstack(file, &["logs", "worker", "--since", "10m", "--json"]).expect(0);
    assert!(
        logs.stdout.lines().any(|line| line.contains("from a task") && line.contains("\"worker\"")),
        "{logs}"
    );
    emulator.stepstack(file, &["logs", "wroker"]).expect(4);

    // The release command goes before the traffic: where it fails, nothing moves.
    let before = services(emulator).await;
    let releasing = |exit: u32| {
        format!("{FILE}\n[release]\ncommand = [\"sh\", \"-c\", \"echo migrating; exit {exit}\"]\n")
    };
    let fails = emulator.write("fails.toml", &releasing(3));
    emulator.stepstack(&fails, &["apply", "--yes"]).expect(0);
    let digest = push(emulator, file, "v3").await;
    let deploy = Parameters { image: Some(digest.clone()), ..Parameters::default() };
    let failed = runs.run(Operation::Deploy, deploy.clone()).await;
    assert_eq!(failed["outcome"], "failed");
    let message = failed["message"].as_str().expect("words");
    assert!(
        message.contains("exited with 3") && message.contains("Every service runs what it ran before"),
        "{message}"
    );
    assert!(failed["diagnosis"]["evidence"].to_string().contains("migrating"), "{failed:#}");
    assert_eq!(services(emulator).await, before, "the old version is untouched");

    let good = emulator.write("good.toml", &releasing(0));
    emulator.stepstack(&good, &["apply", "--yes"]).expect(0);
    runs.succeeds(Operation::Deploy, deploy).await;
    assert!(services(emulator).await.values().all(|(runs, _, _)| *runs == digest));
    emulator.stepstack(file, &["apply", "--yes"]).expect(0);
}

async fn passwords(emulator: &Emulator, runs: &mut Runs<'_>, file: &std::path::Path) {
    let secrets = aws_sdk_secretsmanager::Client::new(&emulator.config());
    let value = async |name: &str| {
        let value = secrets.get_secret_value().secret_id(format!("arive/production/{name}")).send().await;
        value.expect("a secret").secret_string().expect("a value").to_owned()
    };
    let (password, before) = (value("database-password").await, services(emulator).await);
    let result = runs.succeeds(Operation::Rotate, Parameters::default()).await;
    assert!(result["message"].as_str().expect("words").contains("New connections of old tasks failed for"));
    let next = value("database-password").await;
    assert_ne!(password, next);
    assert!(value("database-url").await.contains(&next), "the URL follows");
    let after = services(emulator).await;
    assert!(
        before.iter().all(|(name, (_, _, definition))| *definition != after[name].2),
        "tasks are replaced"
    );
    in_sync(emulator, file);

    // No value of it stands anywhere in the record.
    let s3 = emulator.s3();
    for key in emulator.runs_exist().await {
        let object = s3.get_object().bucket(BUCKET).key(&key).send().await.expect("an object");
        let bytes = object.body.collect().await.expect("all of it").into_bytes();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&password) && !text.contains(&next), "{key} holds a password");
    }
}

/// What the program tells of a running environment, and the files that it writes for it.
fn looks(emulator: &Emulator, file: &std::path::Path) {
    let status = emulator.stepstack(file, &["status"]).expect(0).stdout;
    for part in ["api", "worker", "1 of 1", "arive-production-2", "0.5 to 4 ACU", "no data"] {
        assert!(status.contains(part), "status shows {part:?}:\n{status}");
    }
    let all = emulator.stepstack(file, &["state", "pull"]).expect(0).json();
    let names: Vec<&str> =
        all.as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    for name in ["vpc/main", "service/api", "db-cluster/main", "bucket/uploads", "role/task"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    let listed = emulator.stepstack(file, &["runs", "--json"]).expect(0).json();
    let newest = listed.as_array().and_then(|runs| runs.first()).and_then(|run| run["run"].as_str());
    let shown = emulator.stepstack(file, &["runs", "show", newest.expect("a run")]).expect(0);
    assert!(shown.stdout.contains("arive/production"), "{shown}");
    emulator.stepstack(file, &["init", "--github"]).expect(0);
    emulator.stepstack(file, &["bootstrap", "--github", "acme/arive"]).expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_fails_brings_the_old_password_back_everywhere() {
    let emulator = Emulator::start();
    let file = emulator.write("stepstack.toml", FILE);
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    let secrets = aws_sdk_secretsmanager::Client::new(&emulator.config());
    let value = async |name: &str| {
        let value = secrets.get_secret_value().secret_id(format!("arive/production/{name}")).send().await;
        value.expect("a secret").secret_string().expect("a value").to_owned()
    };
    let before = value("database-password").await;
    let task = FailedTask {
        stop_code: "EssentialContainerExited",
        stopped_reason: "Essential container in task exited",
        exit_code: Some(1),
        log: vec!["password authentication failed"],
        times: 1,
    };
    let failing_services = BTreeMap::from([("worker", task)]);
    emulator.strict().configure(&Settings { failing_services, ..Settings::default() });
    let mut runs = Runs::of(&emulator);
    let failed = runs.run(Operation::Rotate, Parameters::default()).await;
    assert_eq!(failed["outcome"], "failed", "{failed:#}");
    assert!(
        failed["message"].as_str().expect("words").contains("Every service runs what it ran before"),
        "{failed:#}"
    );
    assert_eq!(value("database-password").await, before);
    assert!(value("database-url").await.contains(&before));
    in_sync(&emulator, &file);

    runs.succeeds(Operation::Rotate, Parameters::default()).await;
    assert_ne!(value("database-password").await, before);
    emulator.strict().record().is_sound();
}

async fn snapshots(emulator: &Emulator, runs: &mut Runs<'_>, file: &std::path::Path) {
    let rds = aws_sdk_rds::Client::new(&emulator.config());
    let named = |name: &str| Parameters { snapshot: Some(name.to_owned()), ..Parameters::default() };
    runs.succeeds(Operation::SnapshotCreate, named("before")).await;
    let missing = runs.run(Operation::Restore, named("befor")).await;
    assert_eq!(missing["outcome"], "blocked", "{missing:#}");
    assert!(
        missing["message"].as_str().expect("words").contains("There is no snapshot arive-production-befor")
    );
    assert_eq!(intent(emulator).await["database"]["generation"], 1, "a refused restore leaves no trace");

    runs.succeeds(Operation::Restore, named("before")).await;
    let clusters = rds.describe_db_clusters().send().await.expect("clusters");
    let kept: BTreeMap<&str, bool> = clusters
        .db_clusters()
        .iter()
        .map(|cluster| {
            let kept = cluster.tag_list().iter().any(|tag| tag.key() == Some("stepstack:kept"));
            (cluster.db_cluster_identifier().expect("an identifier"), kept)
        })
        .collect();
    assert_eq!(kept, BTreeMap::from([("arive-production-1", true), ("arive-production-2", false)]));
    let instances = rds.describe_db_instances().send().await.expect("instances");
    let instances: Vec<_> =
        instances.db_instances().iter().filter_map(|instance| instance.db_cluster_identifier()).collect();
    assert_eq!(instances, ["arive-production-2"], "the earlier cluster has none any more");
    let plan = emulator.stepstack(file, &["plan", "--detailed-exitcode"]).expect(0);
    assert!(plan.stdout.contains("db-cluster/1"), "it is shown as kept: {plan}");
    runs.succeeds(Operation::SnapshotForget, named("arive-production-1")).await;
    let clusters = rds.describe_db_clusters().send().await.expect("clusters");
    assert_eq!(clusters.db_clusters().len(), 1);
    runs.succeeds(Operation::SnapshotForget, named("before")).await;
}

async fn pause(emulator: &Emulator, runs: &mut Runs<'_>, file: &std::path::Path) {
    let ec2 = aws_sdk_ec2::Client::new(&emulator.config());
    let gateways = async || {
        let all = ec2.describe_nat_gateways().send().await.expect("NAT gateways");
        all.nat_gateways()
            .iter()
            .filter(|one| one.state().is_some_and(|state| state.as_str() == "available"))
            .count()
    };
    let addresses = async || ec2.describe_addresses().send().await.expect("addresses").addresses().len();
    let address = addresses().await;
    runs.succeeds(Operation::Pause, Parameters::default()).await;
    let paused = services(emulator).await;
    assert!(paused.values().all(|(_, count, _)| *count == 0), "{paused:?}");
    assert_eq!((gateways().await, addresses().await), (0, address), "the gateway goes, its address stays");
    assert!(in_sync(emulator, file).contains("The environment is paused"));
    let refused = runs.run(Operation::Scale, counts(2)).await;
    assert!(refused["message"].as_str().expect("words").contains("stepstack resume"), "{refused:#}");

    // A push is noted, and deployed when the pause ends.
    emulator.stepstack(file, &["local", "push"]).expect(0);
    let digest = noted_push(emulator).await;
    runs.succeeds(Operation::Resume, Parameters::default()).await;
    let resumed = services(emulator).await;
    assert!(resumed.values().all(|(runs, count, _)| *runs == digest && *count == 1), "{resumed:?}");
    assert_eq!(gateways().await, 1);
    let twice = runs.run(Operation::Resume, Parameters::default()).await;
    assert_eq!(twice["outcome"], "no-changes");
}

/// The image that a push during the pause has left in the intent.
async fn noted_push(emulator: &Emulator) -> String {
    for _ in 0..300 {
        if let Some(digest) = intent(emulator).await["pushed"]["digest"].as_str() {
            return digest.to_owned();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the push was not noted within half a minute");
}

async fn uploads(emulator: &Emulator, runs: &mut Runs<'_>) {
    let s3 = emulator.s3();
    let bucket = "arive-uploads-production";
    let put = async |text: &'static str| {
        let put = s3.put_object().bucket(bucket).key("a b/c.txt").body(text.as_bytes().to_vec().into());
        let put = put.send().await.expect("it is put");
        (
            put.version_id().expect("a version").to_owned(),
            put.e_tag().expect("an ETag").trim_matches('"').to_owned(),
        )
    };
    let (version, etag) = put("first").await;
    put("second").await;
    let object = ObjectVersion { key: "a b/c.txt".to_owned(), version, etag };
    let restore = Parameters { object: Some(object), ..Parameters::default() };
    runs.succeeds(Operation::RestoreObject, restore.clone()).await;
    let now = s3.get_object().bucket(bucket).key("a b/c.txt").send().await.expect("the object");
    assert_eq!(now.body.collect().await.expect("all of it").into_bytes().as_ref(), b"first");
    let again = runs.run(Operation::RestoreObject, restore).await;
    assert_eq!(again["outcome"], "no-changes");
}
