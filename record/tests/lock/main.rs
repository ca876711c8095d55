//! The lock, over every interleaving of three runs that claim it, work, fail, are put back, are cancelled and die.
//!
//! An exhaustive search of our own instead of `stateright` (0.31, MIT): "from every state somebody can still take the
//! lock" is no property that `stateright` checks (its `eventually` holds only on paths without a cycle, and runs that
//! wait go round in one), and it brings 23 packages, a web server among them, for the hundred lines of [`explore`].

mod explore;
mod steps;
mod world;

use record::lock::{self, HolderState};
use record::{Holder, Lock};
use statemachine::tick;

use crate::explore::Graph;
use crate::world::{RUNS, Rules, What, World};

/// The code as it is.
const CODE: Rules = Rules {
    claim: lock::decide_claim,
    stop: lock::decide_stop,
    fail: lock::decide_fail,
    resume: lock::decide_resume,
    give_back: lock::decide_give_back,
    held_by: Lock::held_by,
    trusts: tick::is_still_held,
    is_conditional: |_| true,
    found_counts_as_read: false,
};

/// Explores everything that can happen to so many runs with so many mishaps; answers how many states there are.
fn check(rules: &Rules, runs: usize, mishaps: u8) -> Result<usize, String> {
    let graph = Graph::explore(World::start(runs, mishaps), |world| world.steps(rules), World::wrong)?;
    graph.always_comes_to(|world| world.can_be_taken(rules), "nobody can take the lock any more")?;
    Ok(graph.len())
}

/// Asserts that a mutation of the code is found, with as many runs and mishaps as it takes.
#[track_caller]
fn finds(what: &str, rules: &Rules, runs: usize, mishaps: u8) {
    let found = check(rules, runs, mishaps).expect_err("the mutation is found");
    assert!(found.starts_with(what), "{found}");
}

#[test]
fn three_runs_never_write_at_once_never_lose_a_stop_and_are_never_stuck() {
    // Three mishaps are about 2,000,000 states: too many for every run of the tests.
    let states = check(&CODE, RUNS, 2).unwrap_or_else(|trace| panic!("{trace}"));
    assert!(states > 100_000, "only {states} states are reached");
}

#[test]
fn a_takeover_at_once_is_found() {
    let at_once = |found: Option<&Lock>, holder: &Holder, state: Option<HolderState>, now_s| {
        lock::decide_claim(found, holder, state, now_s + 60)
    };
    finds("two runs write at once", &Rules { claim: at_once, ..CODE }, 2, 1);
}

#[test]
fn a_holder_that_nobody_may_follow_is_found() {
    let never = |found: Option<&Lock>, holder: &Holder, _, now_s| {
        lock::decide_claim(found, holder, Some(HolderState::Running), now_s)
    };
    finds("nobody can take the lock any more", &Rules { claim: never, ..CODE }, 2, 1);
}

#[test]
fn an_unconditional_write_is_found() {
    finds("two runs write at once", &Rules { is_conditional: |what| what != What::Claim, ..CODE }, 2, 0);
    finds(
        "two runs write at once",
        &Rules { is_conditional: |what| what != What::GiveBack, ..CODE },
        RUNS,
        2,
    );
}

#[test]
fn giving_back_what_is_not_ones_own_is_found() {
    let anybodys = |found: &Lock, _: &str| Some(Lock { generation: found.generation, ..Lock::default() });
    finds("two runs write at once", &Rules { give_back: anybodys, ..CODE }, RUNS, 2);
}

#[test]
fn a_stop_that_is_not_seen_is_found() {
    let held_by = |found: &Lock, execution: &str| Lock { stop: None, ..found.clone() }.held_by(execution);
    finds("a run writes past the window", &Rules { held_by, ..CODE }, 1, 1);
}

#[test]
fn a_stop_that_is_not_written_over_a_failure_is_found() {
    let stop = |found: &Lock, execution: &str, why: &str| {
        let is_told = found.held_by(execution).is_err();
        if is_told { None } else { lock::decide_stop(found, execution, why) }
    };
    finds("a stop is lost", &Rules { stop, ..CODE }, 1, 2);
}

#[test]
fn a_run_that_goes_on_although_it_was_cancelled_is_found() {
    let resume = |found: &Lock, execution: &str| {
        lock::decide_resume(found, execution).map(|lock| Lock { stop: None, ..lock })
    };
    finds("a stop is lost", &Rules { resume, ..CODE }, 1, 2);
}

#[test]
fn a_read_that_is_trusted_for_a_minute_is_found() {
    let trusts = |read_ms: u64, now_ms: u64| now_ms - read_ms <= 60_000;
    finds("a run writes past the window", &Rules { trusts, ..CODE }, 1, 1);
}

#[test]
fn a_lock_that_is_found_to_be_ones_own_and_counts_as_read_is_found() {
    finds("a stop is lost", &Rules { found_counts_as_read: true, ..CODE }, 1, 2);
}
