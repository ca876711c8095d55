//! What holds for every combination of what can be known.

use std::collections::BTreeSet;

use control::Ask;
use statemachine::message::{Document, Operation, Trigger};

use crate::begin::{ask, world};
use crate::finish::worked;
use crate::join::{lay, looked, unrecorded};
use crate::table::{name, operations};
use crate::world::{Step, World};

/// What a run that only looks may write: its own record.
const RECORD: [&str; 4] = ["request", "configuration", "plan", "result"];

/// What starts an operation.
fn triggers(of: Operation) -> &'static [Trigger] {
    match of {
        Operation::Apply => &[Trigger::Cli, Trigger::ConfigUpload],
        Operation::Deploy => &[Trigger::Cli, Trigger::ImagePush],
        Operation::Rotate | Operation::Pause => &[Trigger::Cli, Trigger::Schedule],
        Operation::Plan
        | Operation::PlanDestroy
        | Operation::Destroy
        | Operation::Rollback
        | Operation::Scale
        | Operation::Restart
        | Operation::Run
        | Operation::SnapshotCreate
        | Operation::SnapshotForget
        | Operation::Restore
        | Operation::RestoreObject
        | Operation::Resume => &[Trigger::Cli],
    }
}

/// What can be the newest upload or image, where the trigger is one.
fn newest(trigger: Trigger) -> &'static [Option<&'static str>] {
    match trigger {
        Trigger::Cli | Trigger::Schedule => &[None],
        Trigger::ConfigUpload | Trigger::ImagePush => &[None, Some("newer"), Some("v1")],
    }
}

/// Each with each.
fn each<A: Clone, B: Clone>(ones: impl IntoIterator<Item = A>, others: &[B]) -> Vec<(A, B)> {
    ones.into_iter().flat_map(|one| others.iter().map(move |other| (one.clone(), other.clone()))).collect()
}

/// Every way that a run can begin.
fn each_begin(mut check: impl FnMut(&World, &dyn Fn(&mut World) -> Step, Operation)) {
    let started = operations().into_iter().flat_map(|of| each([of], triggers(of)));
    let locks = [("free", true), ("apply", true), ("apply", false), ("destroy", true), ("destroy", false)];
    let around = each(each(started, &locks), &["never", "live", "paused"]);
    for ((((of, trigger), (lock, waits)), before), file) in
        each(around, &[None, Some("app = 1"), Some(crate::fixture::FILE)])
    {
        for newest in newest(trigger) {
            let mut world = world(trigger, lock, before);
            world.file = file.map(str::to_owned);
            world.newest = newest.map(str::to_owned);
            let ask = Ask { waits, ..ask(of, trigger) };
            check(&world, &|world| world.begin(Ok(ask.clone())), of);
        }
    }
}

/// Every way that the looks of a run can have ended.
fn each_join(mut check: impl FnMut(&World, &Document)) {
    let plans = ["nothing", "create", "change", "delete", "busy", "kept", "refuse", "lost", "drop"];
    let found = each(each(operations(), &plans), &["same", "new"]);
    let asked = each([None, Some("0123456789ab")], &[0, 1, 4]);
    for ((((of, plan), file), (asked, looks)), (is_new, is_laid)) in
        each(each(found, &asked), &each([false, true], &[false, true]))
    {
        let (world, mut document) = looked(of, plan, file);
        document.run.plan = asked.map(str::to_owned);
        document.looks = looks;
        if is_new {
            unrecorded(&mut document);
        }
        if is_laid {
            lay(&mut document);
        }
        check(&world, &document);
    }
}

/// Every way that the work of a run can have ended. One that only looks comes here when it has failed.
fn each_finish(mut check: impl FnMut(&World, &Document)) {
    let works = ["done", "looked", "failed", "stopped", "caught", "gone", "left"];
    let comes = |(of, work): &(Operation, &str)| !of.only_looks() || ["failed", "caught"].contains(work);
    let worked_on = each(operations(), &works).into_iter().filter(comes);
    let withs =
        each(["-", "moved", "putting-back"], &["-", "laid", "first", "new-image", "host-left", "unreadable"]);
    for (((of, work), services), (moved, with)) in each(each(worked_on, &["-", "known", "new"]), &withs) {
        let (world, document) = worked(of, work, services, &format!("{moved},{with}"));
        check(&world, &document);
    }
}

/// What no course may do.
fn invariants(world: &World, step: &dyn Fn(&mut World) -> Step, of: Operation) {
    let mut after = world.clone();
    let Step { decided, reads } = step(&mut after);
    let course = name(&decided.course);
    let holds = decided.document.run.lock.is_some();
    let writes = after.carry_out(decided, usize::MAX);
    let told = format!("{} {course}: {reads:?} {writes:?}", of.name());
    let distinct: BTreeSet<_> = reads.iter().collect();
    assert_eq!(distinct.len(), reads.len(), "nothing is read twice: {told}");
    if of.only_looks() {
        assert!(!reads.contains(&"turn") && !holds, "who looks takes no lock: {told}");
        assert!(
            writes.iter().all(|write| RECORD.contains(write)),
            "nothing but the record is written: {told}"
        );
    }
    let nothing_is_changed =
        ["refuse", "busy", "overtaken", "so-already", "wait", "planned", "blocked", "other-plan"];
    if nothing_is_changed.contains(&course) {
        let mut as_before = after.clone();
        as_before.is_requested = world.is_requested;
        as_before.waits_for.clone_from(&world.waits_for);
        as_before.plan.clone_from(&world.plan);
        as_before.result.clone_from(&world.result);
        (as_before.holder, as_before.generation) = (world.holder.clone(), world.generation);
        assert_eq!(&as_before, world, "{told}");
    }
    if let Some(at) = writes.iter().position(|write| *write == "result") {
        let expected: &[&str] = if holds { &["result", "lock"] } else { &["result"] };
        assert_eq!(&writes[at..], expected, "the result is the last word, then the lock is free: {told}");
        assert!(!holds || after.holder.is_none(), "{told}");
    } else {
        assert!(!writes.contains(&"lock"), "a run that goes on keeps its lock: {told}");
    }
}

/// A step that is cut off after any of its writes, or whose answer is lost, is repeated with the same event: the world
/// is as if it had run once.
fn repeats(world: &World, step: &dyn Fn(&mut World) -> Step) {
    let mut once = world.clone();
    let first = step(&mut once).decided;
    let (course, document) = (name(&first.course), first.document.clone());
    let writes = once.carry_out(first, usize::MAX);
    for cut in 0..=writes.len() {
        let mut twice = world.clone();
        let decided = step(&mut twice).decided;
        twice.carry_out(decided, cut);
        let mut again = step(&mut twice).decided;
        // Who asks once more for a lock that was given back gets the next generation.
        again.document.run.lock = document.run.lock;
        twice.generation = once.generation;
        assert_eq!((name(&again.course), &again.document), (course, &document), "after {:?}", &writes[..cut]);
        twice.carry_out(again, usize::MAX);
        assert_eq!(twice, once, "{course} after {:?}", &writes[..cut]);
    }
}

#[test]
fn a_begin_keeps_what_no_course_may_break_and_can_be_repeated() {
    each_begin(|world, begin, of| {
        invariants(world, begin, of);
        repeats(world, begin);
    });
}

#[test]
fn a_join_keeps_what_no_course_may_break_and_can_be_repeated() {
    each_join(|world, document| {
        let join = |world: &mut World| world.join(document);
        invariants(world, &join, document.run.operation);
        repeats(world, &join);
    });
}

#[test]
fn a_finish_keeps_what_no_course_may_break_and_can_be_repeated() {
    each_finish(|world, document| {
        let finish = |world: &mut World| world.finish(document);
        invariants(world, &finish, document.run.operation);
        repeats(world, &finish);
    });
}
