//! Truth tables as text: one row a line, its conditions before the arrow, what they come to after it.

use std::collections::BTreeSet;

use control::decide::Course;
use statemachine::message::Operation;

use crate::world::{Step, World};

/// A row: the words of its conditions, the course, the reads and the writes in order.
pub(crate) struct Row<'a> {
    pub(crate) line: &'a str,
    pub(crate) given: Vec<&'a str>,
    pub(crate) course: &'a str,
    pub(crate) reads: Vec<&'a str>,
    pub(crate) writes: Vec<&'a str>,
}

impl Row<'_> {
    /// The step's course, reads and writes are those of the row.
    pub(crate) fn assert_holds(&self, world: &mut World, step: Step) {
        let course = name(&step.decided.course);
        let writes = world.carry_out(step.decided, usize::MAX);
        assert_eq!(
            (course, step.reads, writes),
            (self.course, self.reads.clone(), self.writes.clone()),
            "{}",
            self.line
        );
    }
}

/// The rows of a table, without its head.
pub(crate) fn rows(table: &str) -> Vec<Row<'_>> {
    table.lines().map(str::trim).filter(|line| !line.is_empty()).skip(1).map(row).collect()
}

fn row(line: &str) -> Row<'_> {
    let (given, expected) = line.split_once("=>").expect("an arrow");
    let expected: Vec<&str> = expected.split_whitespace().collect();
    let &[course, reads, writes] = expected.as_slice() else { panic!("three columns: {line}") };
    let listed =
        |column| if column == "-" { Vec::new() } else { str::split(column, ',').collect::<Vec<&str>>() };
    let given = given.split_whitespace().collect();
    Row { line, given, course, reads: listed(reads), writes: listed(writes) }
}

/// An operation by its name.
pub(crate) fn operation(name: &str) -> Operation {
    serde_json::from_value(name.into()).expect("an operation")
}

/// Every operation; one that is not listed does not compile.
pub(crate) fn operations() -> Vec<Operation> {
    let after = |operation: Option<Operation>| match operation {
        None => Some(Operation::Plan),
        Some(Operation::Plan) => Some(Operation::PlanDestroy),
        Some(Operation::PlanDestroy) => Some(Operation::Apply),
        Some(Operation::Apply) => Some(Operation::Destroy),
        Some(Operation::Destroy) => Some(Operation::Deploy),
        Some(Operation::Deploy) => Some(Operation::Rollback),
        Some(Operation::Rollback) => Some(Operation::Scale),
        Some(Operation::Scale) => Some(Operation::Restart),
        Some(Operation::Restart) => Some(Operation::Run),
        Some(Operation::Run) => Some(Operation::Rotate),
        Some(Operation::Rotate) => Some(Operation::SnapshotCreate),
        Some(Operation::SnapshotCreate) => Some(Operation::SnapshotForget),
        Some(Operation::SnapshotForget) => Some(Operation::Restore),
        Some(Operation::Restore) => Some(Operation::RestoreObject),
        Some(Operation::RestoreObject) => Some(Operation::Pause),
        Some(Operation::Pause) => Some(Operation::Resume),
        Some(Operation::Resume) => None,
    };
    std::iter::successors(after(None), |operation| after(Some(*operation))).collect()
}

/// Each operation has a row of its own in a table.
pub(crate) fn assert_all_operations(table: &str) {
    let listed: BTreeSet<&str> = rows(table).iter().map(|row| row.given[0]).collect();
    let all: BTreeSet<&str> = operations().into_iter().map(Operation::name).collect();
    assert_eq!(listed, all);
}

macro_rules! courses {
    ($($course:ident $name:literal),* $(,)?) => {
        /// The names of all courses.
        pub(crate) const COURSES: &[&str] = &[$($name),*];

        /// The name of a course.
        pub(crate) fn name(course: &Course) -> &'static str {
            match course { $(Course::$course { .. } => $name),* }
        }
    };
}

courses! {
    Refuse "refuse", Busy "busy", Overtaken "overtaken", SoAlready "so-already", Note "note", Wait "wait",
    Look "look",
    Diagnose "diagnose", Planned "planned", AllGone "all-gone", SomethingLeft "something-left",
    ComesBack "comes-back", Blocked "blocked", OtherPlan "other-plan", Unrecorded "unrecorded",
    NoChanges "no-changes", NothingThere "nothing-there", Go "go",
    PutBack "put-back", PutBackEnded "put-back-ended", Failed "failed", Stopped "stopped", Forget "forget",
    Left "left", Done "done",
}

#[test]
fn every_course_is_reached_by_a_row() {
    let tables = [crate::begin::TABLE, crate::join::TABLE, crate::finish::TABLE];
    let reached: BTreeSet<&str> = tables.iter().flat_map(|table| rows(table)).map(|row| row.course).collect();
    assert_eq!(reached, COURSES.iter().copied().collect());
}
