//! Starting runs and following them: names that are taken, engines that are newer, executions that are gone.

use statemachine::message::Operation;

use crate::fake::{Execution, Fake, Start};
use crate::{Place, record, text, world};

const LOST: &str = "20261101-090000-00aa";

#[test]
fn a_start_whose_answer_was_lost_is_not_made_twice() {
    let mut world = world();
    world.start = Start::AnswerLost;
    let fake = Fake::start(world);
    let done = Place::with(&fake).run(&["apply", "--yes"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(fake.world().started.len(), 1, "its own run is the one that is there");
}

#[test]
fn a_name_that_another_run_has_is_left_to_it() {
    let mut world = world();
    world.start = Start::NameTaken;
    let fake = Fake::start(world);
    let done = Place::with(&fake).run(&["apply", "--yes"]);
    assert_eq!(done.code, 0, "{done:?}");
    let world = fake.world();
    let [(taken, _), (own, request)] = world.started.as_slice() else {
        panic!("two names were tried: {:?}", world.started)
    };
    assert_ne!(taken, own);
    let key = format!("runs/production/{own}/config.toml");
    assert_eq!(request.config_key.as_ref(), Some(&key), "the configuration stands under the run's own name");
    assert!(world.objects.contains_key(&key));
}

#[test]
fn an_older_program_changes_nothing_and_says_which_version_to_install() {
    let mut world = world();
    world.version = Some("99.1.0".to_owned());
    let fake = Fake::start(world);
    let place = Place::with(&fake);
    let writes = [
        "apply --yes",
        "apply --yes --plan edb50224c134",
        "destroy --yes",
        "deploy latest",
        "rollback",
        "bootstrap",
        "bootstrap --remove --yes",
    ];
    for line in writes {
        let done = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(done.code, 4, "{line}: {done:?}");
        let says = |what: &str| done.stderr.contains(what);
        assert!(says("is older than the engine of arive (99.1.0)"), "{line}: {done:?}");
        assert!(says("Install version 99.1.0"), "{line}: {done:?}");
    }
    assert!(fake.world().started.is_empty(), "nothing was started");
    let looked = place.run(&["plan"]);
    assert_eq!(looked.code, 0, "a look is let through: {looked:?}");
    assert!(looked.stderr.contains("Install version 99.1.0"), "{looked:?}");
}

#[test]
fn a_look_without_an_engine_says_how_to_get_one() {
    let mut world = world();
    world.version = None;
    let fake = Fake::start(world);
    let done = Place::with(&fake).run(&["plan"]);
    assert_eq!(done.code, 4, "{done:?}");
    assert!(done.stderr.contains("stepstack bootstrap"), "{done:?}");
}

/// A run of three weeks ago that has no result, and its execution.
fn lost(execution: Option<(&'static str, Option<&'static str>)>) -> Fake {
    let mut world = world();
    let mut record = record(Operation::Apply, "2026-11-01T09:00:00Z");
    record.run.execution = format!("arn:aws:states:us-east-1:123456789012:execution:stepstack-arive:{LOST}");
    world.objects.insert(format!("runs/production/{LOST}/request.json"), text(&record));
    if let Some((status, cause)) = execution {
        let execution = Execution { input: String::new(), status, cause };
        world.executions.insert(LOST.to_owned(), execution);
    }
    Fake::start(world)
}

#[test]
fn following_ends_where_the_execution_has_ended_or_is_unknown() {
    let cases = [
        (Some(("ABORTED", Some("cancelled by hand"))), "was stopped from outside: cancelled by hand."),
        (Some(("TIMED_OUT", None)), "ran out of time."),
        (Some(("FAILED", Some("no such bucket"))), "ended without a result: no such bucket."),
        (None, "AWS knows no execution of the run"),
    ];
    for (execution, says) in cases {
        let fake = lost(execution);
        let done = Place::with(&fake).run(&["attach", LOST]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stderr.contains(says), "{says}: {done:?}");
        assert!(done.stderr.contains("Run the command again"), "it says what to do: {done:?}");
    }
}

#[test]
fn a_run_that_goes_on_is_followed_to_its_end() {
    let fake = lost(Some(("RUNNING", None)));
    let place = Place::with(&fake);
    let done = std::thread::scope(|scope| {
        let following = scope.spawn(|| place.run(&["attach", LOST, "--json"]));
        std::thread::sleep(std::time::Duration::from_millis(500));
        let result = crate::result(Operation::Apply, statemachine::message::Outcome::Failed);
        fake.world().objects.insert(format!("runs/production/{LOST}/result.json"), text(&result));
        following.join().expect("it ends")
    });
    assert_eq!(done.code, 1, "{done:?}");
    assert_eq!(crate::document(&done)["outcome"], "failed");
}
