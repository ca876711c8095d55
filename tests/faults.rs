//! Faults at the calls of AWS: after each, the same command brings the stack to where an undisturbed run does.
//!
//! The sample runs with the other tests. The whole matrix takes every call that the functions made in an
//! undisturbed run and every kind of fault, one at a time, and takes hours:
//!
//! ```sh
//! cargo test -p e2e the_whole_matrix -- --ignored --nocapture
//! STEPSTACK_FAULTS="ec2:CreateVpc lost" cargo test -p e2e the_whole_matrix -- --ignored --nocapture
//! ```
//!
//! The second takes only the cases whose name contains the text.

use std::collections::BTreeSet;

use crate::harness::Emulator;
use crate::lifecycle::example;
use crate::strict::{Fault, Settings};

/// Creates whose answer is lost: those that neither token nor name makes repeatable, and some of each other kind.
// Not CreateListener: AWS refuses a second one on a port (DuplicateListener), and the emulator makes it.
const LOST_CREATES: [(&str, &str); 19] = [
    ("ec2", "CreateVpc"),
    ("ec2", "CreateSubnet"),
    ("ec2", "CreateInternetGateway"),
    ("ec2", "AllocateAddress"),
    ("ec2", "CreateSecurityGroup"),
    ("ec2", "CreateRouteTable"),
    ("ec2", "CreateNatGateway"),
    ("acm", "RequestCertificate"),
    ("route53", "CreateHostedZone"),
    ("route53", "ChangeResourceRecordSets"),
    ("rds", "CreateDBCluster"),
    ("rds", "CreateDBInstance"),
    ("secretsmanager", "CreateSecret"),
    ("elbv2", "CreateLoadBalancer"),
    ("elbv2", "CreateTargetGroup"),
    ("ecs", "RegisterTaskDefinition"),
    ("ecs", "CreateService"),
    ("iam", "CreateRole"),
    ("s3", "CreateBucket"),
];

/// Deletes whose answer is lost.
const LOST_DELETES: [(&str, &str); 10] = [
    ("ecs", "DeleteService"),
    ("elbv2", "DeleteLoadBalancer"),
    ("rds", "DeleteDBInstance"),
    ("rds", "DeleteDBCluster"),
    ("ec2", "DeleteNatGateway"),
    ("ec2", "ReleaseAddress"),
    ("ec2", "DeleteSubnet"),
    ("ec2", "DeleteVpc"),
    ("acm", "DeleteCertificate"),
    ("iam", "DeleteRole"),
];

/// What is created and stays invisible for a while.
const INVISIBLE: [(&str, &str); 4] = [
    ("ec2", "CreateVpc"),
    ("ec2", "CreateSubnet"),
    ("ec2", "CreateInternetGateway"),
    ("ec2", "AllocateAddress"),
];

/// What an undisturbed run makes, and what it leaves.
struct World {
    emulator: Emulator,
    applied: Vec<String>,
    destroyed: Vec<String>,
}

impl World {
    fn new() -> Self {
        let mut world = Self { emulator: Emulator::start(), applied: Vec::new(), destroyed: Vec::new() };
        world.emulator.stepstack(&example(), &["apply", "--yes"]).expect(0);
        world.applied = world.inventory();
        world.emulator.stepstack(&example(), &["destroy", "--yes", "--delete-data"]).expect(0);
        world.destroyed = world.inventory();
        world
    }

    /// Everything there is, but for the final snapshots: each destroy keeps one, under its run's name.
    fn inventory(&self) -> Vec<String> {
        let mut inventory = self.emulator.strict().inventory();
        inventory.retain(|line| !line.starts_with("snapshot of "));
        inventory
    }

    /// Runs a command with faults on its way, again and again until it comes through and every fault was met.
    /// Answers what is wrong in the end; nothing where all is as an undisturbed run leaves it.
    fn survives(&self, command: &[&str], faults: Vec<Fault>, expected: &[String]) -> Option<String> {
        // One fault can hide another until the next run, so a bundle of them may take some.
        let runs = if faults.len() > 1 { 5 } else { 2 };
        let mut open: BTreeSet<(&str, &str)> =
            faults.iter().map(|fault| (fault.service, fault.operation)).collect();
        let strict = self.emulator.strict();
        strict.forget_record();
        strict.configure(&Settings { faults: Some(faults), ..Settings::default() });
        let mut told = Vec::new();
        for _ in 0..runs {
            told.push(self.emulator.stepstack(&example(), command));
            if told.last().is_some_and(|done| done.code == 0) {
                break;
            }
        }
        strict.configure(&Settings { faults: Some(vec![]), ..Settings::default() });
        let record = strict.record();
        let all = told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        if told.last().is_none_or(|done| done.code != 0) {
            return Some(format!("it does not come through, not in {runs} runs:\n{all}"));
        }
        for call in record.calls.iter().filter(|call| call.by == "fault") {
            open.remove(&(call.service.as_str(), call.operation.as_str()));
        }
        if !open.is_empty() {
            return Some(format!("these calls were not made: {open:?}\n{all}"));
        }
        if !record.late_failures.is_empty() {
            return Some(format!("{:#?}", record.late_failures));
        }
        let found = self.inventory();
        if found == expected {
            return None;
        }
        let more: Vec<_> = found.iter().filter(|line| !expected.contains(line)).collect();
        let less: Vec<_> = expected.iter().filter(|line| !found.contains(line)).collect();
        let twice: Vec<_> = found.windows(2).filter(|two| two[0] == two[1]).map(|two| &two[0]).collect();
        Some(format!("more: {more:#?}\nless: {less:#?}\ntwice (some are so by nature): {twice:#?}\n{all}"))
    }

    #[track_caller]
    fn apply_with(&self, faults: Vec<Fault>) {
        let wrong = self.survives(&["apply", "--yes"], faults, &self.applied);
        assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    }

    #[track_caller]
    fn destroy_with(&self, faults: Vec<Fault>) {
        let wrong = self.survives(&["destroy", "--yes", "--delete-data"], faults, &self.destroyed);
        assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    }
}

fn faults(calls: &[(&'static str, &'static str)], kind: &'static str) -> Vec<Fault> {
    let of = |&(service, operation): &(&'static str, &'static str)| Fault::new(service, operation, kind);
    calls.iter().map(of).collect()
}

#[tokio::test]
async fn lost_answers_and_slow_listings_make_nothing_twice_and_leave_nothing() {
    let world = World::new();
    world.apply_with(faults(&LOST_CREATES, "lost"));
    world.destroy_with(faults(&LOST_DELETES, "lost"));
    world.apply_with(faults(&INVISIBLE, "invisible"));
    world.destroy_with(faults(&LOST_DELETES[..4], "kill"));
}

#[tokio::test]
async fn throttled_broken_and_reset_calls_are_survived_and_a_denied_one_is_named() {
    let world = World::new();
    let mut some = faults(&LOST_CREATES[..7], "throttle");
    for fault in &mut some {
        fault.times = 2;
    }
    some.extend(faults(&LOST_CREATES[7..13], "error500"));
    some.extend(faults(&LOST_CREATES[13..18], "reset"));
    some.extend(faults(&LOST_CREATES[18..19], "kill"));
    world.apply_with(some);
    world.destroy_with(faults(&LOST_DELETES, "error500"));

    let denied = vec![Fault::new("elbv2", "CreateLoadBalancer", "denied")];
    world.emulator.strict().configure(&Settings { faults: Some(denied), ..Settings::default() });
    let told = world.emulator.stepstack(&example(), &["apply", "--yes"]).expect(1);
    let said = format!("{}{}", told.stdout, told.stderr);
    assert!(
        said.contains("The function ingress may not call elasticloadbalancing:CreateLoadBalancer"),
        "{said}"
    );
    world.apply_with(vec![]);
}

#[tokio::test]
#[ignore = "hours; run it by name"]
async fn the_whole_matrix() {
    let world = World::new();
    let only = std::env::var("STEPSTACK_FAULTS").unwrap_or_default();
    let apply = ["apply", "--yes"];
    let destroy = ["destroy", "--yes", "--delete-data"];
    let (mut passed, mut failed) = (0, Vec::new());
    for (command, other, expected, reverted) in [
        (&apply[..], &destroy[..], &world.applied, &world.destroyed),
        (&destroy[..], &apply[..], &world.destroyed, &world.applied),
    ] {
        // What this command calls is recorded in a run of its own, then the stack goes back to where it was.
        world.emulator.strict().forget_record();
        world.emulator.stepstack(&example(), command).expect(0);
        let record = world.emulator.strict().record();
        world.emulator.stepstack(&example(), other).expect(0);
        let calls: BTreeSet<(String, String)> = record
            .calls
            .into_iter()
            .filter(|call| call.caller != "program")
            .map(|call| (call.service, call.operation))
            .collect();
        for (service, operation) in calls {
            for kind in ["throttle", "error500", "reset", "lost", "denied", "kill"] {
                let case = format!("{} {service}:{operation} {kind}", command[0]);
                if !case.contains(&only) {
                    continue;
                }
                let (service, operation): (&'static str, &'static str) =
                    (String::leak(service.clone()), String::leak(operation.clone()));
                let fault = Fault {
                    times: if kind == "throttle" { 2 } else { 1 },
                    ..Fault::new(service, operation, kind)
                };
                match world.survives(command, vec![fault], expected) {
                    None => {
                        eprintln!("passed: {case}");
                        passed += 1;
                    }
                    Some(wrong) => {
                        eprintln!("FAILED: {case}\n{wrong}");
                        failed.push(case.clone());
                    }
                }
                if let Some(wrong) = world.survives(other, vec![], reverted) {
                    eprintln!("after {case}, the way back:\n{wrong}");
                }
            }
        }
        // On to the other command, from the other side.
        world.emulator.stepstack(&example(), command).expect(0);
    }
    eprintln!("{passed} passed, {} failed", failed.len());
    assert!(failed.is_empty(), "{failed:#?}");
}
