//! Services: what runs, how large and how many.

use super::super::fargate::fargate_memory;
use super::super::stack::{Scale, Service, Stack};
use super::super::template;
use super::super::words::quoted;
use super::{Check, command, names, variables};

pub(super) fn services(check: &mut Check<'_>, stack: &Stack) {
    if stack.services.is_empty() {
        check.problem(
            &["services"],
            "there is no service, so there is nothing to run",
            format!("add at least one:\n\n{}", template::service()),
        );
    }
    for (name, service) in &stack.services {
        self::service(check, name, service, stack);
    }
}

fn service(check: &mut Check<'_>, name: &str, service: &Service, stack: &Stack) {
    names::service(check, name);
    command::command(check, &["services", name, "command"], &service.command);
    health_check_path(check, name, &service.health_check_path, service.port);
    variables::variables(check, name, service, stack);
    if service.exec && service.read_only_root {
        check.problem(
            &["services", name, "exec"],
            "`exec = true` cannot work on a read-only root file system: ECS Exec has to write there",
            "add `read_only_root = false`, or leave `exec` out",
        );
    }
    if let Some(user) = &service.user {
        self::user(check, name, user);
    }
    if let Some(scale) = &service.scale {
        self::scale(check, name, scale, service.count);
    }
    memory(check, name, service.cpu, service.memory);
}

fn health_check_path(check: &mut Check<'_>, name: &str, path: &str, port: Option<u16>) {
    let place = ["services", name, "health_check_path"];
    if !check.is_written(&place) {
        return;
    }
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

fn user(check: &mut Check<'_>, name: &str, user: &str) {
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

fn scale(check: &mut Check<'_>, name: &str, scale: &Scale, count: u32) {
    let Scale { min, max, .. } = *scale;
    if min > max {
        check.problem(
            &["services", name, "scale", "min"],
            format!("`scale.min` {min} of `{name}` is more than `scale.max` {max}"),
            format!("write min = {max} or less, or raise max"),
        );
    } else if !(min..=max).contains(&count) {
        check.problem(
            &["services", name, "count"],
            format!("`count` {count} of `{name}` is outside of its `scale`, {min} to {max}"),
            "leave `count` out to begin with the least",
        );
    }
}

fn memory(check: &mut Check<'_>, name: &str, cpu: u32, memory: u32) {
    let allowed = fargate_memory(cpu);
    if !allowed.contains(&memory) {
        let next = allowed.iter().find(|allowed| **allowed > memory).or(allowed.last());
        let next = next.expect("the shape allows only CPUs that Fargate has");
        check.problem(
            &["services", name, "memory"],
            format!("Fargate does not run {memory} MB of memory with {cpu} CPU units"),
            format!("the nearest is memory = {next}; with cpu = {cpu} it has {}", memory_words(&allowed)),
        );
    }
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
