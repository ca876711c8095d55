//! How runs end.

use std::collections::BTreeMap;

use bootstrap::show;
use insta::assert_snapshot;
use statemachine::message::{Diagnosis, Outcome, Sweep, Waiting};

use crate::screens;
use crate::world::{denied, result};

fn outputs() -> BTreeMap<String, String> {
    [
        ("url", "https://api.tryarive.com"),
        ("name_servers", "ns-1.awsdns-1.com,ns-2.awsdns-2.net,ns-3.awsdns-3.org,ns-4.awsdns-4.co.uk"),
        ("repository", "123456789012.dkr.ecr.us-east-1.amazonaws.com/arive/production"),
        ("release", "4"),
        ("database_endpoint", "arive-production-1.cluster-c1abcdefghij.us-east-1.rds.amazonaws.com"),
        ("uploads_bucket", "arive-uploads-production"),
        ("load_balancer", "arive-production-1234567890.us-east-1.elb.amazonaws.com"),
        (
            "state_machine",
            "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/arn:aws:states:us-east-1:123456789012:execution:stepstack-arive:20261123-101500-abcd",
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[test]
fn success_ends_with_the_outputs() {
    let mut ended = result(Outcome::Succeeded, "What was asked for is what is there.");
    ended.outputs = outputs();
    assert_snapshot!(screens(|page| show::result(&ended, 551_000, page)));
}

#[test]
fn success_says_what_waits_for_the_user() {
    let mut ended = result(Outcome::Succeeded, "Everything is made but what waits for you.");
    ended.outputs = outputs();
    ended.waiting = vec![
        Waiting {
            what: "certificate/main@3dcf98".to_owned(),
            next: "tryarive.com is not delegated to its hosted zone. Set these name servers at your registrar, then run `stepstack apply` again:\n  ns-1.awsdns-1.com\n  ns-2.awsdns-2.net".to_owned(),
        },
        Waiting {
            what: "service/api".to_owned(),
            next: "The repository holds no image. Push one: docker push 123456789012.dkr.ecr.us-east-1.amazonaws.com/arive/production:latest".to_owned(),
        },
    ];
    assert_snapshot!(screens(|page| show::result(&ended, 551_000, page)));
}

#[test]
fn a_failure_says_cause_evidence_and_next_step() {
    let mut ended = result(Outcome::Failed, "");
    let mut failure = denied();
    (failure.stage, failure.name) = (statemachine::Stage::Services.into(), "service/api".to_owned());
    failure.message =
        "The rollout of service/api did not complete: tasks stop soon after they start".to_owned();
    ended.fail(
        failure,
        Some(Diagnosis {
            cause: "The container exits with code 1 soon after it starts.".to_owned(),
            evidence: vec![
                "Essential container in task exited".to_owned(),
                "Traceback (most recent call last):\n  File \"/app/main.py\", line 12, in <module>\nKeyError: 'STRIPE_KEY'".to_owned(),
            ],
            next: "Mend what the log says, push the image again, or go back with `stepstack rollback`.".to_owned(),
        }),
    );
    assert_snapshot!(screens(|page| show::result(&ended, 184_300, page)));
}

#[test]
fn a_failure_without_a_diagnosis_says_the_next_step() {
    let mut ended = result(Outcome::Failed, "");
    ended.fail(denied(), None);
    assert_snapshot!(screens(|page| show::result(&ended, 12_000, page)));
}

#[test]
fn what_ended_early_says_why() {
    let blocked = "Nothing was changed.\nfoundation: bucket/uploads is not empty. Say --delete-data to delete what it holds, or --keep-data to leave it in place.\ndatabase: db-cluster/main: a major upgrade interrupts the database. Say --allow-downtime.";
    let all = [
        result(Outcome::Blocked, blocked),
        result(Outcome::Superseded, "A newer configuration was uploaded."),
        result(Outcome::Refused, "The environment is being destroyed by run 20261123-101233-77aa."),
        result(Outcome::Noted, "The environment is paused: the image is deployed when it is resumed."),
        result(
            Outcome::Stopped,
            "The run stopped: cancelled by ada. What it made stays; the next run goes on from here.",
        ),
        result(Outcome::NoChanges, "Nothing to do: AWS is as the file says."),
    ];
    assert_snapshot!(screens(|page| all.iter().flat_map(|ended| show::result(ended, 2_400, page)).collect()));
}

#[test]
fn a_destroy_ends_with_a_sweep() {
    let mut clean = result(Outcome::Succeeded, "0 left.");
    clean.sweep = Some(Sweep::default());
    let mut kept = clean.clone();
    kept.sweep = Some(Sweep {
        left: Vec::new(),
        kept: vec!["bucket/uploads (holds 12 objects, and --keep-data was said)".to_owned()],
    });
    let mut left = result(Outcome::Failed, "1 left");
    left.sweep = Some(Sweep {
        left: vec!["network security-group/service-api: DeleteSecurityGroup failed: resource sg-0123456789abcdef0 has a dependent object (DependencyViolation)".to_owned()],
        kept: Vec::new(),
    });
    let all = [clean, kept, left];
    assert_snapshot!(screens(|page| all
        .iter()
        .flat_map(|ended| show::result(ended, 251_000, page))
        .collect()));
}
