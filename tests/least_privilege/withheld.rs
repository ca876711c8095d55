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

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{FUNCTIONS, changed, listed, used};
use crate::harness::{Done, Emulator};
use crate::lifecycle::example;

const APPLY: [&str; 2] = ["apply", "--yes"];
const DESTROY: [&str; 3] = ["destroy", "--yes", "--delete-data"];

/// One command, how it ends undisturbed, and the command that brings the stack back to before it, where it takes one.
struct Passage {
    name: &'static str,
    there: Command,
    code: i32,
    back: Option<Command>,
}

impl Passage {
    fn goes_there(&self, emulator: &Emulator) {
        self.there.run(emulator).expect(self.code);
    }

    fn goes_back(&self, emulator: &Emulator) {
        if let Some(back) = &self.back {
            back.run(emulator).expect(0);
        }
    }
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
    let passage = |name, there: &[&'static str], back: Option<&[&'static str]>| Passage {
        name,
        there: command(file, there),
        code: 0,
        back: back.map(|arguments| command(file, arguments)),
    };
    let snapshot = ["snapshot", "create", "before"];
    let forget = ["snapshot", "forget", "before", "--yes"];
    let (pause, resume): ([&str; 1], [&str; 1]) = (["pause"], ["resume"]);
    vec![
        passage("apply", &APPLY, Some(&DESTROY)),
        passage("plan", &["plan"], None),
        Passage { there: command(changed, &APPLY), ..passage("change", &[], Some(&APPLY)) },
        Passage { back: Some(command(changed, &APPLY)), ..passage("return", &APPLY, None) },
        passage("deploy", &["deploy", "v2"], Some(&["deploy", "v1"])),
        passage("scale", &["scale", "worker=2"], Some(&["scale", "--reset"])),
        passage("restart", &["restart"], None),
        passage("rotate", &["rotate", "--yes"], None),
        passage("snapshot", &snapshot, Some(&forget)),
        passage("restore", &["snapshot", "restore", "before", "--yes"], None),
        passage("forget", &forget, Some(&snapshot)),
        passage("pause", &pause, Some(&resume)),
        passage("resume", &resume, Some(&pause)),
        passage("run", &["run", "--", "sh", "-c", "exit 0"], None),
        // With --json, as without it the command's exit code says all.
        Passage {
            code: 1,
            ..passage("run that fails", &["run", "--json", "--", "sh", "-c", "exit 1"], None)
        },
        passage("destroy", &DESTROY, Some(&APPLY)),
    ]
}

/// Two images to deploy, and the first of them deployed.
fn push_images(emulator: &Emulator, file: &Path) {
    for tag in ["v1", "v2"] {
        emulator.stepstack(file, &["local", "push", "--tag", tag]).expect(0);
    }
    emulator.stepstack(file, &["deploy", "v1"]).expect(0);
}

/// What a run says that misses an action: both, or what is wrong with it.
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

/// Goes there without the action, again with it, and back. Answers whether the action was needed.
fn tries(emulator: &Emulator, passage: &Passage, function: &str, action: &str) -> Result<bool, String> {
    post(emulator, &format!("/_stepstack/withhold/{function}/{action}"));
    let without = passage.there.run(emulator);
    post(emulator, "/_stepstack/withhold");
    let with = passage.there.run(emulator);
    if with.code != passage.code {
        return Err(format!("given back, it does not come through: {with}\nafter: {without}"));
    }
    passage.goes_back(emulator);
    if without.code == 0 {
        return Ok(false);
    }
    explains(&without, function, action).map(|()| true)
}

fn post(emulator: &Emulator, path: &str) {
    let sent = ureq::post(&format!("{}{path}", emulator.endpoint()));
    sent.header("Authorization", emulator.bearer()).send_empty().expect("the launcher answers");
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

    let mut known: BTreeSet<(&str, String)> = BTreeSet::new();
    let (mut passed, mut spared, mut failed) = (0, 0, Vec::new());
    for passage in passages(&file, &other) {
        if passage.name == "deploy" {
            push_images(&emulator, &file);
        }
        post(&emulator, "/_stepstack/actions/reset");
        passage.goes_there(&emulator);
        let used = used(&emulator);
        let of =
            |function| used.get(function).into_iter().flatten().map(move |action| (function, action.clone()));
        let new: Vec<_> =
            FUNCTIONS.into_iter().flat_map(of).filter(|pair| known.insert(pair.clone())).collect();
        eprintln!("{}: {} actions that no command before used", passage.name, new.len());
        let case = |function: &str, action: &str| format!("{} {function} {action}", passage.name);
        let is_asked = |case: String| only.iter().any(|text| case.contains(text));
        let cases: Vec<_> =
            new.iter().filter(|(function, action)| is_asked(case(function, action))).collect();
        if cases.is_empty() {
            continue;
        }
        passage.goes_back(&emulator);
        for (function, action) in cases {
            let case = case(function, action);
            match tries(&emulator, &passage, function, action) {
                Ok(true) => {
                    eprintln!("passed: {case}");
                    passed += 1;
                }
                Ok(false) if optional.contains_key(&format!("{function} {action}")) => {
                    eprintln!("comes through without: {case}");
                    spared += 1;
                }
                Ok(false) => {
                    eprintln!("FAILED: {case}\nit comes through without, and is not listed as optional");
                    failed.push(case);
                }
                Err(why) => {
                    eprintln!("FAILED: {case}\n{why}");
                    failed.push(case);
                }
            }
        }
        if passage.back.is_some() {
            passage.goes_there(&emulator);
        }
    }
    eprintln!("{passed} passed, {} failed; {spared} come through without", failed.len());
    assert!(passed > 0 && failed.is_empty(), "{failed:#?}");
}
