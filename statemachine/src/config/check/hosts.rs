//! Hosts: which service answers where, and that no two answer at one place.

use std::collections::BTreeMap;

use super::super::stack::{Service, Stack};
use super::super::words::quoted;
use super::{Check, names};

pub(super) fn hosts(check: &mut Check<'_>, stack: &Stack) {
    // A bad domain was told once; its hosts would only repeat it.
    let good_domain = stack.domain.as_deref().filter(|domain| names::host_fault(domain).is_none());
    for (name, service) in &stack.services {
        let Some(host) = &service.host else { continue };
        if check.is_written(&["services", name, "host"]) {
            written(check, name, host, service, stack);
        } else if good_domain.is_some()
            && names::is_good_service(name)
            && let Some(fault) = names::host_fault(host)
        {
            check.key_problem(
                &["services", name],
                format!("the host {} {fault}", quoted(host)),
                "add `host = \"…\"` with a shorter name",
            );
        }
    }
    one_service_a_host(check, stack);
}

/// A host that a person wrote.
fn written(check: &mut Check<'_>, name: &str, host: &str, service: &Service, stack: &Stack) {
    let place = ["services", name, "host"];
    if service.port.is_none() {
        check.problem(
            &place,
            format!("`{name}` has a `host` but no `port`, so nothing would answer on it"),
            "add the `port` that it listens on, or leave `host` out",
        );
    }
    let Some(domain) = &stack.domain else {
        return check.problem(
            &place,
            format!("`{name}` has the host {}, but the file has no `domain`", quoted(host)),
            "add `domain = \"…\"` at the top of the file: its zone gets the record and proves the certificate",
        );
    };
    if let Some(fault) = names::host_fault(host) {
        check.problem(
            &place,
            format!("the host {} {fault}", quoted(host)),
            format!("write a name such as `{name}.{domain}`"),
        );
    } else if names::host_fault(domain).is_none() && host != domain && !host.ends_with(&format!(".{domain}"))
    {
        check.problem(
            &place,
            format!("the host {} is not in the domain `{domain}`", quoted(host)),
            format!("write a name such as `{name}.{domain}`, or leave `host` out to have it"),
        );
    }
}

/// Fails where one address leads to two services.
fn one_service_a_host(check: &mut Check<'_>, stack: &Stack) {
    let public: Vec<(&str, &Service)> = stack.public_services().collect();
    if stack.domain.is_none() {
        for (name, _) in public.iter().skip(1) {
            check.problem(
                &["services", name, "port"],
                format!(
                    "`{}` and `{name}` are both public, but without a `domain` there is only the load balancer's own name",
                    public[0].0
                ),
                "add `domain = \"…\"` so that each has a host of its own, or leave one `port` out",
            );
        }
        return;
    }
    let mut answering: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, service) in public {
        let Some(host) = &service.host else { continue };
        let Some(earlier) = answering.insert(host, name) else { continue };
        // Where one of the two hosts is a default, the other is what was written.
        let written = if check.is_written(&["services", name, "host"]) { name } else { earlier };
        check.problem(
            &["services", written, "host"],
            format!("`{earlier}` and `{name}` both answer on {}", quoted(host)),
            "give each public service a host of its own",
        );
    }
}
