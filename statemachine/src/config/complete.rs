//! Defaults that depend on other keys, each put into the file where it leaves the key out.

use serde::Serialize;
use toml::{Table, Value};

use super::fargate::fargate_memory;
use super::stack::{DEFAULT_CPU, Egress};
use crate::naming::AwsNames;

/// Fills in every key that the stack's types need and a person need not write. The file's shape is right.
///
/// A bad value makes a bad default; `check` tells of the value.
pub(super) fn complete(file: &mut Table) {
    let text = |key: &str| file.get(key).and_then(Value::as_str).map(str::to_owned);
    let app = text("app").unwrap_or_default();
    let environment = text("environment").unwrap_or_default();
    let domain = text("domain");
    let is_production = is_production(&environment);

    file.entry("network").or_insert_with(|| Table::new().into());
    if let Some(network) = table(file, "network") {
        fill(network, "egress", if is_production { Egress::Nat } else { Egress::Public });
    }
    if let Some(database) = table(file, "database") {
        fill(database, "name", app.replace('-', "_"));
        fill(database, "deletion_protection", is_production);
    }
    if let Some(uploads) = table(file, "uploads") {
        fill(uploads, "bucket", AwsNames::new(&app, &environment).uploads_bucket());
    }
    // A file without services is refused, so that no name stands here then.
    let first = table(file, "services").and_then(|services| services.keys().min().cloned());
    if let Some(release) = table(file, "release") {
        fill(release, "service", first.unwrap_or_default());
    }
    for (name, service) in table(file, "services").into_iter().flatten() {
        if let Some(service) = service.as_table_mut() {
            complete_service(name, service, domain.as_deref());
        }
    }
}

fn complete_service(name: &str, service: &mut Table, domain: Option<&str>) {
    if let Some(domain) = domain
        && service.contains_key("port")
    {
        fill(service, "host", format!("{name}.{domain}"));
    }
    let cpu = service.get("cpu").and_then(Value::as_integer).and_then(|cpu| u32::try_from(cpu).ok());
    let memory = fargate_memory(cpu.unwrap_or(DEFAULT_CPU));
    fill(service, "memory", memory.first().expect("the shape allows only CPUs that Fargate has"));
    let least = service.get("scale").and_then(|scale| scale.get("min")).and_then(Value::as_integer);
    fill(service, "count", least.unwrap_or(1));
}

/// Whether an environment is one that people depend on: NAT and deletion protection are then the defaults.
fn is_production(environment: &str) -> bool {
    matches!(environment, "production" | "prod")
}

fn table<'f>(file: &'f mut Table, key: &str) -> Option<&'f mut Table> {
    file.get_mut(key).and_then(Value::as_table_mut)
}

/// Puts `default` in place of a key that is not written.
fn fill(table: &mut Table, key: &str, default: impl Serialize) {
    if !table.contains_key(key) {
        table.insert(key.to_owned(), Value::try_from(default).expect("a default is plain data"));
    }
}
