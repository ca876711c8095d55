//! `status` and `runs`.

use bootstrap::show::{self, Glance, Page};
use insta::assert_snapshot;
use record::lock::{Holder, Lock};
use statemachine::Stage;
use statemachine::message::{Mode, Operation, Outcome, RunRecord, RunResult, StageReport, Status, Trigger};
use statemachine::plan::Action;

use crate::screens;
use crate::world::{item, parked, record, report, result, trigger, worked};

const RUN: &str = "20261123-101500-abcd";

fn stages() -> Vec<StageReport> {
    vec![
        report(
            Stage::Network,
            Mode::Make,
            Status::Ready,
            vec![worked("vpc/main", Action::Create, 4, Some(6))],
        ),
        report(
            Stage::Database,
            Mode::Make,
            Status::NotReady,
            vec![
                worked("db-cluster/main", Action::Create, 5, None),
                item("db-instance/main", Action::Create),
            ],
        ),
        report(Stage::Services, Mode::Make, Status::Ready, vec![parked("service/api", "no image yet")]),
    ]
}

fn glance(page: Page, result: Option<&RunResult>) -> Vec<String> {
    let (record, stages) = (record(Operation::Apply), stages());
    let held = Lock {
        generation: 7,
        holder: Some(Holder {
            run: RUN.to_owned(),
            execution: record.run.execution.clone(),
            operation: "apply".to_owned(),
            since: "2026-11-23T10:15:01.5Z".to_owned(),
        }),
        ..Lock::default()
    };
    let free = Lock { holder: None, ..held.clone() };
    let glance = Glance {
        stack: "arive/production",
        account: "123456789012",
        region: "us-east-1",
        run: RUN,
        record: &record,
        result,
        lock: Some(if result.is_some() { &free } else { &held }),
        stages: &stages,
    };
    show::status(&glance, page)
}

#[test]
fn status_of_a_run_that_goes_on_and_of_one_that_ended() {
    let ended = result(Outcome::Succeeded, "What was asked for is what is there.");
    assert_snapshot!("status_running", screens(|page| glance(page, None)));
    assert_snapshot!("status_ended", screens(|page| glance(page, Some(&ended))));
}

#[test]
fn runs_are_a_table() {
    let mut good = result(Outcome::Succeeded, "");
    good.outputs = [("release".to_owned(), "12".to_owned())].into();
    let refused = result(Outcome::Refused, "");
    let waiting = RunRecord {
        waits_for: Some("20261123-110000-00aa".to_owned()),
        ..trigger(record(Operation::SnapshotCreate), Trigger::Schedule)
    };
    let runs = [
        ("20261123-110500-00a9".to_owned(), Some(waiting), None),
        ("20261123-110000-00aa".to_owned(), Some(record(Operation::Apply)), None),
        (
            "20261123-104500-00ab".to_owned(),
            Some(trigger(record(Operation::Deploy), Trigger::ImagePush)),
            Some(good),
        ),
        (
            "20261123-103000-00ac".to_owned(),
            Some(trigger(record(Operation::Apply), Trigger::ConfigUpload)),
            Some(refused),
        ),
        ("20261123-102000-00ad".to_owned(), None, None),
    ];
    assert_snapshot!(screens(|_| show::runs(&runs)));
}

#[test]
fn a_run_says_who_began_it_and_when() {
    let records = [record(Operation::SnapshotCreate), trigger(record(Operation::Deploy), Trigger::ImagePush)];
    assert_snapshot!(records.iter().map(show::record).collect::<Vec<_>>().join("\n"));
}
