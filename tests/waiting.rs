//! What an emulator that is ready at once cannot show: waiting, overlap and order, read from the record of the
//! strict AWS.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::Emulator;
use crate::lifecycle::example;
use crate::strict::{Call, FailedTask, Phase, Record, Settings};

/// Refusals that AWS makes unavoidable: how long the cause lasts cannot be seen from outside.
const UNAVOIDABLE: [(&str, &str); 2] = [
    // The interfaces of a load balancer that is gone are AWS's own, and go minutes after it.
    ("DeleteSubnet", "DependencyViolation"),
    ("DeleteSecurityGroup", "DependencyViolation"),
];

impl Record {
    fn phase(&self, kind: &str, status: &str) -> &Phase {
        let mut found = self.phases.iter().filter(|phase| phase.kind == kind && phase.status == status);
        let first =
            found.next().unwrap_or_else(|| panic!("nothing of {kind} was {status}: {:#?}", self.phases));
        assert!(found.next().is_none(), "{kind} was {status} more than once: {:#?}", self.phases);
        first
    }

    fn done<'a>(&'a self, operation: &'a str) -> impl Iterator<Item = &'a Call> {
        self.calls.iter().filter(move |call| call.operation == operation && call.outcome == "ok")
    }

    #[track_caller]
    fn first(&self, operation: &str) -> u64 {
        self.done(operation).map(|call| call.ms).min().unwrap_or_else(|| panic!("there was no {operation}"))
    }

    #[track_caller]
    fn last(&self, operation: &str) -> u64 {
        self.done(operation).map(|call| call.ms).max().unwrap_or_else(|| panic!("there was no {operation}"))
    }

    /// No request that its model refuses, none that the layer could not read, and no fault of the layer.
    #[track_caller]
    pub(crate) fn is_sound(&self) {
        assert!(self.violations.is_empty(), "{:#?}", self.violations);
        assert_eq!((&self.unread, &self.late_failures), (&vec![], &vec![]));
    }

    /// No call was refused twice with the same error, but where AWS leaves no other way.
    #[track_caller]
    fn nothing_was_refused_twice_in_vain(&self) {
        let mut refused: BTreeMap<(&str, &str, &str), u32> = BTreeMap::new();
        for call in self.calls.iter().filter(|call| call.by == "strict" && call.outcome != "ok") {
            *refused.entry((&call.operation, &call.subject, &call.outcome)).or_default() += 1;
        }
        refused
            .retain(|(operation, _, code), count| *count > 1 && !UNAVOIDABLE.contains(&(*operation, *code)));
        assert!(refused.is_empty(), "refused in vain: {refused:#?}");
    }

    /// No two successful creates of one name.
    #[track_caller]
    fn nothing_was_created_twice(&self) {
        let creates = ["Create", "Allocate", "Request", "RegisterTaskDefinition"];
        let mut made: BTreeMap<(&str, &str, &str), u32> = BTreeMap::new();
        // What the layer answers itself is a repeat with the same token: it makes nothing.
        let made_by_aws = |call: &&Call| call.outcome == "ok" && call.by == "emulator";
        for call in self.calls.iter().filter(made_by_aws).filter(|call| !call.subject.is_empty()) {
            if creates.iter().any(|create| call.operation.starts_with(create)) {
                *made.entry((&call.service, &call.operation, &call.subject)).or_default() += 1;
            }
        }
        assert!(made.len() > 30, "the record names what is made: {made:#?}");
        made.retain(|_, count| *count > 1);
        assert!(made.is_empty(), "made twice: {made:#?}");
    }
}

fn overlap(one: &Phase, other: &Phase) -> bool {
    one.from_ms < other.to_ms && other.from_ms < one.to_ms
}

#[tokio::test]
async fn what_takes_long_overlaps_and_nothing_is_done_too_early() {
    let emulator = Emulator::start();
    // Long beside what a busy machine takes between two calls.
    let long = [("db-instance", 4.0), ("load-balancer", 3.0), ("nat-gateway", 3.0), ("certificate", 3.0)];
    emulator.strict().configure(&Settings { seconds: BTreeMap::from(long), ..Settings::default() });
    let file = example();
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    let record = emulator.strict().record();
    record.is_sound();
    record.nothing_was_created_twice();
    record.nothing_was_refused_twice_in_vain();

    // The database is the longest way; all that is slow goes beside it.
    let database = record.phase("db-instance", "creating");
    for (kind, status) in
        [("load-balancer", "provisioning"), ("nat-gateway", "pending"), ("certificate", "validating")]
    {
        assert!(
            overlap(database, record.phase(kind, status)),
            "{kind} is not made beside the database: {:#?}",
            record.phases
        );
    }
    // The instance is asked for while its cluster is still creating.
    assert!(record.first("CreateDBInstance") < record.phase("db-cluster", "creating").to_ms);

    // One certificate; HTTPS only with an issued one.
    assert_eq!(record.done("RequestCertificate").count(), 1);
    let https = record.done("CreateListener").find(|call| call.subject == "listener/https");
    let https = https.expect("the HTTPS listener").ms;
    assert!(https >= record.phase("certificate", "validating").to_ms, "{:#?}", record.phases);

    // Services come last: with a database to talk to, a way out and a listener that leads to them.
    let first_service = record.first("CreateService");
    for (kind, status) in
        [("db-instance", "creating"), ("nat-gateway", "pending"), ("load-balancer", "provisioning")]
    {
        assert!(
            first_service >= record.phase(kind, status).to_ms,
            "services before {kind}: {:#?}",
            record.phases
        );
    }
    assert!(first_service >= https, "the target group needs its listener");

    // A second apply sees everything as it is described, and makes nothing.
    emulator.strict().forget_record();
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    let record = emulator.strict().record();
    record.is_sound();
    let made =
        record.calls.iter().filter(|call| call.caller != "program" && call.operation.starts_with("Create"));
    assert_eq!(made.count(), 0);

    // Destroy: what uses a thing is gone before the thing goes.
    emulator.strict().forget_record();
    let destroyed = emulator.stepstack(&file, &["destroy", "--yes", "--delete-data"]).expect(0);
    assert!(format!("{}{}", destroyed.stdout, destroyed.stderr).contains("0 left"), "{destroyed}");
    let record = emulator.strict().record();
    record.is_sound();
    record.nothing_was_refused_twice_in_vain();
    let draining: Vec<&Phase> = record.phases.iter().filter(|phase| phase.status == "DRAINING").collect();
    let names: BTreeSet<&str> = draining.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["arive-production/api", "arive-production/worker"]));
    let drained = draining.iter().map(|phase| phase.to_ms).max().expect("two services");
    for operation in ["DeleteLoadBalancer", "DeleteNatGateway", "DeleteDBInstance", "DeleteCertificate"] {
        assert!(record.first(operation) >= drained, "{operation} while services still drain");
    }
    assert!(record.first("ReleaseAddress") >= record.phase("nat-gateway", "deleting").to_ms);
    assert!(record.first("DeleteDBSubnetGroup") >= record.phase("db-cluster", "deleting").to_ms);
    assert!(record.last("DeleteSubnet") >= record.phase("db-instance", "deleting").to_ms);
    assert!(record.last("DeleteSecurityGroup") >= record.phase("load-balancer-interfaces", "in-use").to_ms);
    assert!(record.first("DeleteVpc") >= record.last("DeleteSubnet"));
}

#[tokio::test]
async fn interfaces_that_outlive_their_load_balancer_are_waited_for() {
    let emulator = Emulator::start();
    let seconds = BTreeMap::from([("load-balancer-interfaces", 6.0), ("db-instance", 0.2), ("service", 0.2)]);
    emulator.strict().configure(&Settings { seconds, ..Settings::default() });
    let file = example();
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    emulator.strict().forget_record();
    let destroyed = emulator.stepstack(&file, &["destroy", "--yes", "--delete-data"]).expect(0);
    assert!(format!("{}{}", destroyed.stdout, destroyed.stderr).contains("0 left"), "{destroyed}");
    let record = emulator.strict().record();
    record.is_sound();
    record.nothing_was_refused_twice_in_vain();
    let gone = record.phase("load-balancer-interfaces", "in-use").to_ms;
    assert!(record.first("DetachInternetGateway") >= gone, "its public addresses are there until then");
}

#[tokio::test]
async fn a_deployment_that_is_rolled_back_fails_the_run_and_says_so() {
    let emulator = Emulator::start();
    let text = std::fs::read_to_string(example()).expect("the example");
    let file = emulator.write("stepstack.toml", &text);
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);

    // Both services get a new deployment; that of the worker fails, and ECS goes back to the old one.
    let changed = text.replace("command = [", "environment = { MODE = \"new\" }\ncommand = [");
    assert_ne!(changed, text);
    let file = emulator.write("stepstack.toml", &changed);
    let task = FailedTask {
        stop_code: "EssentialContainerExited",
        stopped_reason: "Essential container in task exited",
        exit_code: Some(3),
        log: vec!["ImportError: no module named workers"],
        times: 1,
    };
    let failing_services = BTreeMap::from([("worker", task)]);
    emulator.strict().configure(&Settings { failing_services, ..Settings::default() });
    let failed = emulator.stepstack(&file, &["apply", "--yes"]).expect(1);
    let said = format!("{}{}", failed.stdout, failed.stderr);
    for part in
        ["service/worker", "did not keep it", "The command of worker ended with exit code 3", "ImportError"]
    {
        assert!(said.contains(part), "it says {part:?}:\n{said}");
    }
    assert!(!said.contains("What was asked for is what is there"), "{said}");

    // The same again, where it succeeds.
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    emulator.strict().record().is_sound();
}

#[tokio::test]
async fn a_first_deployment_that_fails_is_told_and_the_next_run_goes_on() {
    let emulator = Emulator::start();
    let task = FailedTask {
        stop_code: "TaskFailedToStart",
        stopped_reason: "CannotPullContainerError: pull image manifest has been retried 1 time(s): manifest unknown",
        exit_code: None,
        log: vec![],
        // What never ran is tried once more by the run itself.
        times: 2,
    };
    let failing_services = BTreeMap::from([("api", task)]);
    emulator.strict().configure(&Settings { failing_services, ..Settings::default() });
    let file = example();
    let failed = emulator.stepstack(&file, &["apply", "--yes"]).expect(1);
    let said = format!("{}{}", failed.stdout, failed.stderr);
    for part in ["service/api", "The image of api cannot be pulled"] {
        assert!(said.contains(part), "it says {part:?}:\n{said}");
    }
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    emulator.strict().record().is_sound();
}
