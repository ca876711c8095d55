//! Every call that the functions make in an undisturbed apply, change, deploy, rotation and destroy meets every kind
//! of fault. The calls are taken from the record of the undisturbed run.
//!
//! ```sh
//! cargo test -p e2e the_whole_matrix -- --ignored --nocapture
//! STEPSTACK_FAULTS="destroy ec2:" cargo test -p e2e the_whole_matrix -- --ignored --nocapture
//! STEPSTACK_FAULTS_SHARD=1/4 cargo test -p e2e the_whole_matrix -- --ignored --nocapture
//! ```
//!
//! It takes hours; with `STEPSTACK_FUNCTIONS_DIR` at release binaries of the functions, about half of that. The second
//! takes only the cases whose name contains the text, or one of several with commas between them; the third the first
//! quarter of all.
//!
//! How often something is read depends on how long AWS takes: a read that is not made in three tries is counted apart.
//! What the SDK or Step Functions repeats by itself (`throttle`, `error500`, `reset`) goes in bundles, so that one run
//! meets many of them. A read is neither `lost`, which is the same as `reset`, nor a moment for `stop` and `twice`:
//! what matters there is what was written before.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::world::{Step, World, is_read};
use super::{APPLY, DESTROY};
use crate::lifecycle::example;
use crate::strict::Fault;

/// Faults that a run survives by itself, so that many of them go into one.
const REPEATED: [&str; 3] = ["throttle", "error500", "reset"];
/// Faults at each call.
const AT_ANY: [&str; 2] = ["denied", "kill"];
/// Faults at each call that writes.
const AT_WRITES: [&str; 3] = ["lost", "stop", "twice"];
/// The commands, each the first word of its cases' names.
const PASSAGES: [&str; 5] = ["apply", "change", "deploy", "rotate", "destroy"];
/// So many faults go into one run.
const BUNDLE: usize = 10;
/// So often a case is tried whose call is not made each time.
const TRIES: usize = 3;

/// One command, what brings the stack back to before it, and the inventories after each.
struct Passage {
    name: &'static str,
    there: Step,
    back: Option<Step>,
    expected: Vec<String>,
    reverted: Vec<String>,
    calls: BTreeSet<(&'static str, &'static str)>,
}

/// The file with much of it changed: two services' parts, the database, and one service in place of another.
fn changed(world: &World) -> PathBuf {
    let text = std::fs::read_to_string(example()).expect("the example");
    let changed = text
        .replace("health_check_path = \"/health\"", "health_check_path = \"/ready\"")
        .replace("max_acu = 4", "max_acu = 8")
        .replace("retention_days = 7", "retention_days = 14")
        .replace("[services.worker]", "[services.jobs]");
    assert_eq!(changed.matches("\"/ready\"").count() + changed.matches("[services.jobs]").count(), 2);
    world.emulator.write("changed.toml", &changed)
}

impl Passage {
    /// Goes there and back once, undisturbed. The stack stands where `there` begins.
    fn learn(world: &World, name: &'static str, there: Step, back: Option<Step>) -> Self {
        world.emulator.strict().forget_record();
        world.run(&there).expect(0);
        let record = world.emulator.strict().record();
        let expected = world.inventory();
        if let Some(back) = &back {
            world.run(back).expect(0);
        }
        let by_functions = record.calls.into_iter().filter(|call| call.caller != "program");
        let calls = by_functions.map(|call| (leak(call.service), leak(call.operation))).collect();
        Self { name, there, back, expected, reverted: world.inventory(), calls }
    }

    /// The cases, each with its name.
    fn cases(&self) -> Vec<(String, Vec<Fault>)> {
        let fault = |kind: &'static str, &(service, operation): &(&'static str, &'static str)| Fault {
            times: if kind == "throttle" { 2 } else { 1 },
            ..Fault::new(service, operation, kind)
        };
        let calls: Vec<_> = self.calls.iter().copied().collect();
        let singles = calls.iter().flat_map(|call| {
            let writes = if is_read(call.1) { &[][..] } else { &AT_WRITES[..] };
            writes.iter().chain(&AT_ANY).map(move |kind| {
                (format!("{} {}:{} {kind}", self.name, call.0, call.1), vec![fault(kind, call)])
            })
        });
        let bundles = REPEATED.into_iter().flat_map(|kind| {
            calls.chunks(BUNDLE).map(move |bundle| {
                let names: Vec<String> =
                    bundle.iter().map(|(service, operation)| format!("{service}:{operation}")).collect();
                let faults = bundle.iter().map(|call| fault(kind, call)).collect();
                (format!("{} {} {kind}", self.name, names.join(" ")), faults)
            })
        });
        singles.chain(bundles).collect()
    }

    /// Tries one case, and brings the stack back to where the passage begins.
    fn tries(&self, world: &World, faults: Vec<Fault>) -> Result<BTreeSet<String>, String> {
        let outcome = world.survives(&self.there, faults, &self.expected);
        let Some(back) = &self.back else { return outcome };
        let way_back = world.survives(back, vec![], &self.reverted);
        let unmet = outcome?;
        way_back.map_err(|wrong| format!("on the way back:\n{wrong}"))?;
        Ok(unmet)
    }
}

fn leak(text: String) -> &'static str {
    String::leak(text)
}

/// `1/4` of `STEPSTACK_FAULTS_SHARD`: which of how many parts, counted from 1.
fn shard() -> (usize, usize) {
    let told = std::env::var("STEPSTACK_FAULTS_SHARD").unwrap_or_else(|_| "1/1".to_owned());
    let (part, of) = told.split_once('/').expect("STEPSTACK_FAULTS_SHARD is like 1/4");
    (part.parse().expect("a number"), of.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "hours; run it by name"]
async fn the_whole_matrix() {
    let world = World::new();
    let only = std::env::var("STEPSTACK_FAULTS").unwrap_or_default();
    let (part, of) = shard();
    let (mut number, mut passed, mut not_made) = (0, 0, 0);
    let (mut failed, mut covered) = (Vec::new(), BTreeSet::new());
    let asked: Vec<&str> = only.split(',').collect();
    // A passage that the filter does not name need not be learnt.
    let named = |name: &&str| asked.iter().any(|text| text.split(' ').next() == Some(*name));
    let is_asked = |name: &str| named(&name) || !PASSAGES.iter().any(named);
    let mut run = |world: &World, passage: &Passage| {
        for (case, faults) in passage.cases() {
            number += 1;
            if !asked.iter().any(|text| case.contains(text)) || number % of != part % of {
                continue;
            }
            let calls: BTreeSet<String> =
                faults.iter().map(|fault| format!("{}:{}", fault.service, fault.operation)).collect();
            let mut outcome = Ok(calls.clone());
            for _ in 0..TRIES {
                if outcome.as_ref() == Ok(&calls) {
                    outcome = passage.tries(world, faults.clone());
                }
            }
            match outcome {
                Ok(unmet) if unmet == calls => {
                    eprintln!("not made: {case}");
                    not_made += 1;
                }
                Ok(unmet) => {
                    eprintln!("passed: {case}");
                    passed += 1;
                    covered.extend(calls.difference(&unmet).map(|call| (passage.name, call.clone())));
                }
                Err(wrong) => {
                    eprintln!("FAILED: {case}\n{wrong}");
                    failed.push(case);
                }
            }
        }
    };
    let (apply, destroy) = (Step::new(example(), &APPLY), Step::new(example(), &DESTROY));
    if is_asked("apply") {
        run(&world, &Passage::learn(&world, "apply", apply.clone(), Some(destroy.clone())));
    }

    world.run(&apply).expect(0);
    for tag in ["v1", "v2"] {
        world.run(&Step::new(example(), &["local", "push", "--tag", tag])).expect(0);
    }
    world.run(&Step::new(example(), &["deploy", "v1"])).expect(0);
    let change = Step::new(changed(&world), &APPLY);
    if is_asked("change") {
        run(&world, &Passage::learn(&world, "change", change, Some(apply.clone())));
    }
    let (there, back) = (Step::new(example(), &["deploy", "v2"]), Step::new(example(), &["deploy", "v1"]));
    if is_asked("deploy") {
        run(&world, &Passage::learn(&world, "deploy", there, Some(back)));
    }
    let rotate = Step::new(example(), &["rotate", "--yes"]);
    if is_asked("rotate") {
        run(&world, &Passage::learn(&world, "rotate", rotate, None));
    }
    if is_asked("destroy") {
        run(&world, &Passage::learn(&world, "destroy", destroy, Some(apply)));
    }

    eprintln!(
        "{} calls covered: {passed} passed, {} failed; {not_made} not made",
        covered.len(),
        failed.len()
    );
    assert!(passed > 0 && failed.is_empty(), "{failed:#?}");
}
