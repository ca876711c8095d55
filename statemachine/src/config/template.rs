//! The file that `stepstack init` writes.

use crate::template::fill;

/// A first configuration of about ten lines, which [`super::parse`] accepts when the names given are good.
///
/// Its first line names `stepstack.schema.json` beside it, so that editors complete and check it.
pub fn template(app: &str, environment: &str, domain: Option<&str>) -> String {
    let domain = match domain {
        Some(domain) => format!("domain = {}", text(domain)),
        None => "# domain = \"example.com\"   # without one: HTTP on the load balancer's own name".to_owned(),
    };
    fill(
        include_str!("stepstack.toml.template"),
        &[
            ("APP", &text(app)),
            ("ENVIRONMENT", &text(environment)),
            ("DOMAIN", &domain),
            ("ENGINE_VERSION", super::stack::DEFAULT_ENGINE_VERSION),
        ],
    )
}

/// The least that makes a stack, as it stands in an error.
pub(super) fn indented(app: &str, environment: &str) -> String {
    format!("    app = {}\n    environment = {}\n\n{}", text(app), text(environment), service())
}

/// The least service, as it stands in an error.
pub(super) fn service() -> &'static str {
    "    [services.api]\n    port = 8000"
}

/// TOML's basic string of `value`.
fn text(value: &str) -> String {
    toml::Value::String(value.to_owned()).to_string()
}
