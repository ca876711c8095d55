//! Every role of the engine has leave for what its runs do, and for little more.
//!
//! MiniStack enforces the lists of actions alone (see `project_policies` in the launcher); the resources and
//! conditions that narrow them are tested on the documents themselves, in `bootstrap/tests`.

mod withheld;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use statemachine::message::{Operation, Parameters};

use crate::harness::{Done, Emulator};
use crate::lifecycle::example;
use crate::operate::Runs;

type Actions = BTreeMap<String, BTreeSet<String>>;

/// The functions of the engine, by their roles' names without the prefix.
const FUNCTIONS: [&str; 8] =
    ["certificate", "control", "database", "diagnose", "foundation", "ingress", "network", "services"];

/// What each function's role was allowed so far, and asked for.
fn used(emulator: &Emulator) -> Actions {
    let body = ureq::get(&format!("{}/_stepstack/actions", emulator.endpoint()))
        .header("Authorization", emulator.bearer())
        .call();
    let text = body.expect("the launcher answers").body_mut().read_to_string().expect("a text");
    let by_caller: Actions = serde_json::from_str(&text).expect("actions by caller");
    let name = |arn: &str| arn.rsplit_once("stepstack-arive-").map(|(_, function)| function.to_owned());
    by_caller.into_iter().filter_map(|(arn, actions)| Some((name(&arn)?, actions))).collect()
}

/// What each function's policy allows.
fn granted(emulator: &Emulator) -> Actions {
    let printed = emulator.run(&[
        "--local",
        "-c",
        example().to_str().expect("a path"),
        "bootstrap",
        "--print-policies",
    ]);
    let policies: BTreeMap<String, Value> =
        serde_json::from_value(printed.expect(0).json()).expect("policies by role");
    let mut granted = Actions::new();
    for function in FUNCTIONS {
        let (_, policy) = policies
            .iter()
            .find(|(role, _)| role.ends_with(function))
            .unwrap_or_else(|| panic!("the policy of {function}: {:?}", policies.keys()));
        let statements = policy["Statement"].as_array().expect("statements");
        let actions = statements.iter().flat_map(|statement| match &statement["Action"] {
            Value::Array(list) => list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
            Value::String(one) => vec![one.clone()],
            other => panic!("no action: {other}"),
        });
        granted.insert(function.to_owned(), actions.collect());
    }
    granted
}

/// A list of `security/`: actions by function, with reasons. `*` stands for every function.
fn listed(name: &str) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../security").join(name);
    let text = std::fs::read_to_string(path).expect("the list");
    toml::from_str(&text).expect("actions with reasons")
}

/// The runs that need leave: from nothing to nothing, with what lies between.
async fn scenario(emulator: &Emulator) {
    let text = std::fs::read_to_string(example()).expect("the example");
    let file = emulator.write("stepstack.toml", &text);
    let run = |arguments: &[&str]| -> Done { emulator.stepstack(&file, arguments).expect(0) };
    run(&["apply", "--yes"]);
    let plan = run(&["plan", "--detailed-exitcode"]);
    assert!(plan.stdout.contains("Nothing to do"), "{plan}");
    for changed in [changed(&text), text.replace("max_acu = 4", "max_acu = 2")] {
        let other = emulator.write("changed.toml", &changed);
        emulator.stepstack(&other, &["apply", "--yes"]).expect(0);
    }
    run(&["local", "push", "--tag", "v2"]);
    run(&["deploy", "v2"]);
    operations(emulator).await;
    run(&["apply", "--yes"]);
    run(&["destroy", "--yes", "--delete-data"]);
}

/// Much of the file changed at once.
fn changed(text: &str) -> String {
    text.replace("[services.worker]", "[services.worker]\nscale = { min = 1, max = 3 }")
        .replace("egress = \"nat\"", "egress = \"endpoints\"")
        .replace("health_check_path = \"/health\"", "health_check_path = \"/healthy\"")
        .replace("max_acu = 4", "max_acu = 8\nrotate_every_days = 30")
        .replace("cors_max_age_s = 3000", "cors_max_age_s = 600\nexpire_after_days = 365")
        .replace("retention_days = 7", "retention_days = 14")
        .replace("[\"latest\"]", "[\"latest\", \"stable\"]")
        .replace("[image]", "[release]\ncommand = [\"migrate\"]\n\n[image]")
}

async fn operations(emulator: &Emulator) {
    let mut runs = Runs::of(emulator);
    runs.succeeds(Operation::Rotate, Parameters::default()).await;
    let snapshot = |name: &str| Parameters { snapshot: Some(name.to_owned()), ..Parameters::default() };
    runs.succeeds(Operation::SnapshotCreate, snapshot("before")).await;
    runs.succeeds(Operation::Restore, snapshot("before")).await;
    runs.succeeds(Operation::SnapshotForget, snapshot("before")).await;
    runs.succeeds(Operation::Pause, Parameters::default()).await;
    runs.succeeds(Operation::Resume, Parameters::default()).await;
    let command = |script: &str| Parameters {
        command: ["sh", "-c", script].map(str::to_owned).into(),
        ..Parameters::default()
    };
    let failed = runs.run(Operation::Run, command("exit 1")).await;
    assert_eq!(failed["outcome"], "failed", "and diagnose has something to look at");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runs_pass_with_their_roles_leave_and_what_no_run_needs_is_justified() {
    let emulator = Emulator::start_enforcing_iam();
    scenario(&emulator).await;
    let (used, granted) = (used(&emulator), granted(&emulator));
    let working: Vec<&str> =
        used.keys().map(String::as_str).filter(|name| FUNCTIONS.contains(name)).collect();
    assert_eq!(working, FUNCTIONS, "every function calls as its own role");
    let (justified, optional) = (listed("unused-actions.toml"), listed("optional-actions.toml"));
    let mut unknown = BTreeSet::new();
    let mut needless: BTreeSet<&str> = justified.keys().map(String::as_str).collect();
    for (function, actions) in &granted {
        let none = BTreeSet::new();
        for action in actions.difference(used.get(function).unwrap_or(&none)) {
            let (name, everywhere) = (format!("{function} {action}"), format!("* {action}"));
            // Used or not, as it comes.
            if optional.contains_key(&name) {
                continue;
            }
            let known = [&name, &everywhere].into_iter().find(|name| justified.contains_key(*name));
            match known {
                Some(known) => _ = needless.remove(known.as_str()),
                None => _ = unknown.insert(name),
            }
        }
    }
    assert_eq!(
        unknown,
        BTreeSet::new(),
        "granted, needed by no run, and not in security/unused-actions.toml"
    );
    assert_eq!(
        needless,
        BTreeSet::new(),
        "in security/unused-actions.toml, and needed by a run or not granted"
    );
}
