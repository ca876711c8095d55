//! `--json`: one JSON document on standard output, whatever happens.

use std::collections::BTreeSet;

use bootstrap::Cli;
use clap::CommandFactory as _;
use serde_json::json;

use crate::fake::Fake;
use crate::{Done, PLAN, Place, RUN, document, world};

/// A command line, its exit code, and a pointer to something that its answer holds.
type Case = (&'static str, i32, &'static str);

/// What needs no AWS, or finds none.
const ALONE: [Case; 17] = [
    ("check", 0, "/app"),
    ("check -c none.toml", 2, "/error/help"),
    ("check -c wrong.toml", 2, "/error/problems/0/line"),
    ("init -c new.toml", 0, "/wrote/0"),
    ("init", 2, "/error/message"),
    ("schema", 0, "/properties"),
    ("completions bash", 0, "/script"),
    ("completions tcsh", 2, "/error/message"),
    ("nonsense", 2, "/error/message"),
    ("bootstrap --print-policies", 0, "/installer"),
    ("local stop", 0, "/stopped"),
    ("local reset", 1, "/error/message"),
    ("plan", 2, "/error/message"),
    ("plan --region us-east-1", 1, "/error/help"),
    ("status --stack arive", 2, "/error/message"),
    ("apply -c wrong.toml", 2, "/error/problems/0/message"),
    ("local start", 1, "/error/message"),
];

/// What asks AWS.
const WITH_AWS: [Case; 40] = [
    ("plan", 0, "/counts/create"),
    ("plan --detailed-exitcode", 3, "/id"),
    ("plan --destroy", 0, "/plan/stages/0/items/0/name"),
    ("apply", 0, "/outcome"),
    ("apply --detach", 0, "/attach"),
    ("destroy --yes", 0, "/outcome"),
    ("destroy --yes --detach", 0, "/run"),
    ("destroy", 2, "/error/message"),
    ("deploy latest", 0, "/outcome"),
    ("deploy latest --detach", 0, "/run"),
    ("deploy latests", 4, "/error/help"),
    ("rollback", 0, "/outcome"),
    ("scale api=3 --detach", 0, "/run"),
    ("restart --detach", 0, "/run"),
    ("run --detach -- true", 0, "/run"),
    ("exec api -- true", 4, "/error/message"),
    ("rotate --yes --detach", 0, "/run"),
    ("snapshot create --detach", 0, "/run"),
    ("snapshot list", 1, "/error/message"),
    ("objects restore a.png", 4, "/error/message"),
    ("pause --detach", 0, "/run"),
    ("resume --detach", 0, "/run"),
    ("cancel 20991231-235959-0000", 4, "/error/message"),
    ("cancel 20261123-101500-abcd", 4, "/error/message"),
    ("logs", 0, ""),
    ("status", 0, "/stages/0/status"),
    ("attach", 0, "/outcome"),
    ("attach 20261123-101500-abcd", 0, "/run"),
    ("attach 20261123-101500-abce", 4, "/error/help"),
    ("runs", 0, "/0/outcome"),
    ("runs show 20261123-101500-abcd", 0, "/plan/id"),
    ("runs show 1", 4, "/error/message"),
    ("output", 0, "/url"),
    ("output url", 0, "/url"),
    ("output urls", 2, "/error/help"),
    ("state list", 0, "/0/id"),
    ("state pull", 0, "/0/id"),
    ("state show vpc/main", 0, "/id"),
    ("state show vpc/mine", 4, "/error/message"),
    ("bootstrap", 1, "/error/help"),
];

#[track_caller]
fn check(place: &Place, (line, code, pointer): Case) {
    // The flag goes before what is handed on to a task.
    let mut arguments = vec!["--json"];
    arguments.extend(line.split(' '));
    let done = place.run(&arguments);
    assert_eq!(done.code, code, "{line}: {done:?}");
    if pointer.is_empty() {
        // A stream: each line is a document, and there may be none.
        let documents = done.stdout.lines().map(serde_json::from_str::<serde_json::Value>);
        assert!(documents.into_iter().all(|line| line.is_ok()), "{line}: {done:?}");
        return;
    }
    let document = document(&done);
    assert!(document.pointer(pointer).is_some(), "{line}: no {pointer} in {document:#}");
    assert_eq!(document.get("error").is_some(), pointer.starts_with("/error"), "{line}: {document:#}");
    if let Some(error) = document.get("error") {
        assert_eq!(error["exit_code"], json!(code), "{line}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty() && !done.stderr.is_empty(), "a person is told as well: {line}: {done:?}");
    }
}

#[test]
fn what_needs_no_aws_answers_with_one_document() {
    // No Python is found there, and so no emulator starts.
    let place = Place::new().set("PATH", "/nowhere");
    std::fs::write(place.path().join("wrong.toml"), crate::FILE.replace("port", "prot")).expect("a file");
    for case in ALONE {
        check(&place, case);
    }
}

#[test]
fn what_asks_aws_answers_with_one_document() {
    for case in WITH_AWS {
        let fake = Fake::start(world());
        check(&Place::with(&fake), case);
    }
}

#[test]
fn no_command_is_left_out() {
    let tried: BTreeSet<&str> =
        ALONE.iter().chain(&WITH_AWS).filter_map(|(line, ..)| line.split(' ').next()).collect();
    let all = Cli::command();
    for command in all.get_subcommands() {
        assert!(tried.contains(command.get_name()), "`{} --json` is tried nowhere", command.get_name());
    }
}

#[test]
fn what_a_run_said_is_in_its_document() {
    let fake = Fake::start(world());
    let done = Place::with(&fake).run(&["attach", RUN, "--json"]);
    let document = document(&done);
    assert_eq!((&document["run"], &document["outcome"]), (&json!(RUN), &json!("succeeded")), "{document:#}");
    assert_eq!(document["outputs"]["url"], json!("https://api.example.com"));
    let Done { stdout, .. } = Place::with(&fake).run(&["plan", "--json"]);
    assert!(stdout.contains(PLAN), "{stdout}");
}
