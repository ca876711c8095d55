//! Hosts: which service answers where, and that no two answer at one place.

use std::collections::BTreeMap;

use super::super::file;
use super::super::stack::Service;
use super::services::Around;
use super::{Check, names, quoted};

/// The host that a service answers on: the file's, or the service's name under the domain.
pub(super) fn host(
    check: &mut Check<'_>,
    name: &str,
    given: Option<&str>,
    port: Option<u16>,
    around: &Around<'_>,
) -> Option<String> {
    let place = ["services", name, "host"];
    let Some(host) = given else {
        let host = format!("{name}.{}", around.domain?);
        port?;
        if around.domain_is_good
            && names::is_good_service(name)
            && let Some(fault) = names::host_fault(&host)
        {
            check.key_problem(
                &["services", name],
                format!("the host {} {fault}", quoted(&host)),
                "add `host = \"…\"` with a shorter name",
            );
        }
        return Some(host);
    };
    if port.is_none() {
        check.problem(
            &place,
            format!("`{name}` has a `host` but no `port`, so nothing would answer on it"),
            "add the `port` that it listens on, or leave `host` out",
        );
    }
    match around.domain {
        None => check.problem(
            &place,
            format!("`{name}` has the host {}, but the file has no `domain`", quoted(host)),
            "add `domain = \"…\"` at the top of the file: its zone gets the record and proves the certificate",
        ),
        Some(domain) => {
            if let Some(fault) = names::host_fault(host) {
                check.problem(
                    &place,
                    format!("the host {} {fault}", quoted(host)),
                    format!("write a name such as `{name}.{domain}`"),
                );
            } else if around.domain_is_good && host != domain && !host.ends_with(&format!(".{domain}")) {
                check.problem(
                    &place,
                    format!("the host {} is not in the domain `{domain}`", quoted(host)),
                    format!("write a name such as `{name}.{domain}`, or leave `host` out to have it"),
                );
            }
        }
    }
    Some(host.to_owned())
}

/// Fails where one address leads to two services.
pub(super) fn one_service_a_host(
    check: &mut Check<'_>,
    given: &BTreeMap<String, file::Service>,
    services: &BTreeMap<String, Service>,
    around: &Around<'_>,
) {
    let public: Vec<(&String, &Service)> =
        services.iter().filter(|(_, service)| service.port.is_some()).collect();
    if around.domain.is_none() {
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
        let written = if given[name].host.is_some() { name } else { earlier };
        check.problem(
            &["services", written, "host"],
            format!("`{earlier}` and `{name}` both answer on {}", quoted(host)),
            "give each public service a host of its own",
        );
    }
}
