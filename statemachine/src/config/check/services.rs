//! Services: what runs, how large, how many, and on which host.

use std::collections::BTreeMap;

use super::super::fargate::fargate_memory;
use super::super::file::{self, DEFAULT_HEALTH_CHECK_PATH};
use super::super::stack::{ReleaseCommand, Scale, Service};
use super::super::template;
use super::super::words::near;
use super::{Check, hosts, names, quoted};

/// What the engine gives every task.
const ALWAYS_SET: &[&str] = &["ENV", "AWS_REGION"];
/// What it gives every task of a stack with an uploads bucket.
const SET_WITH_UPLOADS: &[&str] = &["S3_BUCKET"];
/// What it gives every task of a stack with a database; the last two as secrets.
const SET_WITH_DATABASE: &[&str] =
    &["PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGSSLMODE", "PGPASSWORD", "DATABASE_URL"];
/// What would take the task's role from it.
const CREDENTIALS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
];

/// What of the rest of the file matters to services.
pub(super) struct Around<'f> {
    pub(super) domain: Option<&'f str>,
    /// Whether `domain`, where there is one, is a domain.
    pub(super) domain_is_good: bool,
    pub(super) has_database: bool,
    pub(super) has_uploads: bool,
}

pub(super) fn services(
    check: &mut Check<'_>,
    services: &BTreeMap<String, file::Service>,
    around: &Around<'_>,
) -> BTreeMap<String, Service> {
    if services.is_empty() {
        check.problem(
            &["services"],
            "there is no service, so there is nothing to run",
            format!("add at least one:\n\n{}", template::service()),
        );
    }
    let checked: BTreeMap<String, Service> =
        services.iter().map(|(name, given)| (name.clone(), service(check, name, given, around))).collect();
    hosts::one_service_a_host(check, services, &checked, around);
    checked
}

fn service(check: &mut Check<'_>, name: &str, given: &file::Service, around: &Around<'_>) -> Service {
    let file::Service {
        command,
        port,
        host: given_host,
        health_check_path,
        cpu,
        memory: given_memory,
        count,
        scale,
        environment,
        read_only_root,
        user: given_user,
        exec,
    } = given;
    names::service(check, name);
    check_command(check, &["services", name, "command"], command);
    check_health_check_path(check, name, health_check_path.as_deref(), *port);
    check_environment(check, name, environment, around);
    if *exec && *read_only_root {
        check.problem(
            &["services", name, "exec"],
            "`exec = true` cannot work on a read-only root file system: ECS Exec has to write there",
            "add `read_only_root = false`, or leave `exec` out",
        );
    }
    if let Some(user) = given_user {
        check_user(check, name, user);
    }
    let scale = scale.as_ref().map(|scale| check_scale(check, name, scale, *count));
    Service {
        command: command.clone(),
        port: *port,
        host: hosts::host(check, name, given_host.as_deref(), *port, around),
        health_check_path: health_check_path.clone().unwrap_or_else(|| DEFAULT_HEALTH_CHECK_PATH.to_owned()),
        cpu: *cpu,
        memory: memory(check, name, *cpu, *given_memory),
        count: count.or(scale.as_ref().map(|scale| scale.min)).unwrap_or(1),
        scale,
        environment: environment.clone(),
        read_only_root: *read_only_root,
        user: given_user.clone(),
        exec: *exec,
    }
}

/// The release command. `None` where no service could lend it its task definition; that is told elsewhere.
pub(super) fn release(
    check: &mut Check<'_>,
    given: &file::Release,
    services: &BTreeMap<String, file::Service>,
) -> Option<ReleaseCommand> {
    let file::Release { command, service } = given;
    check_command(check, &["release", "command"], command);
    if let Some(asked) = service.as_ref().filter(|asked| !services.contains_key(*asked)) {
        let known: Vec<&str> = services.keys().map(String::as_str).collect();
        let help = match near(asked, &known) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("choose one of {}", known.join(", ")),
        };
        check.problem(&["release", "service"], format!("there is no service {}", quoted(asked)), help);
    }
    let service = service.as_ref().or_else(|| services.keys().next())?.clone();
    Some(ReleaseCommand { command: command.clone(), service })
}

fn check_command(check: &mut Check<'_>, path: &[&str], command: &[String]) {
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

fn check_health_check_path(check: &mut Check<'_>, name: &str, path: Option<&str>, port: Option<u16>) {
    let Some(path) = path else { return };
    let place = ["services", name, "health_check_path"];
    if port.is_none() {
        check.problem(
            &place,
            format!("`health_check_path` has no meaning: `{name}` has no `port`, so nothing asks for it"),
            "add `port`, or leave `health_check_path` out",
        );
    }
    if !path.starts_with('/') {
        check.problem(
            &place,
            format!("the health check path {} does not begin with `/`", quoted(path)),
            format!("did you mean {}?", quoted(&format!("/{path}"))),
        );
    } else if path.len() > 1024 || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        check.problem(
            &place,
            format!("the health check path {} is no path of a URL", quoted(path)),
            "it has at most 1,024 characters, none of them spaces or outside ASCII",
        );
    }
}

fn check_environment(
    check: &mut Check<'_>,
    name: &str,
    environment: &BTreeMap<String, String>,
    around: &Around<'_>,
) {
    for (key, value) in environment {
        let path = ["services", name, "environment", key];
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_set_by_us = ALWAYS_SET.contains(&key.as_str())
            || (around.has_uploads && SET_WITH_UPLOADS.contains(&key.as_str()))
            || (around.has_database && SET_WITH_DATABASE.contains(&key.as_str()));
        if key.is_empty() || !key.bytes().all(is_good) || key.as_bytes()[0].is_ascii_digit() {
            check.key_problem(
                &path,
                format!("{} is no name of an environment variable", quoted(key)),
                "letters, digits and `_`, not beginning with a digit",
            );
        } else if is_set_by_us {
            check.key_problem(
                &path,
                format!("the environment variable `{key}` is set by Stepstack in every task"),
                "leave it out, or choose another name",
            );
        } else if CREDENTIALS.contains(&key.as_str()) {
            check.key_problem(
                &path,
                format!("the environment variable `{key}` would take the place of the task's role"),
                "leave it out: AWS's SDKs find the role by themselves",
            );
        } else if value.contains('\0') {
            check.key_problem(
                &path,
                format!("the value of the environment variable `{key}` holds a zero character"),
                "leave it out",
            );
        }
    }
}

fn check_user(check: &mut Check<'_>, name: &str, user: &str) {
    let is_good = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    };
    let parts: Vec<&str> = user.split(':').collect();
    if parts.len() > 2 || !parts.iter().all(|part| is_good(part)) {
        check.problem(
            &["services", name, "user"],
            format!("{} is no user of a container", quoted(user)),
            "write a name, a number, or both ids: \"app\", \"1000\", \"1000:1000\"",
        );
    }
}

fn check_scale(check: &mut Check<'_>, name: &str, scale: &file::Scale, count: Option<u32>) -> Scale {
    let file::Scale { min, max, cpu } = *scale;
    if min > max {
        check.problem(
            &["services", name, "scale", "min"],
            format!("`scale.min` {min} of `{name}` is more than `scale.max` {max}"),
            format!("write min = {max} or less, or raise max"),
        );
    } else if let Some(count) = count
        && !(min..=max).contains(&count)
    {
        check.problem(
            &["services", name, "count"],
            format!("`count` {count} of `{name}` is outside of its `scale`, {min} to {max}"),
            "leave `count` out to begin with the least",
        );
    }
    Scale { min, max, cpu }
}

fn memory(check: &mut Check<'_>, name: &str, cpu: u32, given: Option<u32>) -> u32 {
    let allowed = fargate_memory(cpu);
    let least = *allowed.first().expect("the shape allows only CPUs that Fargate has");
    let Some(memory) = given else { return least };
    if !allowed.contains(&memory) {
        let next = allowed.iter().find(|allowed| **allowed > memory).or(allowed.last()).unwrap_or(&least);
        check.problem(
            &["services", name, "memory"],
            format!("Fargate does not run {memory} MB of memory with {cpu} CPU units"),
            format!("the nearest is memory = {next}; with cpu = {cpu} it has {}", memory_words(&allowed)),
        );
    }
    memory
}

/// `512, 1024, 2048` or `4096 to 16384 in steps of 1024`.
fn memory_words(allowed: &[u32]) -> String {
    match allowed {
        [first, second, .., last] if allowed.len() > 4 => {
            format!("{first} to {last} in steps of {}", second - first)
        }
        few => few.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
    }
}
