//! What people want to know of an environment at the end of a run.

use std::collections::BTreeMap;

use statemachine::message::Document;
use statemachine::permission::Scope;
use statemachine::resource::Name;

/// By name, as `stepstack` shows it.
pub(crate) fn outputs(document: &Document, scope: &Scope) -> BTreeMap<String, String> {
    let stages = &document.stages;
    let mut outputs = BTreeMap::new();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            outputs.insert(key.to_owned(), value);
        }
    };
    let balancer = Name::new("load-balancer", "main");
    let dns_name = stages.ingress.outputs.attribute(&balancer, "dns_name").map(str::to_owned);
    if let Some(stack) = &document.stack {
        let host = stack.public_services().find_map(|(_, service)| service.host.clone());
        put(
            "url",
            host.map(|host| format!("https://{host}"))
                .or_else(|| dns_name.as_ref().map(|name| format!("http://{name}"))),
        );
    }
    put("load_balancer", dns_name);
    let zone = Name::new("hosted-zone", "main");
    put("name_servers", stages.certificate.outputs.attribute(&zone, "name_servers").map(str::to_owned));
    let repository = Name::new("repository", "main");
    put("repository", stages.foundation.outputs.attribute(&repository, "uri").map(str::to_owned));
    let cluster = Name::new("db-cluster", "main");
    put("database_endpoint", stages.database.outputs.attribute(&cluster, "endpoint").map(str::to_owned));
    put("uploads_bucket", stages.foundation.outputs.id(&Name::new("bucket", "uploads")).map(str::to_owned));
    let region = &scope.region;
    put(
        "state_machine",
        Some(format!(
            "https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{}",
            document.run.execution
        )),
    );
    outputs
}
