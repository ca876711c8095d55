//! What people want to know of an environment at the end of a run.

use std::collections::BTreeMap;

use statemachine::message::Document;
use statemachine::naming::resource;
use statemachine::permission::Scope;

/// By name, as `stepstack` shows it.
pub(crate) fn outputs(document: &Document, scope: &Scope) -> BTreeMap<String, String> {
    let stages = &document.stages;
    let mut outputs = BTreeMap::new();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            outputs.insert(key.to_owned(), value);
        }
    };
    let balancer = resource::load_balancer();
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
    let zone = resource::hosted_zone();
    put("name_servers", stages.certificate.outputs.attribute(&zone, "name_servers").map(str::to_owned));
    let repository = resource::repository();
    put("repository", stages.foundation.outputs.attribute(&repository, "uri").map(str::to_owned));
    let cluster = resource::db_cluster();
    put("database_endpoint", stages.database.outputs.attribute(&cluster, "endpoint").map(str::to_owned));
    put("uploads_bucket", stages.foundation.outputs.id(&resource::uploads_bucket()).map(str::to_owned));
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
