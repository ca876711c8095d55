//! What becomes of a run once its stages have looked.

use std::collections::BTreeMap;

use record::{Described, Holder};
use serde_json::json;
use statemachine::message::{Document, Mode, Operation, StageReport, Status, Wanted};
use statemachine::plan::{Action, Change, Item};
use statemachine::resource::{Name, Names};
use statemachine::{Part, Stage};

use crate::fixture::document;
use crate::table::{Row, assert_all_operations, operation, rows};
use crate::world::{EXECUTION, World};

/// `plan`: what the looks of the operation's stages have found. `file`: the one that was accepted last, or another.
pub(crate) const TABLE: &str = "
    operation        plan      file   with        => course          reads              writes
    plan             nothing   same   -           => planned         looks              plan,result
    plan             create    new    -           => planned         looks              plan,result
    plan             change    new    -           => planned         looks,described    plan,result
    plan             refuse    same   -           => planned         looks              plan,result
    plan             create    same   failed      => diagnose        -                  -
    plan-destroy     delete    same   -           => planned         looks              plan,result

    apply            nothing   same   -           => no-changes      looks              result,lock
    apply            nothing   new    -           => no-changes      looks              accept,intent,result,lock
    apply            nothing   same   other-plan  => other-plan      looks              result,lock
    apply            create    same   -           => go              looks              plan
    apply            create    new    -           => go              looks              plan,accept,intent
    apply            create    new    uploaded    => go              looks              plan,intent
    apply            change    new    -           => go              looks,described    plan,accept,intent
    apply            change    new    other-plan  => other-plan      looks,described    plan,result,lock
    apply            busy      same   -           => go              looks              plan
    apply            refuse    new    -           => blocked         looks              plan,result,lock
    apply            refuse    new    other-plan  => blocked         looks              plan,result,lock
    apply            lost      same   -           => blocked         looks,described    plan,result,lock
    apply            lost      same   delete-data => go              looks,described    plan
    apply            drop      new    -           => go              looks,described    plan,accept,intent,described
    apply            create    new    failed      => diagnose        -                  -

    destroy          nothing   same   -           => nothing-there   looks              forget,result,lock
    destroy          kept      same   -           => nothing-there   looks              forget,result,lock
    destroy          delete    same   -           => go              looks              plan
    destroy          drop      same   -           => go              looks,described    plan,described
    destroy          refuse    same   -           => blocked         looks              plan,result,lock
    destroy          delete    same   other-plan  => other-plan      looks              plan,result,lock
    destroy          nothing   same   again       => all-gone        looks              -
    destroy          delete    same   again       => something-left  looks              -
    destroy          busy      same   again       => something-left  looks              -
    destroy          delete    same   often       => comes-back      looks              -
    destroy          nothing   same   often       => all-gone        looks              -
    destroy          delete    same   failed      => diagnose        -                  -

    deploy           change    same   -           => go              looks,described    plan
    deploy           change    same   new-image   => go              looks,described    plan
    deploy           nothing   same   -           => no-changes      looks              result,lock
    deploy           nothing   same   new-image   => unrecorded      looks              -
    deploy           refuse    same   new-image   => blocked         looks              plan,result,lock
    rollback         change    same   laid        => go              looks,described    plan
    rollback         nothing   same   new-image   => unrecorded      looks              -
    rollback         nothing   same   -           => no-changes      looks              result,lock

    scale            change    same   laid        => go              looks,described    plan,intent
    scale            nothing   same   laid        => no-changes      looks              intent,result,lock
    scale            nothing   same   -           => no-changes      looks              result,lock
    scale            change    same   other-plan  => other-plan      looks,described    plan,result,lock
    restart          change    same   laid        => go              looks,described    plan,intent
    run              create    same   -           => go              looks              plan
    run              refuse    same   -           => blocked         looks              plan,result,lock

    rotate           change    same   laid        => go              looks,described    plan,intent
    snapshot-create  create    same   -           => go              looks              plan
    snapshot-forget  delete    same   -           => go              looks              plan
    snapshot-forget  nothing   same   -           => no-changes      looks              result,lock
    restore          lost      same   laid        => blocked         looks,described    plan,result,lock
    restore          create    same   laid        => go              looks              plan,intent
    restore-object   change    same   -           => go              looks,described    plan

    pause            change    same   laid        => go              looks,described    plan,intent
    pause            nothing   same   laid        => no-changes      looks              intent,result,lock
    resume           change    same   laid        => go              looks,described    plan,intent
";

fn item(action: Action) -> Item {
    Item::new(Name::new("thing", "one"), action)
}

fn cluster(action: Action) -> Item {
    let to = (action == Action::Create).then(|| json!({ "identifier": "arive-production-1" }));
    Item { to, ..Item::new(Name::new("db-cluster", "main"), action) }
}

/// The stage and the item of a plan, by its name in the table.
pub(crate) fn planned(plan: &str, operation: Operation) -> (Stage, Item) {
    let last = *operation.stages().last().expect("a stage");
    match plan {
        "nothing" => (last, item(Action::Keep)),
        "create" => (last, item(Action::Create)),
        "change" => {
            let change = Change { field: "size".to_owned(), from: json!(1), to: json!(2), why: None };
            (last, Item { changes: vec![change], ..item(Action::Update) })
        }
        "delete" => (last, item(Action::Delete)),
        "busy" => (last, item(Action::Wait)),
        "kept" => (last, item(Action::Kept)),
        "refuse" => (last, Item { reason: Some("It cannot change.".to_owned()), ..item(Action::Refuse) }),
        "lost" => (Stage::Database, cluster(Action::Create)),
        "drop" => (Stage::Database, cluster(Action::Delete)),
        other => panic!("no plan: {other}"),
    }
}

pub(crate) fn report(stage: Stage, mode: Mode, items: Vec<Item>) -> StageReport {
    StageReport {
        stage: Part::from(stage),
        mode,
        status: if mode == Mode::Plan { Status::Looked } else { Status::Ready },
        retry_after_s: 0,
        items,
        names: Names::default(),
        made: [].into(),
        changed: [].into(),
        waiting: Vec::new(),
        failure: None,
        stopped: None,
        left_over: 0,
        absent: [].into(),
        at_ms: 1,
    }
}

/// The document of a run that has looked, with the lock where it needs it, and the world it is in.
pub(crate) fn looked(of: Operation, plan: &str, file: &str) -> (World, Document) {
    let mut document = document(of);
    document.intent.engine = Some(env!("CARGO_PKG_VERSION").to_owned());
    document.intent.buckets = vec!["arive-production-uploads".to_owned()];
    if let Some(stack) = &document.stack {
        document.intent.buckets = stack.uploads.iter().map(|uploads| uploads.bucket.clone()).collect();
    }
    if of.removes_all() {
        (document.stack, document.config) = (None, None);
    }
    match file {
        "same" => {}
        "new" => document.config = Some("another".to_owned()),
        other => panic!("no file: {other}"),
    }
    for stage in Stage::ALL {
        document.stages[stage].status = Status::Looked;
    }
    let mut world = crate::begin::world(document.run.trigger, "free", "live");
    world.intent = Some(document.intent.clone());
    world.is_accepted = true;
    if of.only_looks() {
        document.run.lock = None;
    } else {
        let holder = crate::begin::held_by(of.name()).expect("a holder");
        world.holder = Some(Holder { execution: EXECUTION.to_owned(), ..holder });
    }
    let described = json!({ "database": { "db-cluster/main": { "identifier": "arive-production-1" } } });
    world.described = Some(serde_json::from_value::<Described>(described).expect("what was described"));
    let (stage, item) = planned(plan, of);
    world.looks = BTreeMap::from([(stage, report(stage, Mode::Plan, vec![item]))]);
    (world, document)
}

/// No release is of the image that the document asks for.
pub(crate) fn unrecorded(document: &mut Document) {
    document.image = document.image.take().map(|wanted| Wanted::New(wanted.image().clone()));
}

/// Lays something over the document's intent.
pub(crate) fn lay(document: &mut Document) {
    document.before = Some(Box::new(document.intent.clone()));
    document.intent.database.snapshot = Some("laid over".to_owned());
}

fn check(row: &Row<'_>) {
    let &[of, plan, file, with] = row.given.as_slice() else { panic!("four conditions: {}", row.line) };
    let (mut world, mut document) = looked(operation(of), plan, file);
    match with {
        "-" => {}
        "failed" => document.stages.network.status = Status::Failed,
        "other-plan" => document.run.plan = Some("0123456789ab".to_owned()),
        "uploaded" => document.run.config_key = Some("environments/production.toml".to_owned()),
        "delete-data" => document.run.options.data = statemachine::resource::DataPolicy::Delete,
        "again" => document.looks = 1,
        "often" => document.looks = 4,
        "new-image" => unrecorded(&mut document),
        "laid" => lay(&mut document),
        other => panic!("no condition: {other}"),
    }
    let step = world.join(&document);
    row.assert_holds(&mut world, step);
}

#[test]
fn the_table_holds() {
    rows(TABLE).iter().for_each(check);
    assert_all_operations(TABLE);
}
