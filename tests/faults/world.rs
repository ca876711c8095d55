//! A stack under faults, and whether it came through them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use statemachine::Stage;

use crate::harness::{Done, Emulator};
use crate::strict::{Fault, Settings};

/// The functions' own time limit.
const FUNCTIONS_LONGEST: Duration = Duration::from_mins(1);

/// A command of the program on a configuration.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) file: PathBuf,
    pub(super) arguments: Vec<&'static str>,
}

impl Step {
    pub(super) fn new(file: PathBuf, arguments: &[&'static str]) -> Self {
        Self { file, arguments: arguments.to_vec() }
    }
}

/// An emulator behind the strict AWS.
pub(super) struct World {
    pub(super) emulator: Emulator,
}

impl World {
    /// A stopped run's lock is taken over a minute after its end, when no function of it can be at work. Here that
    /// minute is over at once, so it is waited until none is.
    pub(super) fn new() -> Self {
        let emulator = Emulator::start();
        let seconds = [("stopped-execution-age", 60.0)].into();
        emulator.strict().configure(&Settings { seconds, ..Settings::default() });
        Self { emulator }
    }

    pub(super) fn run(&self, step: &Step) -> Done {
        self.emulator.stepstack(&step.file, &step.arguments)
    }

    /// Everything there is, but for the final snapshots: each destroy keeps one, under its run's name.
    pub(super) fn inventory(&self) -> Vec<String> {
        let mut inventory = self.emulator.strict().inventory();
        inventory.retain(|line| !line.starts_with("snapshot of "));
        inventory
    }

    /// Runs a command with faults on its way, again until it comes through. Answers which faults it did not meet: how
    /// often something is read depends on how long AWS takes. Fails with what is wrong in the end: a write that did not
    /// meet its fault, or anything that is not as an undisturbed run leaves it.
    pub(super) fn survives(
        &self,
        step: &Step,
        faults: Vec<Fault>,
        expected: &[String],
    ) -> Result<BTreeSet<String>, String> {
        // One fault can hide another until the next run, so a bundle of them may take some.
        let runs = if faults.len() > 1 { 5 } else { 2 };
        let stops = faults.iter().any(|fault| fault.kind == "stop");
        let denied = faults.iter().filter(|fault| fault.kind == "denied").map(|fault| fault.operation).next();
        let calls: BTreeSet<_> = faults.iter().map(|fault| (fault.service, fault.operation)).collect();
        let strict = self.emulator.strict();
        strict.forget_record();
        strict.configure(&Settings { faults: Some(faults), ..Settings::default() });
        let mut told: Vec<Done> = Vec::new();
        for _ in 0..runs {
            told.push(self.run(step));
            if stops {
                self.await_functions();
            }
            if told.last().is_some_and(|done| done.code == 0) {
                break;
            }
        }
        strict.configure(&Settings { faults: Some(vec![]), ..Settings::default() });
        let record = strict.record();
        let all = told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        if told.last().is_none_or(|done| done.code != 0) {
            return Err(format!("it does not come through, not in {runs} runs:\n{all}"));
        }
        let mut unmet = BTreeSet::new();
        let met = |service: &str, operation: &str| {
            let mut answered = record.calls.iter().filter(|call| call.by == "fault");
            answered.any(|call| call.service == service && call.operation == operation)
        };
        for (service, operation) in calls.into_iter().filter(|(service, operation)| !met(service, operation))
        {
            if !is_read(operation) {
                return Err(format!("{service}:{operation} was not made:\n{all}"));
            }
            unmet.insert(format!("{service}:{operation}"));
        }
        if !record.late_failures.is_empty() {
            return Err(format!("{:#?}", record.late_failures));
        }
        if let Some(silent) = told.iter().find(|done| done.code != 0 && !explains(done, denied, stops)) {
            return Err(format!("a failure is not explained:\n{silent}"));
        }
        let found = self.inventory();
        if found != expected {
            return Err(format!("{}\n{all}", difference(&found, expected)));
        }
        if told.len() > 1 && step.arguments[0] != "destroy" {
            // What the interrupted run asked for is on record, so an apply has nothing to take back.
            let plan = self.run(&Step::new(step.file.clone(), &["plan", "--detailed-exitcode"]));
            if plan.code != 0 {
                return Err(format!("the next apply would change something:\n{plan}\n{all}"));
            }
        }
        if self.is_locked() { Err(format!("the lock is still held:\n{all}")) } else { Ok(unmet) }
    }

    /// Waits until no function is at work.
    fn await_functions(&self) {
        let longest = Instant::now() + FUNCTIONS_LONGEST;
        while self.emulator.strict().functions_at_work() > 0 {
            assert!(Instant::now() < longest, "a function is still at work");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_locked(&self) -> bool {
        let lock = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(self.emulator.object("locks/production.json"))
        });
        !lock.is_some_and(|lock| lock["holder"].is_null())
    }
}

pub(super) fn is_read(operation: &str) -> bool {
    ["Describe", "List", "Get", "Head", "Batch", "Filter"].iter().any(|verb| operation.starts_with(verb))
}

/// Whether a failed run says at its end what failed: stage or resource; for a denied call also the function and the
/// call; of a run that was stopped, that it was.
fn explains(done: &Done, denied: Option<&str>, stopped: bool) -> bool {
    // The result, or where there is none the error: what stands before shows the plan, which names every stage.
    let end = if done.stdout.is_empty() { done.stderr.rsplit("Error: ").next() } else { Some(&*done.stdout) };
    let end = end.unwrap_or_default();
    let said = end.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut stages = Stage::ALL.map(Stage::name).into_iter().chain(["control"]);
    let names_a_stage = stages.any(|stage| said.contains(&format!(" {stage} ")));
    match denied {
        Some(operation) => {
            names_a_stage
                && said.contains(operation)
                // The last two are control's own, which nobody diagnoses.
                && [" may not call ", "The role of the function `control` lacks ", "The function control ended with Denied"]
                    .iter()
                    .any(|words| said.contains(words))
        }
        None if stopped => said.contains("was stopped from outside") || names_a_stage,
        None => names_a_stage,
    }
}

fn difference(found: &[String], expected: &[String]) -> String {
    let more: Vec<_> = found.iter().filter(|line| !expected.contains(line)).collect();
    let less: Vec<_> = expected.iter().filter(|line| !found.contains(line)).collect();
    let twice: Vec<_> = found.windows(2).filter(|two| two[0] == two[1]).map(|two| &two[0]).collect();
    format!("more: {more:#?}\nless: {less:#?}\ntwice (some are so by nature): {twice:#?}")
}
