//! Commands: a service's, and the one that a new image runs once.

use std::collections::BTreeMap;

use super::super::stack::{ReleaseCommand, Service};
use super::super::words::{near, quoted};
use super::Check;

pub(super) fn release(check: &mut Check<'_>, release: &ReleaseCommand, services: &BTreeMap<String, Service>) {
    let ReleaseCommand { command, service } = release;
    self::command(check, &["release", "command"], command);
    let path = ["release", "service"];
    if check.is_written(&path) && !services.contains_key(service) {
        let known: Vec<&str> = services.keys().map(String::as_str).collect();
        let help = match near(service, &known) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("choose one of {}", known.join(", ")),
        };
        check.problem(&path, format!("there is no service {}", quoted(service)), help);
    }
}

pub(super) fn command(check: &mut Check<'_>, path: &[&str], command: &[String]) {
    let word = |index: &'static str| path.iter().copied().chain([index]).collect::<Vec<_>>();
    let Some(program) = command.first() else { return };
    if program.trim().is_empty() {
        check.problem(
            &word("0"),
            "the command's first word is empty; it is the program to run",
            "write the program first, or leave `command` out to have the image's own",
        );
    } else if command.len() == 1 && program.contains(' ') {
        check.problem(
            &word("0"),
            format!("the command is one word with spaces, {}; no program is called so", quoted(program)),
            format!(
                "write each word by itself: [{}]",
                program.split_whitespace().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
            ),
        );
    }
    for (index, word) in command.iter().enumerate() {
        if word.contains('\0') {
            let index = index.to_string();
            let place: Vec<&str> = path.iter().copied().chain([index.as_str()]).collect();
            check.problem(
                &place,
                "a word of the command holds a zero character, which no program can be given",
                "leave it out",
            );
        }
    }
}
