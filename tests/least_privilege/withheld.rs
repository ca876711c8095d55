//! Every action that a run used is taken away from the function that used it: the run fails and names both. Given back,
//! the same command comes through.
//!
//! ```sh
//! cargo test -p e2e taking_any_action_away -- --ignored --nocapture
//! STEPSTACK_ACTIONS="apply network" cargo test -p e2e taking_any_action_away -- --ignored --nocapture
//! ```
//!
//! The second takes only the cases whose name contains the text, or one of several with commas between them. An action
//! that several commands use is taken away from the first of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{FUNCTIONS, changed, listed, post, used};
use crate::harness::{Done, Emulator};
use crate::lifecycle::example;

const APPLY: [&str; 2] = ["apply", "--yes"];
const DESTROY: [&str; 3] = ["destroy", "--yes", "--delete-data"];

/// One command, how it ends undisturbed, and the commands that bring the stack back to before it.
struct Passage {
    name: &'static str,
    there: Command,
    code: i32,
    back: Vec<Command>,
}

struct Command {
    file: PathBuf,
    arguments: Vec<&'static str>,
}

impl Command {
    fn run(&self, emulator: &Emulator) -> Done {
        emulator.stepstack(&self.file, &self.arguments)
    }
}

/// The passages in the order in which they are gone: each begins where the one before has come to.
fn passages(file: &Path, changed: &Path) -> Vec<Passage> {
    let command = |file: &Path, arguments: &[&'static str]| Command {
        file: file.to_owned(),
        arguments: arguments.to_vec(),
    };
    let passage = |name, there: &[&'static str], back: &[&[&'static str]]| Passage {
        name,
        there: command(file, there),
        code: 0,
        back: back.iter().map(|arguments| command(file, arguments)).collect(),
    };
    let snapshot = ["snapshot", "create", "before"];
    let forget = ["snapshot", "forget", "before", "--yes"];
    let (pause, resume): ([&str; 1], [&str; 1]) = (["pause"], ["resume"]);
    vec![
        passage("apply", &APPLY, &[&DESTROY]),
        passage("plan", &["plan"], &[]),
        Passage { there: command(changed, &APPLY), ..passage("change", &[], &[&APPLY]) },
        Passage { back: vec![command(changed, &APPLY)], ..passage("return", &APPLY, &[]) },
        passage("deploy", &["deploy", "v2"], &[&["deploy", "v1"]]),
        passage("scale", &["scale", "worker=2"], &[&["scale", "--reset"]]),
        passage("restart", &["restart"], &[]),
        passage("rotate", &["rotate", "--yes"], &[]),
        passage("snapshot", &snapshot, &[&forget]),
        passage("restore", &["snapshot", "restore", "before", "--yes"], &[]),
        passage("forget", &forget, &[&snapshot]),
        passage("pause", &pause, &[&resume]),
        passage("resume", &resume, &[&pause]),
        passage("run", &["run", "--", "sh", "-c", "exit 0"], &[]),
        // With --json, as without it the command's exit code says all.
        Passage { code: 1, ..passage("run that fails", &["run", "--json", "--", "sh", "-c", "exit 1"], &[]) },
        passage("destroy", &DESTROY, &[&APPLY]),
    ]
}

/// Two images to deploy, and the first of them deployed.
fn push_images(emulator: &Emulator, file: &Path) {
    for tag in ["v1", "v2"] {
        emulator.stepstack(file, &["local", "push", "--tag", tag]).expect(0);
    }
    emulator.stepstack(file, &["deploy", "v1"]).expect(0);
}

/// What is wrong with a run that misses an action.
fn explains(done: &Done, function: &str, action: &str) -> Result<(), String> {
    let said = format!("{}{}", done.stdout, done.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    if done.code != 1 {
        return Err(format!("it ends with {}: {done}", done.code));
    }
    if !said.contains(action) {
        return Err(format!("it does not name the action: {done}"));
    }
    // The second is control's own, which nobody diagnoses; the third is the role in the words of AWS.
    let named = [format!("function {function} "), format!("function `{function}`"), format!("-{function}/")];
    if !named.iter().any(|name| said.contains(name)) {
        return Err(format!("it does not name the function: {done}"));
    }
    Ok(())
}

/// Goes there without the action, again with it, and back.
fn tries(emulator: &Emulator, passage: &Passage, function: &str, action: &str) -> Result<(), String> {
    post(emulator, &format!("/_stepstack/withhold/{function}/{action}"));
    let without = passage.there.run(emulator);
    post(emulator, "/_stepstack/withhold");
    let explained = explains(&without, function, action);
    let with = passage.there.run(emulator);
    if with.code != passage.code {
        return Err(format!("given back, it does not come through: {with}\nafter: {without}"));
    }
    for back in &passage.back {
        back.run(emulator).expect(0);
    }
    explained
}

#[test]
#[ignore = "half an hour; run it by name"]
fn taking_any_action_away_makes_the_run_that_needs_it_fail_and_name_it() {
    let emulator = Emulator::start_enforcing_iam();
    let text = std::fs::read_to_string(example()).expect("the example");
    let file = emulator.write("stepstack.toml", &text);
    let other = emulator.write("changed.toml", &changed(&text));
    let only = std::env::var("STEPSTACK_ACTIONS").unwrap_or_default();
    let only: Vec<&str> = only.split(',').collect();
    let optional = listed("optional-actions.toml");

    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    let (mut passed, mut spared, mut failed) = (0, 0, BTreeMap::new());
    for passage in passages(&file, &other) {
        if passage.name == "deploy" {
            push_images(&emulator, &file);
        }
        post(&emulator, "/_stepstack/actions/reset");
        passage.there.run(&emulator).expect(passage.code);
        let used = used(&emulator);
        let before = known.clone();
        for function in FUNCTIONS {
            let actions = used.get(function).into_iter().flatten();
            known.extend(actions.map(|action| (function.to_owned(), action.clone())));
        }
        let new: Vec<_> = known.difference(&before).cloned().collect();
        eprintln!("{}: {} actions that no command before used", passage.name, new.len());
        let mut goes_back = true;
        for (function, action) in &new {
            let case = format!("{} {function} {action}", passage.name);
            if !only.iter().any(|text| case.contains(text)) {
                continue;
            }
            if std::mem::take(&mut goes_back) {
                passage.back.iter().for_each(|back| _ = back.run(&emulator).expect(0));
            }
            let tried = tries(&emulator, &passage, function, action);
            match (tried, optional.contains_key(&format!("{function} {action}"))) {
                (Ok(()), _) => {
                    eprintln!("passed: {case}");
                    passed += 1;
                }
                (Err(why), true) if why.starts_with("it ends with 0") => {
                    eprintln!("comes through without: {case}");
                    spared += 1;
                }
                (Err(why), _) => {
                    eprintln!("FAILED: {case}\n{why}");
                    failed.insert(case, why);
                }
            }
        }
        if !goes_back && !passage.back.is_empty() {
            passage.there.run(&emulator).expect(passage.code);
        }
    }
    eprintln!("{passed} passed, {} failed; {spared} come through without", failed.len());
    assert!(passed > 0 && failed.is_empty(), "{:#?}", failed.keys());
}
