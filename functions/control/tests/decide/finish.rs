//! What became of a run.

use std::collections::BTreeMap;

use serde_json::json;
use statemachine::message::{Caught, Document, Failure, Mode, Operation, PuttingBack, StageReport, Status};
use statemachine::plan::{Action, Progress};
use statemachine::resource::Name;
use statemachine::{Error, ErrorKind, Stage};

use crate::join::{lay, looked, planned, report, unrecorded};
use crate::table::{Row, assert_all_operations, operation, rows};
use crate::world::World;

/// `work`: what the run came to. `services`: they run what a release is of, what none is of yet, or nothing is known.
pub(crate) const TABLE: &str = "
    operation        work      services  with         => course          reads                writes
    plan             failed    -         -            => failed          reports,diagnosis    result
    plan-destroy     failed    -         -            => failed          reports,diagnosis    result

    apply            done      -         -            => done            reports,described    described,result,lock
    apply            done      known     -            => done            reports,described    described,result,lock
    apply            done      new       -            => done            reports,described    release,tag,intent,described,result,lock
    apply            done      new       first        => done            reports              release,tag,intent,described,result,lock
    apply            done      new       unreadable   => done            reports,described    release,tag,intent,result,lock
    apply            done      -         host-left    => done            reports,described    intent,described,result,lock
    apply            failed    -         -            => failed          reports,diagnosis    result,lock
    apply            failed    known     moved        => failed          reports,diagnosis    result,lock
    apply            caught    -         -            => failed          reports,diagnosis    result,lock
    apply            stopped   -         -            => stopped         reports              result,lock

    destroy          gone      -         -            => forget          reports,looks        forget,result,lock
    destroy          left      -         -            => left            reports,looks        result,lock
    destroy          failed    -         -            => failed          reports,diagnosis    result,lock
    destroy          stopped   -         -            => stopped         reports              result,lock

    deploy           done      new       moved        => done            reports,described    release,tag,intent,described,result,lock
    deploy           done      known     moved        => done            reports,described    intent,described,result,lock
    deploy           looked    new       new-image    => done            reports,described    release,tag,intent,described,result,lock
    deploy           failed    -         moved        => put-back        reports,diagnosis    resume
    deploy           failed    -         moved,laid   => put-back        reports,diagnosis    resume
    deploy           failed    -         -            => failed          reports,diagnosis    result,lock
    deploy           failed    -         moved,first  => failed          reports,diagnosis    result,lock
    deploy           caught    -         moved        => put-back        reports,diagnosis    resume
    deploy           stopped   -         moved        => stopped         reports              result,lock
    deploy           done      -         putting-back => put-back-ended  reports              result,lock
    deploy           failed    -         putting-back => put-back-ended  reports              result,lock
    deploy           stopped   -         putting-back => put-back-ended  reports              result,lock

    rollback         done      new       moved        => done            reports,described    release,tag,intent,described,result,lock
    rollback         done      known     moved        => done            reports,described    release,tag,intent,described,result,lock
    rollback         failed    -         moved,laid   => put-back        reports,diagnosis    resume
    restart          done      known     moved        => done            reports,described    described,result,lock
    restart          failed    -         moved        => put-back        reports,diagnosis    resume
    restart          failed    -         moved,laid   => put-back        reports,diagnosis    intent,resume
    rotate           done      known     moved        => done            reports,described    described,result,lock
    rotate           failed    -         moved,laid   => put-back        reports,diagnosis    intent,resume
    rotate           failed    -         -            => failed          reports,diagnosis    result,lock

    scale            done      known     moved        => done            reports,described    described,result,lock
    scale            failed    -         moved,laid   => failed          reports,diagnosis    result,lock
    run              done      known     moved        => done            reports,described    described,result,lock
    run              failed    -         moved        => failed          reports,diagnosis    result,lock
    snapshot-create  done      -         -            => done            reports,described    described,result,lock
    snapshot-forget  failed    -         -            => failed          reports,diagnosis    result,lock
    restore          done      known     moved        => done            reports,described    described,result,lock
    restore          failed    -         moved,laid   => failed          reports,diagnosis    result,lock
    restore-object   done      -         -            => done            reports,described    described,result,lock
    pause            done      -         moved        => done            reports,described    described,result,lock
    pause            stopped   -         moved        => stopped         reports              result,lock
    resume           done      known     moved        => done            reports,described    described,result,lock
    resume           failed    -         moved        => failed          reports,diagnosis    result,lock
";

pub(crate) fn failure() -> Failure {
    let error = Error::new(ErrorKind::Denied, "AWS said no");
    Failure::of(Stage::Services, &Name::new("service", "api"), &error)
}

/// The world and the document of a run whose stages have worked.
pub(crate) fn worked(of: Operation, work: &str, services: &str, with: &str) -> (World, Document) {
    let (mut world, mut document) = looked(of, "nothing", "same");
    let (stage, mut item) = planned("create", of);
    (item.to, item.progress) = (Some(json!({ "size": 1 })), Progress::Done);
    let reported = report(stage, Mode::Make, vec![item]);
    let slot = &mut document.stages.services;
    slot.status = Status::Ready;
    let reported = match work {
        "done" | "gone" => reported,
        "looked" => {
            slot.status = Status::Looked;
            reported
        }
        "failed" => StageReport { failure: Some(failure()), ..reported },
        "stopped" => StageReport { stopped: Some("somebody cancelled it".to_owned()), ..reported },
        "caught" => {
            document.caught =
                Some(Caught { error: "States.Timeout".to_owned(), cause: "It took too long.".to_owned() });
            reported
        }
        "left" => {
            let (stage, item) = planned("delete", of);
            world.looks = BTreeMap::from([(stage, report(stage, Mode::Plan, vec![item]))]);
            reported
        }
        other => panic!("no work: {other}"),
    };
    world.reports = BTreeMap::from([(stage, reported)]);
    let known = document.intent.release.clone().expect("a release").image.digest;
    let digest = match services {
        "-" => None,
        "known" => Some(known),
        "new" => Some(crate::begin::new_image()),
        other => panic!("no services: {other}"),
    };
    if let Some(digest) = digest {
        let attributes = [("digest", digest), ("architecture", "ARM64".to_owned())];
        let outputs = &mut document.stages.services.outputs;
        outputs.insert(Name::new("service", "api"), "arn");
        outputs.insert_with(&Name::from_tag("image/current"), "current", &attributes);
    }
    for condition in with.split(',') {
        meet(condition, &mut world, &mut document);
    }
    (world, document)
}

fn meet(condition: &str, world: &mut World, document: &mut Document) {
    match condition {
        "-" => {}
        "moved" => document.stages.services.mode = Some(Mode::Make),
        "laid" => lay(document),
        "new-image" => unrecorded(document),
        "first" => {
            (document.intent.run, document.intent.release, document.intent.releases) = (None, None, 0);
            (document.before, world.described) = (None, None);
        }
        "host-left" => document.intent.hosts = vec!["old.example.com".to_owned()],
        "unreadable" => world.unreadable = Some(failure()),
        "putting-back" => {
            document.stages.services.mode = Some(Mode::Make);
            let why = PuttingBack { failure: failure(), diagnosis: None };
            document.putting_back = Some(Box::new(why));
        }
        other => panic!("no condition: {other}"),
    }
}

fn check(row: &Row<'_>) {
    let &[of, work, services, with] = row.given.as_slice() else { panic!("four conditions: {}", row.line) };
    let (mut world, document) = worked(operation(of), work, services, with);
    let step = world.finish(&document);
    row.assert_holds(&mut world, step);
}

#[test]
fn the_table_holds() {
    rows(TABLE).iter().for_each(check);
    assert_all_operations(TABLE);
}

/// What cannot be read at the end is told as the run's failure; what was to be written before it is.
#[test]
fn a_run_whose_last_read_fails_has_failed() {
    let (mut world, document) = worked(Operation::Apply, "done", "new", "unreadable");
    let step = world.finish(&document);
    world.carry_out(step.decided, usize::MAX);
    let result = world.result.expect("a result");
    assert_eq!(result.failure, Some(failure()));
    assert_eq!(result.outputs.get("release"), None);
    assert!(world.holder.is_none(), "the lock is free");
}

#[test]
fn what_is_gone_is_described_no_longer() {
    let (mut world, document) = worked(Operation::Apply, "done", "-", "-");
    let mut reported = world.reports.pop_first().expect("a report").1;
    let item = &mut reported.items[0];
    (item.name, item.action, item.to) = (Name::new("db-cluster", "main"), Action::Delete, None);
    world.reports.insert(Stage::Database, reported);
    let step = world.finish(&document);
    world.carry_out(step.decided, usize::MAX);
    assert_eq!(world.described.expect("what is described")[&Stage::Database], [].into());
}
