//! Faults at the calls of AWS: after each, the same command brings the stack to where an undisturbed run does.
//!
//! A sample runs with the other tests; `matrix` takes every call and every fault.

mod matrix;
mod world;

use std::collections::BTreeSet;

use crate::lifecycle::example;
use crate::strict::{Fault, Settings};
use world::{Step, World};

/// Creates whose answer is lost: those that neither token nor name makes repeatable, and some of each other kind.
const LOST_CREATES: [(&str, &str); 20] = [
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
    ("elbv2", "CreateListener"),
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

/// One create of each stage at whose time its function is invoked once more.
const TWICE: [(&str, &str); 6] = [
    ("ec2", "CreateVpc"),
    ("iam", "CreateRole"),
    ("acm", "RequestCertificate"),
    ("rds", "CreateDBInstance"),
    ("elbv2", "CreateLoadBalancer"),
    ("ecs", "CreateService"),
];

/// What is created and stays invisible for a while.
const INVISIBLE: [(&str, &str); 8] = [
    ("ec2", "CreateVpc"),
    ("ec2", "CreateSubnet"),
    ("ec2", "CreateInternetGateway"),
    ("ec2", "AllocateAddress"),
    ("ec2", "CreateSecurityGroup"),
    ("ec2", "CreateRouteTable"),
    ("ec2", "CreateVpcEndpoint"),
    ("ec2", "CreateNatGateway"),
];

const APPLY: [&str; 2] = ["apply", "--yes"];
const DESTROY: [&str; 3] = ["destroy", "--yes", "--delete-data"];

/// An emulator with the example's undisturbed life behind it, and what that left after the apply and after the
/// destroy.
struct Undisturbed {
    world: World,
    applied: Vec<String>,
    destroyed: Vec<String>,
}

impl Undisturbed {
    fn new() -> Self {
        let world = World::new();
        let after = |arguments: &'static [&'static str]| {
            world.run(&Step::new(example(), arguments)).expect(0);
            world.inventory()
        };
        let (applied, destroyed) = (after(&APPLY), after(&DESTROY));
        Self { world, applied, destroyed }
    }

    #[track_caller]
    fn apply_with(&self, faults: Vec<Fault>) {
        survived(self.world.survives(&Step::new(example(), &APPLY), faults, &self.applied));
    }

    #[track_caller]
    fn destroy_with(&self, faults: Vec<Fault>) {
        survived(self.world.survives(&Step::new(example(), &DESTROY), faults, &self.destroyed));
    }
}

#[track_caller]
fn survived(outcome: Result<BTreeSet<String>, String>) {
    match outcome {
        Ok(unmet) => assert_eq!(unmet, BTreeSet::new(), "not made"),
        Err(wrong) => panic!("{wrong}"),
    }
}

fn faults(calls: &[(&'static str, &'static str)], kind: &'static str) -> Vec<Fault> {
    let of = |&(service, operation): &(&'static str, &'static str)| Fault::new(service, operation, kind);
    calls.iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_and_slow_listings_make_nothing_twice_and_leave_nothing() {
    let stack = Undisturbed::new();
    stack.apply_with(faults(&LOST_CREATES, "lost"));
    stack.destroy_with(faults(&LOST_DELETES, "lost"));
    stack.apply_with(faults(&INVISIBLE, "invisible"));
    stack.destroy_with(faults(&LOST_DELETES[..4], "kill"));
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_broken_and_reset_calls_are_survived_and_a_denied_one_is_named() {
    let stack = Undisturbed::new();
    let mut some = faults(&LOST_CREATES[..7], "throttle");
    for fault in &mut some {
        fault.times = 2;
    }
    some.extend(faults(&LOST_CREATES[7..13], "error500"));
    some.extend(faults(&LOST_CREATES[13..18], "reset"));
    some.extend(faults(&LOST_CREATES[18..19], "kill"));
    stack.apply_with(some);
    stack.destroy_with(faults(&LOST_DELETES, "error500"));

    let denied = vec![Fault::new("elbv2", "CreateLoadBalancer", "denied")];
    stack.world.emulator.strict().configure(&Settings { faults: Some(denied), ..Settings::default() });
    let told = stack.world.run(&Step::new(example(), &APPLY)).expect(1);
    let said = format!("{}{}", told.stdout, told.stderr);
    assert!(
        said.contains("The function ingress may not call elasticloadbalancing:CreateLoadBalancer"),
        "{said}"
    );
    stack.apply_with(vec![]);
}

/// A create whose answer was lost makes Lambda's caller try again; here both calls run at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn functions_invoked_twice_with_one_event_make_nothing_twice() {
    let stack = Undisturbed::new();
    stack.apply_with(faults(&TWICE, "twice"));
    // The second call of the network's function found that it is not the first.
    let record = stack.world.emulator.strict().record();
    let second = record
        .calls
        .iter()
        .any(|call| call.subject.ends_with("/notes/network.json") && call.outcome == "PreconditionFailed");
    assert!(second, "{:#?}", record.calls.iter().filter(|call| call.service == "s3").collect::<Vec<_>>());
    stack.destroy_with(faults(&LOST_DELETES[..4], "twice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_in_the_middle_is_gone_on_with_by_the_next() {
    let stack = Undisturbed::new();
    stack.apply_with(vec![Fault::new("rds", "CreateDBCluster", "stop")]);
    stack.destroy_with(vec![Fault::new("ec2", "DeleteNatGateway", "stop")]);
}
