//! The state machine's definition: generated, linted, and run by a small interpreter with the types that travel
//! through it. A path that is missing ends an execution on AWS without any Catch, and passes on the
//! emulator: here it is a panic.

mod generate;
mod interpreter;
mod lint;

use interpreter::{Machine, Outcome};
use serde_json::{Value, json};
use statemachine::Stage;
use statemachine::message::{Document, Mode, Next, Operation, Slot, StageCall, StageReport, Status, Verdict};
use statemachine::plan::{Action, Item};
use statemachine::resource::{Name, Names};

/// How the functions behave in a run.
#[derive(Default)]
struct World {
    /// Calls so far, as `network make`, `control begin`.
    calls: Vec<String>,
    /// Stages that have left-overs until they are removed.
    left_over: Vec<Stage>,
    /// Stages that are not ready for so many ticks.
    slow: Vec<(Stage, u32)>,
    /// Calls that raise an error of this name, each time.
    raises: Vec<(&'static str, &'static str)>,
    /// Stages that report a failure when they make.
    fails: Vec<Stage>,
    /// How often `begin` finds the lock held.
    busy: u32,
    operation: Option<Operation>,
    /// A failed run is sent back once to put back what was there before.
    puts_back: bool,
}

impl World {
    fn answer(&mut self, function: &str, input: &Value) -> Result<Value, (String, String)> {
        let step = input.get("step").or(input.get("mode")).and_then(Value::as_str).unwrap_or("");
        let stage = input.get("stage").and_then(Value::as_str).unwrap_or(function);
        let call = format!("{stage} {step}").trim().to_owned();
        self.calls.push(call.clone());
        if let Some((_, error)) = self.raises.iter().find(|(raises, _)| *raises == call) {
            return Err(((*error).to_owned(), "{\"errorMessage\":\"as told\"}".to_owned()));
        }
        Ok(match function {
            "control" => serde_json::to_value(self.control(step, input)).expect("a document"),
            "diagnose" => json!({ "cause": "none" }),
            _ => serde_json::to_value(self.stage(input)).expect("a slot"),
        })
    }

    fn control(&mut self, step: &str, input: &Value) -> Document {
        let read =
            || serde_json::from_value::<Document>(input["document"].clone()).expect("a whole document");
        let mut document = match step {
            "begin" => {
                for field in ["input", "execution", "name", "started_at"] {
                    assert!(input.get(field).is_some(), "begin is told its {field}");
                }
                Document::example(self.operation.unwrap_or(Operation::Apply), None)
            }
            "join" | "finish" => read(),
            other => panic!("control has no step {other}"),
        };
        if step == "finish" {
            let raises = self.raises.iter().any(|(call, _)| *call == "diagnose");
            let was_called = self.calls.iter().any(|call| call == "diagnose");
            assert_eq!(
                document.undiagnosed.is_some(),
                raises && was_called,
                "it is told that nobody diagnosed"
            );
        }
        let broken = document.stages.iter().any(|(_, slot)| slot.status != Status::Looked);
        let failed =
            document.stages.iter().any(|(_, slot)| matches!(slot.status, Status::Failed | Status::Stopped));
        let next = match step {
            "begin" if self.busy > 0 => {
                self.busy -= 1;
                Next::Wait
            }
            "begin" => Next::Look,
            "join" => {
                document.looks += 1;
                for stage in Stage::ALL {
                    document.stages[stage].make = true;
                }
                match (document.run.operation, document.looks) {
                    _ if broken => Next::Diagnose,
                    (Operation::Destroy, 1) => Next::Remove,
                    (Operation::Destroy, _) => Next::Finish,
                    (Operation::Plan, _) => Next::Succeed,
                    _ => Next::Make,
                }
            }
            _ if failed && self.puts_back => {
                self.puts_back = false;
                self.fails.clear();
                for stage in Stage::ALL {
                    document.stages[stage] = Slot { make: stage == Stage::Services, ..Slot::default() };
                }
                Next::Make
            }
            _ if failed || document.caught.is_some() => Next::Fail,
            _ => Next::Succeed,
        };
        document.verdict = Verdict { next, retry_after_s: 2, message: step.to_owned() };
        document
    }

    fn stage(&mut self, input: &Value) -> Slot {
        let call: StageCall = serde_json::from_value(input.clone()).expect("a call of a stage");
        let slot = call.document.stages[call.stage].clone();
        let delay = self
            .slow
            .iter_mut()
            .find(|(stage, left)| *stage == call.stage && *left > 0 && call.mode != Mode::Plan);
        let status = match (call.mode, delay) {
            (Mode::Plan, _) => Status::Looked,
            (_, Some((_, left))) => {
                *left -= 1;
                Status::NotReady
            }
            (Mode::Make, None) if self.fails.contains(&call.stage) => Status::Failed,
            (Mode::Make | Mode::Remove, None) => Status::Ready,
        };
        if call.mode == Mode::Remove && status == Status::Ready {
            self.left_over.retain(|stage| *stage != call.stage);
        }
        let left_over = usize::from(self.left_over.contains(&call.stage));
        let mut names = Names::default();
        names.insert(Name::new("thing", call.stage.name()), "id-1");
        let report = StageReport {
            stage: call.stage.into(),
            mode: call.mode,
            status,
            retry_after_s: 1,
            items: vec![Item::new(Name::new("thing", call.stage.name()), Action::Create)],
            names,
            made: [Name::new("thing", call.stage.name())].into(),
            changed: std::collections::BTreeSet::new(),
            waiting: Vec::new(),
            failure: None,
            stopped: None,
            left_over,
            absent: std::collections::BTreeSet::new(),
            at_ms: 1,
        };
        slot.after(report, 1)
    }

    fn run(mut self) -> (Outcome, Vec<String>) {
        let outcome = Machine::new()
            .run(json!({ "any": "input" }), &mut |function, input| self.answer(function, input));
        (outcome, self.calls)
    }
}

fn position(calls: &[String], call: &str) -> usize {
    calls.iter().position(|known| known == call).unwrap_or_else(|| panic!("{call} is called: {calls:?}"))
}

/// `UPDATE_DEFINITION=1 cargo test -p statemachine --test definition` writes it.
#[test]
fn the_committed_definition_is_what_is_generated() {
    let (path, text) = (concat!(env!("CARGO_MANIFEST_DIR"), "/definition.asl.json"), generate::text());
    if std::env::var_os("UPDATE_DEFINITION").is_some() {
        std::fs::write(path, &text).expect("it is written");
    }
    let committed = std::fs::read_to_string(path).expect("it is there");
    assert!(committed == text, "definition.asl.json is not current: set UPDATE_DEFINITION=1 and test again");
}

#[test]
fn an_apply_looks_at_everything_joins_makes_forward_and_finishes() {
    let (outcome, calls) = World::default().run();
    assert_eq!(outcome, Outcome::Succeeded);
    let before = |first: &str, second: &str| {
        assert!(position(&calls, first) < position(&calls, second), "{first} before {second}");
    };
    for stage in Stage::ALL {
        before(&format!("{stage} plan"), "control join");
        before("control join", &format!("{stage} make"));
        before(&format!("{stage} make"), "control finish");
    }
    for stage in Stage::ALL {
        for earlier in stage.after() {
            before(&format!("{earlier} plan"), &format!("{stage} plan"));
            before(&format!("{earlier} make"), &format!("{stage} make"));
        }
    }
    assert!(!calls.iter().any(|call| call.ends_with("remove") || call == "diagnose"), "{calls:?}");
}

#[test]
fn left_overs_are_removed_backward_after_everything_is_made() {
    let world =
        World { left_over: vec![Stage::Services, Stage::Database, Stage::Network], ..World::default() };
    let (outcome, calls) = world.run();
    assert_eq!(outcome, Outcome::Succeeded);
    let removes: Vec<&str> =
        calls.iter().filter(|call| call.ends_with("remove")).map(String::as_str).collect();
    assert_eq!(removes, ["services remove", "database remove", "network remove"]);
    assert!(position(&calls, "services make") < position(&calls, "services remove"));
}

#[test]
fn a_destroy_removes_and_looks_again_before_it_says_that_it_is_done() {
    let world =
        World { left_over: Stage::ALL.to_vec(), operation: Some(Operation::Destroy), ..World::default() };
    let (outcome, calls) = world.run();
    assert_eq!(outcome, Outcome::Succeeded);
    assert!(!calls.iter().any(|call| call.ends_with("make")));
    assert_eq!(calls.iter().filter(|call| *call == "network plan").count(), 2, "a look before and one after");
    for stage in Stage::ALL {
        for earlier in stage.removed_after() {
            let (first, second) = (format!("{earlier} remove"), format!("{stage} remove"));
            assert!(position(&calls, &first) < position(&calls, &second), "{first} before {second}");
        }
    }
}

#[test]
fn a_stage_that_is_not_ready_is_called_again() {
    let (outcome, calls) = World { slow: vec![(Stage::Database, 3)], ..World::default() }.run();
    assert_eq!(outcome, Outcome::Succeeded);
    assert_eq!(calls.iter().filter(|call| *call == "database make").count(), 4);
}

#[test]
fn a_run_waits_for_its_turn() {
    let (outcome, calls) = World { busy: 3, ..World::default() }.run();
    assert_eq!(outcome, Outcome::Succeeded);
    assert_eq!(calls.iter().filter(|call| *call == "control begin").count(), 4);
}

#[test]
fn a_plan_ends_after_the_join() {
    let (outcome, calls) = World { operation: Some(Operation::Plan), ..World::default() }.run();
    assert_eq!(outcome, Outcome::Succeeded);
    assert_eq!(calls.last().map(String::as_str), Some("control join"));
}

#[test]
fn a_failed_stage_lets_its_siblings_end_is_diagnosed_and_fails_the_run() {
    for stage in Stage::ALL {
        let (outcome, calls) = World { fails: vec![stage], ..World::default() }.run();
        assert!(matches!(outcome, Outcome::Failed { .. }), "{stage}: {outcome:?}");
        assert!(position(&calls, "diagnose") < position(&calls, "control finish"), "{stage}");
        if stage != Stage::Services {
            assert!(!calls.contains(&"services make".to_owned()), "{stage}");
        }
        assert!(calls.contains(&"certificate make".to_owned()), "the other branch goes on: {calls:?}");
    }
}

#[test]
fn whatever_a_function_raises_the_run_is_finished_and_says_so() {
    let modes = ["plan", "make", "remove"];
    let mut raised: Vec<String> =
        Stage::ALL.iter().flat_map(|stage| modes.map(|mode| format!("{stage} {mode}"))).collect();
    raised.extend(["control join".to_owned(), "diagnose".to_owned()]);
    for call in raised {
        for error in [
            "Denied",
            "Transient",
            "States.Timeout",
            "States.DataLimitExceeded",
            "Lambda.TooManyRequestsException",
        ] {
            let call: &'static str = call.clone().leak();
            let world =
                World { raises: vec![(call, error)], left_over: Stage::ALL.to_vec(), ..World::default() };
            let (outcome, calls) = world.run();
            if call == "diagnose" {
                assert_eq!(outcome, Outcome::Succeeded, "diagnose is not called");
                continue;
            }
            assert!(matches!(outcome, Outcome::Failed { .. }), "{call} raises {error}: {outcome:?}");
            assert_eq!(
                calls.last().map(String::as_str),
                Some("control finish"),
                "{call} raises {error}: {calls:?}"
            );
            let tries = calls.iter().filter(|known| *known == call).count();
            let expected = match error {
                "Transient" | "States.Timeout" => 6,
                "Lambda.TooManyRequestsException" => 9,
                _ => 1,
            };
            assert_eq!(tries, expected, "{call} raises {error}");
        }
    }
}

#[test]
fn a_run_that_cannot_begin_or_finish_fails_with_the_cause_itself() {
    for call in ["control begin", "control finish"] {
        let (outcome, _) = World { raises: vec![(call, "Denied")], ..World::default() }.run();
        let Outcome::Failed { error, cause } = outcome else { panic!("{call}: {outcome:?}") };
        assert_eq!((error.as_str(), cause.as_str()), ("Denied", "{\"errorMessage\":\"as told\"}"), "{call}");
    }
}

#[test]
fn a_failed_deploy_makes_once_more_to_put_back_what_was_there() {
    let world = World {
        fails: vec![Stage::Services],
        operation: Some(Operation::Deploy),
        puts_back: true,
        left_over: vec![Stage::Services],
        ..World::default()
    };
    let (_, calls) = world.run();
    let of_services: Vec<&str> = calls
        .iter()
        .filter(|call| call.starts_with("services ") || *call == "control finish")
        .map(String::as_str)
        .collect();
    assert_eq!(
        of_services,
        [
            "services plan",
            "services make",
            "control finish",
            "services make",
            "services remove",
            "control finish"
        ]
    );
}

#[test]
fn a_diagnose_that_fails_never_hides_the_failure() {
    let world = World {
        fails: vec![Stage::Network],
        raises: vec![("diagnose", "Runtime.ExitError")],
        ..World::default()
    };
    let (outcome, calls) = world.run();
    assert!(matches!(outcome, Outcome::Failed { .. }));
    assert_eq!(calls.last().map(String::as_str), Some("control finish"));
}
