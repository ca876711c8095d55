//! The file decides all of it: other ways out, no domain, no database, a worker only; and what leaves the
//! file leaves AWS.

use crate::harness::Emulator;
use crate::lifecycle::{changed, counts};

const SMALL: &str = r#"
app = "arive"
environment = "staging"

[services.worker]
command = ["litestar", "workers", "run"]
"#;

#[tokio::test]
async fn a_stack_grows_and_shrinks_with_its_file() {
    let emulator = Emulator::start();

    // A worker only: tasks in public subnets, no load balancer, no database.
    let file = emulator.write("stepstack.toml", SMALL);
    let applied = emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    no_change(&emulator, &file);
    let config = emulator.config();
    let ecs = aws_sdk_ecs::Client::new(&config);
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&config);
    let ec2 = aws_sdk_ec2::Client::new(&config);
    let worker =
        ecs.describe_services().cluster("arive-staging").services("worker").send().await.expect("services");
    let network = worker.services()[0]
        .network_configuration()
        .and_then(|network| network.awsvpc_configuration())
        .expect("a network");
    assert_eq!(network.assign_public_ip().map(|assign| assign.as_str()), Some("ENABLED"), "{applied}");
    assert!(elb.describe_load_balancers().send().await.expect("load balancers").load_balancers().is_empty());
    assert!(ec2.describe_nat_gateways().send().await.expect("NAT gateways").nat_gateways().is_empty());

    // An API without a domain: HTTP on the load balancer's own name, said plainly.
    let api = format!("{SMALL}\n[services.api]\nport = 8000\n");
    let file = emulator.write("stepstack.toml", &api);
    let applied = emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    assert!(format!("{}{}", applied.stdout, applied.stderr).contains("http://arive-staging"), "{applied}");
    no_change(&emulator, &file);

    // A database and every other way out, one after the other.
    for egress in ["nat", "nat-per-zone", "endpoints", "public"] {
        let text = format!(
            "{api}\n[database]\nengine_version = \"16\"\ndeletion_protection = false\n\n[network]\negress = \"{egress}\"\n"
        );
        let file = emulator.write("stepstack.toml", &text);
        emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
        no_change(&emulator, &file);
        let nats = ec2.describe_nat_gateways().send().await.expect("NAT gateways");
        let live = nats
            .nat_gateways()
            .iter()
            .filter(|nat| nat.state().is_some_and(|state| state.as_str() == "available"))
            .count();
        let endpoints = ec2.describe_vpc_endpoints().send().await.expect("endpoints");
        let interfaces = endpoints
            .vpc_endpoints()
            .iter()
            .filter(|one| one.vpc_endpoint_type().is_some_and(|kind| kind.as_str() == "Interface"));
        let expected = match egress {
            "nat" => (1, false),
            "nat-per-zone" => (2, false),
            "endpoints" => (0, true),
            _ => (0, false),
        };
        assert_eq!((live, interfaces.count() > 0), expected, "{egress}");
    }

    // The database leaves the file: not without consent.
    let file = emulator.write("stepstack.toml", &api);
    let refused = emulator.stepstack(&file, &["apply", "--yes"]).expect(4);
    assert!(format!("{}{}", refused.stdout, refused.stderr).contains("--delete-data"), "{refused}");
    emulator.stepstack(&file, &["apply", "--yes", "--delete-data"]).expect(0);
    let clusters = aws_sdk_rds::Client::new(&config).describe_db_clusters().send().await.expect("clusters");
    assert!(clusters.db_clusters().is_empty());
    no_change(&emulator, &file);

    // The API leaves the file: shown in the plan first, gone after the apply.
    let file = emulator.write("stepstack.toml", SMALL);
    let plan = emulator.stepstack(&file, &["plan", "--json"]).expect(0).json();
    let (_, _, delete) = counts(&plan);
    assert!(delete >= 4 && changed(&plan).contains(&"delete service/api".to_owned()), "{:?}", changed(&plan));
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    assert!(elb.describe_load_balancers().send().await.expect("load balancers").load_balancers().is_empty());
    assert!(elb.describe_target_groups().send().await.expect("target groups").target_groups().is_empty());
    no_change(&emulator, &file);

    // Someone changes a thing in the console: the plan says so, the apply mends it.
    let groups = aws_sdk_cloudwatchlogs::Client::new(&config);
    groups
        .put_retention_policy()
        .log_group_name("/ecs/arive-staging-worker")
        .retention_in_days(90)
        .send()
        .await
        .expect("a change");
    let plan = emulator.stepstack(&file, &["plan", "--json"]).expect(0).json();
    assert_eq!(changed(&plan), ["update log-group/worker"]);
    assert!(plan.to_string().contains("changed-outside"), "{plan:#}");
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    no_change(&emulator, &file);

    // A plan that something has overtaken is not carried out.
    let plan = emulator.stepstack(&file, &["plan", "--json"]).expect(0).json();
    let id = plan["id"].as_str().expect("an id").to_owned();
    groups
        .put_retention_policy()
        .log_group_name("/ecs/arive-staging-worker")
        .retention_in_days(90)
        .send()
        .await
        .expect("a change");
    emulator.stepstack(&file, &["apply", "--plan", &id]).expect(4);
    let plan = emulator.stepstack(&file, &["plan", "--json"]).expect(0).json();
    let id = plan["id"].as_str().expect("an id").to_owned();
    emulator.stepstack(&file, &["apply", "--plan", &id]).expect(0);
    no_change(&emulator, &file);
}

#[track_caller]
fn no_change(emulator: &Emulator, file: &std::path::Path) {
    let plan = emulator.stepstack(file, &["plan", "--json", "--detailed-exitcode"]);
    assert_eq!(changed(&plan.json()), Vec::<String>::new(), "a second run changes nothing:\n{plan}");
    plan.expect(0);
}
