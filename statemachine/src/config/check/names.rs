//! Names: of the app, the environment, the services, the region; and domain names.

use super::super::stack::{APP_LENGTH, ENVIRONMENT_LENGTH, SERVICE_LENGTH};
use super::super::words::quoted;
use super::Check;

/// Characters of a certificate's first name at most (ACM, RequestCertificate: the common name of X.509).
const HOST_LENGTH: usize = 64;

pub(super) fn app(check: &mut Check<'_>, app: &str) {
    if let Some(reason) = name_fault(app, APP_LENGTH) {
        let help = suggestion(app, APP_LENGTH, "the app's name begins every name in AWS");
        check.problem(&["app"], format!("the app's name {} {reason}", quoted(app)), help);
    } else if app == "internal" || app.starts_with("internal-") {
        check.problem(
            &["app"],
            format!("the app's name {} cannot begin with `internal`", quoted(app)),
            "AWS keeps load balancer names that begin with `internal-` for itself; choose another name",
        );
    }
}

pub(super) fn environment(check: &mut Check<'_>, environment: &str) {
    if let Some(reason) = name_fault(environment, ENVIRONMENT_LENGTH) {
        let help = suggestion(environment, ENVIRONMENT_LENGTH, "`production` and `staging` are usual");
        check.problem(
            &["environment"],
            format!("the environment's name {} {reason}", quoted(environment)),
            help,
        );
    } else if environment == "engine" {
        // The engine's own roles live under `/stepstack/{app}/engine/`.
        check.problem(
            &["environment"],
            "the environment cannot be called `engine`: the provisioner's own roles stand under that name",
            "choose another name, such as `production`",
        );
    }
}

pub(super) fn service(check: &mut Check<'_>, service: &str) {
    if let Some(reason) = name_fault(service, SERVICE_LENGTH) {
        let help = suggestion(service, SERVICE_LENGTH, "`api` and `worker` are usual");
        check.key_problem(
            &["services", service],
            format!("the service's name {} {reason}", quoted(service)),
            help,
        );
    }
}

pub(super) fn region(check: &mut Check<'_>, region: &str) {
    let parts: Vec<&str> = region.split('-').collect();
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let good = match parts.as_slice() {
        [country, words @ .., number] => {
            country.len() == 2
                && is_word(country)
                && !words.is_empty()
                && words.iter().all(|word| is_word(word))
                && number.len() == 1
                && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        [] | [_] => false,
    };
    if !good {
        check.problem(
            &["region"],
            format!("{} is not an AWS region", quoted(region)),
            "regions look like `us-east-1`; a zone such as `us-east-1a` is not one",
        );
    }
}

pub(super) fn domain(check: &mut Check<'_>, domain: &str) {
    let Some(reason) = host_fault(domain) else { return };
    let help = domain_suggestion(domain).map_or_else(
        || "write the bare name, such as `example.com`".to_owned(),
        |name| format!("did you mean `{name}`?"),
    );
    check.problem(&["domain"], format!("the domain {} {reason}", quoted(domain)), help);
}

/// What makes `host` no name for a certificate, as the end of a sentence.
pub(super) fn host_fault(host: &str) -> Option<String> {
    if host.is_empty() {
        return Some("is empty".to_owned());
    }
    if host.contains("://") || host.contains('/') {
        return Some("is an address; only the name in it belongs here".to_owned());
    }
    if host.contains('*') {
        return Some("holds a `*`; every host is named by itself".to_owned());
    }
    if host.len() > HOST_LENGTH {
        return Some(format!("is {} characters long; a certificate takes at most {HOST_LENGTH}", host.len()));
    }
    if host.ends_with('.') {
        return Some("ends with a dot".to_owned());
    }
    if !host.contains('.') {
        return Some("has no dot: a name on the internet has at least two parts".to_owned());
    }
    let is_good =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    if let Some(bad) = host.chars().find(|c| !u8::try_from(*c).is_ok_and(is_good)) {
        return Some(format!(
            "holds {}; a host has lower-case letters, digits, hyphens and dots",
            quoted(&bad.to_string())
        ));
    }
    let is_label =
        |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
    if !host.split('.').all(is_label) {
        return Some(
            "has a part that is empty, longer than 63 characters, or has a hyphen at an end".to_owned(),
        );
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some("is an IP address; a certificate needs a name".to_owned());
    }
    None
}

/// The name inside `https://Example.com/`, if it is one.
fn domain_suggestion(domain: &str) -> Option<String> {
    let name = domain.rsplit("://").next().unwrap_or(domain);
    let name = name.split(['/', ':']).next().unwrap_or(name).trim_start_matches("*.").trim_matches('.');
    let name = name.to_lowercase();
    host_fault(&name).is_none().then_some(name)
}

/// Whether nothing is wrong with the app's name.
pub(super) fn is_good_app(app: &str) -> bool {
    name_fault(app, APP_LENGTH).is_none()
}

/// Whether nothing is wrong with a service's name.
pub(super) fn is_good_service(service: &str) -> bool {
    name_fault(service, SERVICE_LENGTH).is_none()
}

/// What is wrong with a name, as the end of a sentence: `is empty`.
fn name_fault(name: &str, at_most: usize) -> Option<String> {
    let length = name.chars().count();
    if length == 0 {
        return Some("is empty".to_owned());
    }
    if let Some(bad) = name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        let bad = if bad == ' ' { "a space".to_owned() } else { quoted(&bad.to_string()) };
        return Some(format!("holds {bad}; it may hold lower-case letters, digits and single hyphens"));
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Some("must begin with a letter".to_owned());
    }
    if name.ends_with('-') {
        return Some("must not end with a hyphen".to_owned());
    }
    if name.contains("--") {
        return Some("has two hyphens in a row".to_owned());
    }
    (length > at_most).then(|| format!("is {length} characters long; {at_most} is the most"))
}

/// A good name that is like `name`, or else the advice.
fn suggestion(name: &str, at_most: usize, advice: &str) -> String {
    let mut slug = String::new();
    for character in name.to_lowercase().chars() {
        match character {
            'a'..='z' => slug.push(character),
            '0'..='9' if !slug.is_empty() => slug.push(character),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
        if slug.len() > at_most {
            // Half a word is no name: cut where one ends.
            let end = slug.rfind('-').unwrap_or(at_most);
            slug.truncate(end);
            break;
        }
    }
    match slug.trim_end_matches('-') {
        "" => advice.to_owned(),
        slug => format!("try `{slug}`; {advice}"),
    }
}
