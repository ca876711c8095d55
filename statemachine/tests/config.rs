//! The configuration: what good files mean, and what the schema and the templates say.

use statemachine::config::{self, Egress, Stack};

const ARIVE: &str = include_str!("../../examples/arive.toml");
const SCHEMA: &str = include_str!("../../examples/stepstack.schema.json");

fn parse(text: &str) -> Stack {
    config::parse(text.as_bytes(), "stepstack.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

/// Ten lines: what the README shows.
const SHORT: &str = r#"
app = "arive"
environment = "production"
domain = "tryarive.com"

[services.api]
command = ["litestar", "run", "--host", "0.0.0.0"]
port = 8000

[services.worker]
command = ["litestar", "workers", "run"]

[database]
engine_version = "15"
"#;

#[test]
fn ten_lines_mean_the_reference_stack() {
    insta::assert_json_snapshot!(parse(SHORT));
}

#[test]
fn the_example_is_the_short_file_with_its_defaults_written_out() {
    let example = parse(ARIVE);
    let short = parse(&format!("{SHORT}\n[uploads]\ncors_origins = [\"https://tryarive.com\"]"));
    assert_eq!(example, short);
}

#[test]
fn a_stack_survives_the_state_machines_document() {
    let stack = parse(ARIVE);
    let document = serde_json::to_string(&stack).expect("a stack is JSON");
    assert_eq!(serde_json::from_str::<Stack>(&document).expect("and comes back"), stack);
}

/// A stack is recorded with the intent, and an engine of another version reads it.
#[test]
fn a_recorded_stack_may_lack_a_plain_key_and_hold_a_new_one() {
    let mut stack = serde_json::to_value(parse(ARIVE)).expect("a stack is JSON");
    let api = stack["services"]["api"].as_object_mut().expect("a service is an object");
    api.remove("exec");
    api.insert("new_key".to_owned(), true.into());
    assert_eq!(serde_json::from_value::<Stack>(stack.clone()).expect("it is read"), parse(ARIVE));
    // What depends on other keys is nothing that a default could guess.
    stack["services"]["api"].as_object_mut().expect("a service is an object").remove("memory");
    assert!(serde_json::from_value::<Stack>(stack).is_err());
}

#[test]
fn staging_has_cheap_defaults_and_production_has_safe_ones() {
    let of = |environment: &str| {
        let stack = parse(&SHORT.replace("\"production\"", &format!("\"{environment}\"")));
        (stack.network.egress, stack.database.expect("the file has one").deletion_protection)
    };
    assert_eq!(of("production"), (Egress::Nat, true));
    assert_eq!(of("prod"), (Egress::Nat, true));
    assert_eq!(of("staging"), (Egress::Public, false));
}

#[test]
fn a_worker_only_stack_is_whole() {
    let stack = parse("app = \"a\"\nenvironment = \"b\"\n[services.worker]\n");
    assert!(!stack.has_public_service());
    assert_eq!((stack.database, stack.uploads, stack.domain), (None, None, None));
    assert_eq!(stack.services["worker"].host, None);
}

#[test]
fn without_a_domain_one_service_may_be_public() {
    let stack = parse("app = \"a\"\nenvironment = \"b\"\n[services.web]\nport = 80\n[services.worker]\n");
    assert_eq!(
        stack.public_services().map(|(name, service)| (name, service.host.clone())).collect::<Vec<_>>(),
        [("web", None)]
    );
}

#[test]
fn defaults_follow_the_keys_that_they_depend_on() {
    let stack = parse(
        "app = \"my-shop\"\nenvironment = \"staging\"\ndomain = \"shop.example\"
        [database]\nmin_acu = 0\n[uploads]
        [services.web]\nport = 80\nhost = \"shop.example\"\ncpu = 1024\nscale = { min = 2, max = 6 }
        [services.api]\nport = 80\nscale = { min = 2, max = 6, cpu = 40 }\ncount = 3",
    );
    let database = stack.database.as_ref().expect("the file has one");
    assert_eq!((database.name.as_str(), database.min_acu, database.max_acu), ("my_shop", 0.0, 4.0));
    assert_eq!(stack.uploads.as_ref().expect("the file has one").bucket, "my-shop-uploads-staging");
    let (web, api) = (&stack.services["web"], &stack.services["api"]);
    assert_eq!((web.count, web.memory, web.host.as_deref()), (2, 2048, Some("shop.example")));
    assert_eq!((api.count, api.memory, api.host.as_deref()), (3, 512, Some("api.shop.example")));
    let cpu = |service: &config::Service| service.scale.as_ref().map(|scale| scale.cpu);
    assert_eq!((cpu(web), cpu(api)), (Some(60), Some(40)));
}

#[test]
fn subnets_follow_the_vpc() {
    let subnets = |network: &str| {
        let network =
            parse(&format!("app = \"a\"\nenvironment = \"b\"\n[services.w]\n[network]\n{network}")).network;
        [network.public_subnets, network.private_subnets]
            .concat()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(subnets(""), ["10.0.1.0/24", "10.0.2.0/24", "10.0.11.0/24", "10.0.12.0/24"]);
    assert_eq!(
        subnets("cidr = \"172.20.0.0/16\""),
        ["172.20.1.0/24", "172.20.2.0/24", "172.20.11.0/24", "172.20.12.0/24"]
    );
    assert_eq!(
        subnets("cidr = \"192.168.8.0/22\""),
        ["192.168.8.0/24", "192.168.9.0/24", "192.168.10.0/24", "192.168.11.0/24"]
    );
    assert_eq!(
        subnets("cidr = \"10.9.8.64/26\""),
        ["10.9.8.64/28", "10.9.8.80/28", "10.9.8.96/28", "10.9.8.112/28"]
    );
    assert_eq!(
        subnets("private_subnets = [\"10.0.32.0/20\", \"10.0.48.0/20\"]"),
        ["10.0.1.0/24", "10.0.2.0/24", "10.0.32.0/20", "10.0.48.0/20"]
    );
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let generated = config::schema();
    if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/stepstack.schema.json");
        std::fs::write(path, format!("{generated:#}\n")).expect("the schema can be written");
        return;
    }
    let committed: serde_json::Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    assert!(
        committed == generated,
        "write it anew with `INSTA_UPDATE=always cargo test -p statemachine --test config`"
    );
}

#[test]
fn the_examples_first_line_names_its_schema() {
    assert_eq!(ARIVE.lines().next(), Some("#:schema ./stepstack.schema.json"));
}

#[test]
fn every_key_of_the_schema_has_a_description() {
    fn walk(schema: &serde_json::Value, path: &str, bare: &mut Vec<String>) {
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            if !value["description"].as_str().is_some_and(|description| description.ends_with('.')) {
                bare.push(path.clone());
            }
            walk(value, &path, bare);
            walk(&value["additionalProperties"], &path, bare);
        }
    }
    let mut bare = Vec::new();
    walk(&config::schema(), "", &mut bare);
    assert_eq!(bare, Vec::<String>::new());
}

#[test]
fn a_template_is_a_good_file() {
    let text = config::template("arive", "production", Some("tryarive.com"));
    let stack = parse(&text);
    assert_eq!(stack.services["api"].host.as_deref(), Some("api.tryarive.com"));
    insta::assert_snapshot!(text);
    assert_eq!(parse(&config::template("a", "b", None)).domain, None);
}

#[test]
fn egress_has_a_monthly_price() {
    let price = |egress: &str, environment: &str| {
        let file = SHORT.replace("\"production\"", &format!("\"{environment}\""));
        config::monthly_price(&parse(&format!("{file}\n[network]\n{egress}"))).to_string()
    };
    let prices = [
        price("", "production"),
        price("egress = \"nat-per-zone\"", "production"),
        price("egress = \"endpoints\"", "production"),
        price("", "staging"),
    ];
    let prices = prices.join("\n");
    insta::assert_snapshot!(prices);
}
