//! The operations: what each asks the engine for, and what is refused before it is asked.

use record::lock::{Holder, Lock};
use serde_json::json;
use statemachine::message::{Operation, Outcome, RunResult};

use crate::fake::{Execution, Fake, World};
use crate::terminal::type_in;
use crate::{Place, RUN, document, record, result, text, world};

/// A stack with everything that can be operated.
pub(crate) const FILE: &str = r#"app = "arive"
environment = "production"
[services.api]
port = 8000
exec = true
read_only_root = false
[services.worker]
command = ["work"]
[database]
[uploads]
bucket = "arive-uploads"
"#;

const SNAPSHOTS: &str = r"<DescribeDBClusterSnapshotsResponse><DescribeDBClusterSnapshotsResult><DBClusterSnapshots>
<DBClusterSnapshot><DBClusterSnapshotIdentifier>arive-production-before</DBClusterSnapshotIdentifier><Status>available</Status>
<SnapshotCreateTime>2026-11-20T10:00:00Z</SnapshotCreateTime>
<TagList><Tag><Key>stepstack:stack</Key><Value>arive/production</Value></Tag></TagList></DBClusterSnapshot>
<DBClusterSnapshot><DBClusterSnapshotIdentifier>somebody-elses</DBClusterSnapshotIdentifier><Status>available</Status></DBClusterSnapshot>
</DBClusterSnapshots></DescribeDBClusterSnapshotsResult></DescribeDBClusterSnapshotsResponse>";

const VERSIONS: &str = r#"<ListVersionsResult><IsTruncated>false</IsTruncated>
<Version><Key>a.png</Key><VersionId>new</VersionId><IsLatest>true</IsLatest><LastModified>2026-11-23T10:00:00Z</LastModified><ETag>"e3"</ETag></Version>
<Version><Key>a.png</Key><VersionId>middle</VersionId><IsLatest>false</IsLatest><LastModified>2026-11-22T10:00:00Z</LastModified><ETag>"e2"</ETag></Version>
<Version><Key>a.png</Key><VersionId>old</VersionId><IsLatest>false</IsLatest><LastModified>2026-11-21T10:00:00Z</LastModified><ETag>"e1"</ETag></Version>
<Version><Key>a.png.bak</Key><VersionId>other</VersionId><IsLatest>false</IsLatest><LastModified>2026-11-21T10:00:00Z</LastModified><ETag>"e0"</ETag></Version>
</ListVersionsResult>"#;

/// The environment of that file, after a scale.
pub(crate) fn operated() -> World {
    let mut world = world();
    world.objects.insert(format!("runs/production/{RUN}/config.toml"), FILE.to_owned());
    let by = json!({ "run": RUN, "at": "2026-11-23T10:15:00Z", "operation": "scale", "trigger": "cli" });
    let scaled = json!({ "run": RUN, "counts": { "worker": { "count": 5, "file": 1, "by": by } } });
    world.objects.insert("intent/production.json".to_owned(), scaled.to_string());
    world.answers =
        [("DescribeDBClusterSnapshots", json!(SNAPSHOTS)), ("ListObjectVersions", json!(VERSIONS))].into();
    world
}

#[test]
fn each_command_asks_for_its_operation_and_never_with_a_configuration() {
    let lines = [
        "deploy latest --detach",
        "deploy 123456789012.dkr.ecr.us-east-1.amazonaws.com/arive/production:latest --wait --detach",
        "rollback --detach",
        "rollback --to 3 --detach",
        "scale api=3 worker=5 --detach",
        "scale --reset --detach",
        "scale --reset api --detach",
        "restart --detach",
        "restart worker --wait --detach",
        "run --detach -- echo hello",
        "run --service worker --detach -- sh -c true",
        "rotate --yes --detach",
        "snapshot create before-the-move --detach",
        "snapshot restore before --yes --detach",
        "snapshot forget arive-production-before --yes --detach",
        "objects restore a.png --detach",
        "objects restore a.png --at 2026-11-21T12:00:00Z --detach",
        "pause --detach",
        "resume --wait --detach",
    ];
    let mut asked = Vec::new();
    for line in lines {
        let fake = Fake::start(operated());
        let done = Place::with(&fake).run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(done.code, 0, "{line}: {done:?}");
        let world = fake.world();
        let [(_, request)] = world.started.as_slice() else { panic!("{line}: {:?}", world.started) };
        assert_eq!((&request.config_key, &request.plan), (&None, &None), "{line}");
        assert_eq!(request.caller.as_deref(), Some("arn:aws:iam::123456789012:user/ada"), "{line}");
        let wait = if request.wait { " and waits" } else { "" };
        asked.push(format!("{line}\n  {}{wait} {}", request.operation.name(), text(&request.parameters)));
    }
    insta::assert_snapshot!(asked.join("\n"));
}

/// How a run ends, and the exit code of the command that has started it.
#[test]
fn an_end_is_an_exit_code() {
    let ends = [
        (Outcome::Succeeded, 0),
        (Outcome::NoChanges, 0),
        (Outcome::Noted, 0),
        (Outcome::Superseded, 0),
        (Outcome::Refused, 4),
        (Outcome::Blocked, 4),
        (Outcome::Stopped, 1),
        (Outcome::Failed, 1),
    ];
    for (outcome, code) in ends {
        let mut world = operated();
        let leaves = world.leaves.get_mut("run").expect("what a run leaves");
        leaves.insert("result.json", text(&result(Operation::Restart, outcome)));
        let fake = Fake::start(world);
        let done = Place::with(&fake).run(&["restart"]);
        assert_eq!(done.code, code, "{outcome:?}: {done:?}");
        assert!(done.stdout.contains("Said by the test."), "{done:?}");
    }
}

#[test]
fn what_is_wrong_is_said_before_a_run_is_started() {
    let cases = [
        ("scale api", 2, "Write `stepstack scale api=3`."),
        ("scale --reset api=3", 2, "name the service alone"),
        ("scale", 2, "SERVICE=COUNT"),
        ("snapshot create Before", 2, "lower-case letters"),
        ("snapshot restore befor --yes", 4, "Did you mean \"before\"?"),
        ("snapshot restore somebody-elses --yes", 4, "There are: arive-production-before, before."),
        ("snapshot restore before", 2, "A restore needs --yes when nobody can be asked."),
        ("snapshot forget before", 2, "Forgetting needs --yes when nobody can be asked."),
        ("objects restore b.png", 4, "There is no version of \"b.png\" in arive-uploads."),
        ("objects restore a.png --at yesterday", 2, "Write it as 2026-11-23T10:15:00Z"),
        ("objects restore a.png --at 2026-11-20T00:00:00Z", 4, "was not there yet"),
        ("logs wroker", 4, "Did you mean \"worker\"?"),
        ("logs --since soon", 2, "Write it as `90s`"),
        ("logs --run 20261123-101500-abce", 4, "Did you mean 20261123-101500-abcd?"),
        ("cancel 20261123-101500-abce", 4, "Did you mean 20261123-101500-abcd?"),
        ("cancel 20261123-101500-abcd", 4, "has ended already"),
        ("exec apy", 4, "Did you mean \"api\"?"),
        ("exec worker", 4, "The file lets nobody into the tasks of worker."),
        ("deploy latst", 4, "Did you mean \"latest\"?"),
        ("run", 2, "<COMMAND>"),
    ];
    let fake = Fake::start(operated());
    let place = Place::with(&fake);
    for (line, code, says) in cases {
        let done = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(done.code, code, "{line}: {done:?}");
        let said = done.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(says), "{line}: {says}: {done:?}");
    }
    assert!(fake.world().started.is_empty(), "nothing was started");
}

#[test]
fn a_reset_of_nothing_starts_nothing() {
    let mut world = operated();
    world.objects.insert("intent/production.json".to_owned(), json!({ "run": RUN }).to_string());
    let fake = Fake::start(world);
    let done = Place::with(&fake).run(&["scale", "--reset", "--json"]);
    assert_eq!((done.code, &document(&done)["outcome"]), (0, &json!("no-changes")), "{done:?}");
    assert!(fake.world().started.is_empty());
}

#[test]
fn what_cannot_be_taken_back_is_asked_on_a_terminal() {
    let line = ["snapshot", "forget", "before", "--detach"];
    for (answer, code, started) in [("n", 4, 0), ("y", 0, 1)] {
        let fake = Fake::start(operated());
        let done = type_in(&Place::with(&fake), "Go on?", answer, &line);
        assert_eq!(done.code, code, "{done:?}");
        assert!(done.stdout.contains("and what it holds with it"), "it says what goes: {done:?}");
        assert_eq!(fake.world().started.len(), started, "{done:?}");
    }
}

#[test]
fn a_pause_says_what_it_saves_and_what_stays() {
    let fake = Fake::start(operated());
    let done = Place::with(&fake).run(&["pause", "--detach"]);
    let said = done.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("A pause saves about $"), "{done:?}");
    assert!(said.contains("What stays costs about $"), "{done:?}");
}

const OTHER: &str = "20261123-102000-00ef";
const EXECUTION: &str =
    "arn:aws:states:us-east-1:123456789012:execution:stepstack-arive:20261123-102000-00ef";

/// A run that goes on, and a lock that this execution holds.
fn running(holder: &str) -> Fake {
    let mut world = operated();
    let mut record = record(Operation::Apply, "2026-11-23T10:20:00Z");
    (record.run.id, record.run.execution) = (OTHER.to_owned(), EXECUTION.to_owned());
    world.objects.insert(format!("runs/production/{OTHER}/request.json"), text(&record));
    let holder = Holder {
        run: "a run".to_owned(),
        execution: holder.to_owned(),
        operation: "apply".to_owned(),
        since: "2026-11-23T10:20:01Z".to_owned(),
    };
    let lock = Lock { generation: 7, holder: Some(holder), ..Lock::default() };
    world.objects.insert("locks/production.json".to_owned(), text(&lock));
    let execution = Execution { input: String::new(), status: "RUNNING", cause: None };
    world.executions.insert(OTHER.to_owned(), execution);
    world.answers.insert("StopExecution", json!({ "stopDate": 1 }));
    Fake::start(world)
}

fn stops(fake: &Fake) -> usize {
    fake.world().asked.iter().filter(|(operation, _)| operation == "StopExecution").count()
}

#[test]
fn a_run_at_work_is_told_to_stop_by_whom() {
    let fake = running(EXECUTION);
    let done = Place::with(&fake).run(&["cancel", OTHER]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("It stops before its next change."), "{done:?}");
    let lock: Lock = serde_json::from_str(&fake.world().objects["locks/production.json"]).expect("a lock");
    assert_eq!(lock.stop.as_deref(), Some("cancelled by arn:aws:iam::123456789012:user/ada"));
    assert_eq!(
        (lock.generation, lock.holder.map(|holder| holder.execution)),
        (7, Some(EXECUTION.to_owned()))
    );
    assert_eq!(stops(&fake), 0, "it ends by itself, and gives the lock back");
}

#[test]
fn a_run_that_waits_for_its_turn_ends_at_once_and_its_record_says_by_whom() {
    let fake = running("arn:somebody-else");
    let done = Place::with(&fake).run(&["cancel", OTHER, "--json"]);
    assert_eq!((done.code, &document(&done)["run"]), (0, &json!(OTHER)), "{done:?}");
    assert_eq!(stops(&fake), 1);
    let world = fake.world();
    let key = format!("runs/production/{OTHER}/result.json");
    let result: RunResult = serde_json::from_str(&world.objects[&key]).expect("a result");
    assert_eq!(result.outcome, Outcome::Stopped);
    let by = "cancelled by arn:aws:iam::123456789012:user/ada before it changed anything";
    assert_eq!(result.message, format!("The run was {by}."));
    let lock: Lock = serde_json::from_str(&world.objects["locks/production.json"]).expect("a lock");
    assert_eq!(lock.stop, None, "the other's lock is left alone");
}
