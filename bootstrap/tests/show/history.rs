//! Runs afterwards: what they were told, and when their stages were at work.

use bootstrap::show;
use insta::assert_snapshot;
use statemachine::Stage;
use statemachine::message::{Mode, ObjectVersion, Operation, Parameters, Status};
use statemachine::plan::Action;

use crate::screens;
use crate::world::{item, record, report, worked};

#[test]
fn an_operation_says_what_it_was_told() {
    let none = Parameters::default;
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let command = ["sh", "-c", "echo hello"].map(str::to_owned).to_vec();
    let object = ObjectVersion { key: "a/b.png".to_owned(), version: "v1".to_owned(), etag: "e".to_owned() };
    let told = [
        (Operation::Apply, none()),
        (Operation::Deploy, Parameters { image: Some(digest.clone()), tag: Some("v2".to_owned()), ..none() }),
        (Operation::Deploy, Parameters { image: Some(digest), ..none() }),
        (Operation::Rollback, Parameters { release: Some(3), ..none() }),
        (
            Operation::Scale,
            Parameters {
                counts: [("api".to_owned(), Some(3)), ("worker".to_owned(), None)].into(),
                ..none()
            },
        ),
        (Operation::Restart, Parameters { services: vec!["api".to_owned()], ..none() }),
        (Operation::Run, Parameters { services: vec!["worker".to_owned()], command, ..none() }),
        (Operation::SnapshotCreate, Parameters { snapshot: Some("before".to_owned()), ..none() }),
        (Operation::RestoreObject, Parameters { object: Some(object), ..none() }),
        (Operation::Pause, none()),
    ];
    let lines = told.map(|(operation, parameters)| {
        let mut record = record(operation);
        record.run.parameters = parameters;
        format!("{:<16}{}", operation.name(), show::parameters(&record).unwrap_or_else(|| "-".to_owned()))
    });
    assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_timeline_shows_when_each_stage_was_at_work() {
    let mut at_work = report(
        Stage::Services,
        Mode::Make,
        Status::NotReady,
        vec![worked("service/api", Action::Create, 540, None)],
    );
    at_work.at_ms += 600_000;
    let stages = [
        report(
            Stage::Network,
            Mode::Make,
            Status::Ready,
            vec![
                worked("vpc/main", Action::Create, 4, Some(6)),
                worked("subnet/public-a", Action::Create, 6, Some(20)),
                item("subnet/public-b", Action::Keep),
            ],
        ),
        report(Stage::Certificate, Mode::Make, Status::Ready, vec![item("hosted-zone/main", Action::Keep)]),
        report(
            Stage::Database,
            Mode::Make,
            Status::Failed,
            vec![worked("db-cluster/main", Action::Create, 20, Some(500))],
        ),
        at_work,
    ];
    assert_snapshot!(screens(|page| show::timeline(Some(&record(Operation::Apply)), stages.iter(), page)));
    let none: Vec<String> = show::timeline(None, std::iter::empty(), show::Page::plain(80));
    assert!(none.is_empty());
}
