//! Plans of both stages: over an empty account, in sync, with one thing changed, and with everything removed.

mod world;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use aws::Function as _;
use aws_sdk_ec2::types::{
    IpPermission, IpRange, NatGatewayState, Route, RouteState, SecurityGroupRule, SubnetState,
};
use network::seen::Seen;
use network::{Clients, resources, vpc};
use statemachine::message::{Operation, StageReport};
use statemachine::owner::Owner as _;
use statemachine::permission::policy;
use statemachine::plan::Action;
use statemachine::resource::{Name, Names};
use statemachine::{Error, Result, Stage};
use testing::{assert_narrow, context, document, longest_scope, plan, scope, stack, whole};

use world::{World, group, interface_endpoint, nat_gateway, route_table, way_in};

const FILE: &str = r#"
app = "arive"
environment = "production"
domain = "tryarive.com"
[network]
egress = "nat"
[services.api]
port = 8000
[services.worker]
command = ["work"]
[database]
"#;

async fn look(world: &World, stage: Stage, file: Option<&str>, names: Names) -> Result<StageReport> {
    let (ctx, ec2) = (context(stage), world.client());
    let stack = file.map(stack);
    let resources = if stage == Stage::Egress {
        resources::egress(&ctx, &ec2, &names, stack.as_ref(), None)
    } else {
        match &stack {
            Some(stack) => {
                let seen = Seen::look(&ctx, &ec2).await?;
                let zones = seen.zones(&ctx, &ec2, &names).await?;
                resources::network(&ctx, &ec2, stack, &zones, seen)
            }
            None => resources::no_network(&ec2),
        }
    };
    testing::look(resources, &ctx, names).await
}

async fn network(world: &World, file: Option<&str>) -> StageReport {
    look(world, Stage::Network, file, Names::default()).await.expect("the look")
}

/// The stage `egress`, with what the foundation and the network of the same world hand to it.
async fn egress(world: &World, file: Option<&str>) -> StageReport {
    let mut names = network(world, file).await.names;
    let role = Name::new("role", "flow-log");
    let arn = "arn:aws:iam::123456789012:role/stepstack/arive/production/arive-production-flow-log";
    names.insert_with(&role, "arive-production-flow-log", &[("arn", arn.to_owned())]);
    names.insert(Name::new("log-group", "vpc.flow"), "/vpc/arive-production/flow");
    look(world, Stage::Egress, file, names).await.expect("the look")
}

#[tokio::test]
async fn one_stage_or_the_other_owns_each_kind_that_is_listed() {
    let clients = Clients { ec2: World::in_sync().client() };
    let document = document(Operation::Plan, Some(stack(FILE)));
    let mut kinds = BTreeSet::new();
    for stage in [Stage::Network, Stage::Egress] {
        let owned = clients.resources(&context(stage), &document, &Names::default()).await;
        kinds.extend(owned.expect("the stage").kinds());
    }
    assert_eq!(kinds, Clients::kinds());
}

#[tokio::test]
async fn in_sync_nothing_changes() {
    let world = World::in_sync();
    assert_eq!(whole(&network(&world, Some(FILE)).await), "");
    assert_eq!(whole(&egress(&world, Some(FILE)).await), "");
}

#[tokio::test]
async fn an_empty_account_gets_everything() {
    let world = World::empty();
    insta::assert_snapshot!("empty_network", whole(&network(&world, Some(FILE)).await));
    insta::assert_snapshot!("empty_egress", whole(&egress(&world, Some(FILE)).await));
    let before_any_other_stage =
        look(&world, Stage::Egress, Some(FILE), Names::default()).await.expect("the look");
    assert_eq!(whole(&before_any_other_stage), whole(&egress(&world, Some(FILE)).await));
}

/// Where there is neither a VPC nor a subnet of ours, nothing of ours can lie in one; where one of the two is
/// left, everything is looked for.
#[tokio::test]
async fn without_a_vpc_nothing_in_it_is_looked_for() {
    let mut world = World::in_sync();
    world.vpcs.clear();
    let first = plan(&network(&world, Some(FILE)).await);
    assert!(!first.contains("+ route-table") && !first.contains("+ security-group/"), "{first}");
    world.subnets.clear();
    let second = plan(&network(&world, Some(FILE)).await);
    assert!(
        second.contains("+ route-table/public") && second.contains("+ security-group/database"),
        "{second}"
    );
    assert!(plan(&network(&world, None).await).contains("- route-table/public"));
}

/// The stage `network` lists all endpoints, and tells `egress` whether there are any of its own.
#[tokio::test]
async fn endpoints_of_egress_are_listed_where_network_has_seen_some() {
    let count = |report: &StageReport| {
        report.names.attribute(&Name::new("vpc-endpoint", "egress"), "count").map(str::to_owned)
    };
    let mut world = World::in_sync();
    assert_eq!(count(&network(&world, Some(FILE)).await).as_deref(), Some("0"));
    world.vpc_endpoints.push(interface_endpoint("logs"));
    assert_eq!(count(&network(&world, Some(FILE)).await).as_deref(), Some("1"));
    assert_eq!(plan(&egress(&world, Some(FILE)).await), "- vpc-endpoint/logs\n");
    assert!(plan(&egress(&world, None).await).contains("- vpc-endpoint/logs\n"));
}

/// A subnet that this run has not made yet keeps the zone that its look has chosen.
#[tokio::test]
async fn the_zones_of_a_run_are_chosen_once() {
    let report = network(&World::empty(), Some(FILE)).await;
    let zones = |report: &StageReport| {
        ["a", "b"].map(|letter| report.names.attribute(&Name::new("zone", letter), "name").map(str::to_owned))
    };
    assert_eq!(zones(&report), ["us-east-1b", "us-east-1c"].map(|zone| Some(zone.to_owned())));
    // No zone is up any more: asking again would be an error.
    let world = World { zones: Vec::new(), ..World::empty() };
    let again = look(&world, Stage::Network, Some(FILE), report.names.clone()).await.expect("the look");
    assert_eq!(zones(&again), zones(&report));
}

#[tokio::test]
async fn the_ways_out_differ_in_what_they_own() {
    let world = World::empty();
    let mut text = String::new();
    for way in ["nat-per-zone", "endpoints", "public"] {
        let file = FILE.replace("\"nat\"", &format!("{way:?}"));
        writeln!(text, "{way}:").expect("writing to a string");
        text += &plan(&egress(&world, Some(&file)).await);
    }
    insta::assert_snapshot!("ways_out", text);
}

#[tokio::test]
async fn endpoints_take_calls_from_the_services_alone_and_exec_needs_one_more() {
    let world = World::empty();
    let file = FILE.replace("\"nat\"", "\"endpoints\"");
    let endpoints = |report: &StageReport| -> Vec<String> {
        report
            .items
            .iter()
            .map(|item| item.name.to_string())
            .filter(|name| name.contains("endpoints"))
            .collect()
    };
    assert_eq!(
        endpoints(&network(&world, Some(&file)).await),
        [
            "security-group/endpoints",
            "security-group-rule/endpoints-in-443-from-service-api",
            "security-group-rule/endpoints-in-443-from-service-worker",
        ]
    );
    let exec = file.replace("command = [\"work\"]", "exec = true\nread_only_root = false");
    let plan = plan(&egress(&world, Some(&exec)).await);
    assert!(plan.contains("+ vpc-endpoint/ssmmessages"), "{plan}");
}

#[tokio::test]
async fn only_what_is_used_has_a_group() {
    let worker = FILE.replace("[services.api]\nport = 8000\n", "").replace("[database]\n", "");
    let report = network(&World::empty(), Some(&worker.replace("domain = \"tryarive.com\"\n", ""))).await;
    let groups: Vec<&str> = report
        .items
        .iter()
        .map(|item| item.name.as_str())
        .filter(|name| name.starts_with("security"))
        .collect();
    assert_eq!(
        groups,
        ["security-group/service-worker", "security-group-rule/service-worker-out-everything-to-internet"]
    );
}

#[tokio::test]
async fn without_a_domain_nothing_listens_on_443() {
    let report = network(&World::empty(), Some(&FILE.replace("domain = \"tryarive.com\"\n", ""))).await;
    let ways_in: Vec<&str> = report
        .items
        .iter()
        .map(|item| item.name.as_str())
        .filter(|name| name.contains("load-balancer-in"))
        .collect();
    assert_eq!(ways_in, ["security-group-rule/load-balancer-in-80-from-internet"]);
}

#[tokio::test]
async fn drift_is_an_update_of_the_field() {
    let mut plans = String::new();
    let mut drifted = World::in_sync();
    drifted.dns_hostnames = false;
    drifted.internet_gateways[0].attachments = None;
    drifted.default_groups[0].ip_permissions = Some(vec![
        IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(22)
            .to_port(22)
            .ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build())
            .build(),
    ]);
    drifted.network_acls[0].entries.as_mut().expect("entries")[0].port_range = None;
    drifted.route_tables[0] = route_table("public", &["public-a"], Route::builder().gateway_id("igw-other"));
    drifted.route_tables[1] =
        route_table("private-a", &["private-a"], Route::builder().gateway_id("igw-main"));
    drifted.subnets[0].map_public_ip_on_launch = Some(true);
    drifted.vpc_endpoints[0].route_table_ids = Some(vec!["rtb-private-a".to_owned()]);
    drifted.rules[0].description = None;
    plans += &plan(&network(&drifted, Some(FILE)).await);
    plans += &plan(&egress(&drifted, Some(FILE)).await);
    insta::assert_snapshot!("drift", plans);
}

#[tokio::test]
async fn a_rule_added_by_hand_goes_and_one_of_a_stranger_s_group_does_not() {
    let mut world = World::in_sync();
    world.rules.push(way_in("service-api", 22, "198.51.100.0/24", ""));
    let icmp = SecurityGroupRule::builder()
        .security_group_rule_id("sgr-icmp")
        .group_id("sg-database")
        .is_egress(true);
    world.rules.push(icmp.ip_protocol("icmp").from_port(8).to_port(-1).prefix_list_id("pl-1").build());
    world.rules.push(way_in("stranger", 22, "0.0.0.0/0", ""));
    insta::assert_snapshot!(plan(&network(&world, Some(FILE)).await), @r"
    - security-group-rule/database-out-icmp-8--1-to-pl-1
    - security-group-rule/service-api-in-22-from-198.51.100.0/24
    ");
}

#[tokio::test]
async fn a_service_that_leaves_takes_its_group_and_rules_along() {
    let less = FILE.replace("[services.worker]\ncommand = [\"work\"]\n", "");
    insta::assert_snapshot!(plan(&network(&World::in_sync(), Some(&less)).await), @r"
    - security-group/service-worker
    - security-group-rule/database-in-5432-from-service-worker
    - security-group-rule/service-worker-out-everything-to-internet
    ");
}

#[tokio::test]
async fn without_a_stack_everything_goes() {
    let world = World::in_sync();
    let plans = plan(&egress(&world, None).await) + &plan(&network(&world, None).await);
    insta::assert_snapshot!("removed", plans);
}

#[tokio::test]
async fn addresses_cannot_change() {
    let file = FILE.replace("egress = \"nat\"", "egress = \"nat\"\ncidr = \"10.1.0.0/16\"");
    let plan = plan(&network(&World::in_sync(), Some(&file)).await);
    insta::assert_snapshot!("addresses", plan);
}

#[tokio::test]
async fn zones_once_chosen_stay() {
    let mut world = World::in_sync();
    world.zones.clear();
    assert_eq!(plan(&network(&world, Some(FILE)).await), "");

    // The private subnets of zone b are to come where the public one is.
    let mut world = World::in_sync();
    world.subnets.retain(|subnet| subnet.subnet_id() != Some("subnet-private-b"));
    let report = network(&world, Some(FILE)).await;
    let created =
        report.items.iter().find(|item| item.action == Action::Create).expect("one subnet is missing");
    assert_eq!(created.to.as_ref().expect("what it will be")["zone"], "us-east-1c");
}

#[tokio::test]
async fn a_region_with_one_zone_is_too_small() {
    let mut world = World::empty();
    world.zones.truncate(2);
    let error = look(&world, Stage::Network, Some(FILE), Names::default()).await.expect_err("one zone is up");
    assert_eq!(
        error.message,
        "The region us-east-1 offers this account fewer than two zones. Choose another region."
    );
}

#[tokio::test]
async fn groups_are_ours_by_tag_and_by_name() {
    let mut world = World::in_sync();
    let mut copy = group("database");
    (copy.group_id, copy.group_name) = (Some("sg-copy".to_owned()), Some("a copy, tags and all".to_owned()));
    world.groups.insert(0, copy);
    let report = network(&world, Some(FILE)).await;
    assert_eq!(plan(&report), "");
    assert_eq!(report.names.id(&Name::new("security-group", "database")), Some("sg-database"));
}

#[tokio::test]
async fn a_nat_gateway_comes_goes_and_fails() {
    let plan = async |state, file: Option<&str>| {
        let world = World { nat_gateways: vec![nat_gateway(state)], ..World::in_sync() };
        plan(&egress(&world, file).await)
    };
    insta::assert_snapshot!(plan(NatGatewayState::Pending, Some(FILE)).await, @". nat-gateway/a  AWS is still at work on it");
    insta::assert_snapshot!(plan(NatGatewayState::Failed, Some(FILE)).await, @"± nat-gateway/a  it failed: Network vpc-main has no Internet gateway attached (Gateway.NotAttached)");
    insta::assert_snapshot!(plan(NatGatewayState::Deleting, None).await, @r"
    - address/a
    . nat-gateway/a  on its way out
    - route/private-a
    - route/private-b
    - flow-log/main
    ");
}

#[tokio::test]
async fn a_route_to_a_nat_gateway_that_is_gone_is_led_to_the_new_one() {
    let mut world = World::in_sync();
    world.nat_gateways = vec![nat_gateway(NatGatewayState::Deleted)];
    for table in &mut world.route_tables[1..] {
        table.routes.as_mut().expect("routes")[2].state = Some(RouteState::Blackhole);
    }
    insta::assert_snapshot!(plan(&egress(&world, Some(FILE)).await), @r#"
    + nat-gateway/a
    ~ route/private-a  nat_gateway: "nat-a" -> "nat-gateway/a"
    ~ route/private-b  nat_gateway: "nat-a" -> "nat-gateway/a"
    "#);
}

#[tokio::test]
async fn a_stranger_s_way_out_is_refused() {
    let mut world = World::in_sync();
    world.route_tables[1] =
        route_table("private-a", &["private-a"], Route::builder().transit_gateway_id("tgw-1"));
    let plan = plan(&egress(&world, Some(FILE)).await);
    assert!(
        plan.starts_with("! route/private-a  route/private-a exists already as rtb-private-a|0.0.0.0/0"),
        "{plan}"
    );
}

#[tokio::test]
async fn an_interface_without_private_names_is_mended() {
    let file = FILE.replace("\"nat\"", "\"endpoints\"");
    let mut world = World::in_sync();
    world.groups.push(group("endpoints"));
    let endpoints = ["ecr.api", "ecr.dkr", "logs", "secretsmanager"];
    world.vpc_endpoints = endpoints.map(interface_endpoint).to_vec();
    for endpoint in &mut world.vpc_endpoints[1..] {
        endpoint.private_dns_enabled = Some(true);
    }
    (world.nat_gateways, world.addresses) = (Vec::new(), Vec::new());
    for (table, what) in world.route_tables[1..].iter_mut().zip(["private-a", "private-b"]) {
        *table = route_table(what, &[what], Route::builder());
        table.routes.as_mut().expect("routes").pop();
    }
    let plan = plan(&egress(&world, Some(&file)).await);
    assert_eq!(plan, "~ vpc-endpoint/ecr.api  private_dns: false -> true\n");
}

#[tokio::test]
async fn an_unlisted_status_is_an_error_and_not_probably_fine() {
    let unknown = async |world: World, stage: Stage| -> Error {
        let mut names = Names::default();
        names.insert(vpc::name(), "vpc-main");
        look(&world, stage, Some(FILE), names).await.expect_err("AWS says something new")
    };
    let mut world = World::in_sync();
    world.subnets[0].state = Some(SubnetState::from("melting"));
    insta::assert_snapshot!(unknown(world, Stage::Network).await, @r#"subnet: AWS reports the status "melting" for a subnet, which Stepstack does not know"#);
    let mut world = World::in_sync();
    world.vpcs[0].state = None;
    insta::assert_snapshot!(unknown(world, Stage::Network).await, @r#"vpc: AWS reports the status "none" for a VPC, which Stepstack does not know"#);
    let mut world = World::in_sync();
    world.vpc_endpoints[0].state = Some("evaporated".into());
    insta::assert_snapshot!(unknown(world, Stage::Network).await, @r#"vpc-endpoint: AWS reports the status "evaporated" for a VPC endpoint, which Stepstack does not know"#);
    let world =
        World { nat_gateways: vec![nat_gateway(NatGatewayState::from("melting"))], ..World::in_sync() };
    insta::assert_snapshot!(unknown(world, Stage::Egress).await, @r#"nat-gateway: AWS reports the status "melting" for a NAT gateway, which Stepstack does not know"#);
    let mut world = World::in_sync();
    world.flow_logs[0].flow_log_status = Some("RESTING".to_owned());
    insta::assert_snapshot!(unknown(world, Stage::Egress).await, @r#"flow-log: AWS reports the status "RESTING" for a flow log, which Stepstack does not know"#);
}

#[test]
fn the_role_s_policy_is_narrow_and_fits() {
    let permissions = Clients::permissions(&longest_scope());
    assert_narrow(&permissions);
    let document = policy(&permissions).to_string();
    // A role's inline policies may have 10,240 characters, and every function also reads and writes its record.
    assert!(document.len() < 8_000, "{} characters", document.len());
    insta::assert_snapshot!("policy", format!("{:#}", policy(&Clients::permissions(&scope()))));
}
