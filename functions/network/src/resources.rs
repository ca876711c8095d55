//! What the two stages own, in the order in which it is made.

use aws_sdk_ec2::Client;
use statemachine::config::{Egress, Stack};
use statemachine::message::By;
use statemachine::resource::{Context, Name, Names};
use statemachine::tick::Resources;

use crate::Clients;
use crate::address::Address;
use crate::default_security_group::{self, DefaultSecurityGroup};
use crate::flow_log::FlowLog;
use crate::internet_gateway::{self, InternetGateway};
use crate::nat_gateway::{self, NatGateway};
use crate::network_acl::NetworkAcl;
use crate::route::{PRIVATE, Route};
use crate::route_table::{self, RouteTable};
use crate::security_group::{self, SecurityGroup, of_service};
use crate::security_group_rule::{Peer, SecurityGroupRule, Traffic};
use crate::seen::{self, Seen};
use crate::subnet::{self, Subnet};
use crate::vpc::{self, Vpc};
use crate::vpc_endpoint::VpcEndpoint;

/// PostgreSQL's.
const DATABASE_PORT: u16 = 5432;
/// What a Fargate task calls of AWS before its program runs, and its logs.
const ENDPOINTS: [&str; 4] = ["ecr.api", "ecr.dkr", "logs", "secretsmanager"];
/// What ECS Exec goes through.
const EXEC_ENDPOINT: &str = "ssmmessages";

/// The stage `network`, in the two `zones`: free of charge, and there within seconds.
///
/// Route tables stand before subnets because a subnet that goes takes its association along.
pub fn network(
    ctx: &Context,
    ec2: &Client,
    stack: &Stack,
    zones: &[String; 2],
    seen: Seen,
) -> Resources<Clients> {
    let private = PRIVATE.map(route_table::name).to_vec();
    let told = ["a", "b"].map(subnet::zone).into_iter().zip(zones.iter().cloned());
    let told = told.chain([seen.count_of_interfaces(ctx)]);
    let nowhere = seen.nowhere();
    let Seen { vpcs, subnets, endpoints, groups } = seen;
    let default_groups = groups.as_deref().map(default_security_group::among);
    let vpc = Vpc { cidr: stack.network.cidr.to_string(), dns_hostnames: true };
    told.fold(Resources::new(), |resources, (name, value)| resources.output(name, value))
        .owns_seen(ec2, vec![vpc], Some(vpcs))
        .owns(ec2, vec![InternetGateway { vpc: Some(vpc::name()) }])
        .owns_seen(ec2, vec![DefaultSecurityGroup { rules: Vec::new() }], default_groups)
        .owns(ec2, vec![NetworkAcl::without_ssh()])
        .owns_seen(ec2, route_tables(), nowhere.then(Vec::new))
        .owns_seen(ec2, subnets_of(stack, zones), Some(subnets))
        .owns_seen(ec2, vec![VpcEndpoint::s3(ctx, private)], Some(endpoints))
        .owns_seen(ec2, security_groups(stack), groups.or_else(|| nowhere.then(Vec::new)))
        .owns(ec2, security_group_rules(stack))
}

/// The stage `network` in the removal of everything. The default group and ACL are AWS's, made with the VPC and gone
/// with it: there is nothing to do about them.
pub fn no_network(ec2: &Client) -> Resources<Clients> {
    Resources::new()
        .owns::<Vpc>(ec2, vec![])
        .owns::<InternetGateway>(ec2, vec![])
        .owns::<RouteTable>(ec2, vec![])
        .owns::<Subnet>(ec2, vec![])
        .owns::<VpcEndpoint>(ec2, vec![])
        .owns::<SecurityGroup>(ec2, vec![])
        .owns::<SecurityGroupRule>(ec2, vec![])
}

/// The stage `egress`: what is slow, and only tasks need. Without a stack: the removal of everything. While it is
/// paused no task runs, so gateways and endpoints go; the addresses stay, because others let them in by name.
///
/// `names` are what the stage `network` has found.
pub fn egress(
    ctx: &Context,
    ec2: &Client,
    names: &Names,
    wanted: Option<&Stack>,
    paused: Option<&By>,
) -> Resources<Clients> {
    let mode = wanted.map(|stack| stack.network.egress);
    // By private route table, the zone of the NAT gateway that it leads to.
    let ways: [Option<&str>; 2] = match mode {
        Some(Egress::Nat) => [Some("a"), Some("a")],
        Some(Egress::NatPerZone) => [Some("a"), Some("b")],
        Some(Egress::Endpoints | Egress::Public) | None => [None, None],
    };
    let mut zones: Vec<&str> = ways.into_iter().flatten().collect();
    zones.dedup();
    let route = |(what, zone): (&str, Option<&str>)| {
        zone.map(|zone| Route { what: what.to_owned(), nat_gateway: nat_gateway::name(zone) })
    };
    let ways = if paused.is_some() { [None, None] } else { ways };
    let gateways: &[&str] = if paused.is_some() { &[] } else { &zones };
    let endpoints = match (wanted, mode) {
        (Some(stack), Some(Egress::Endpoints)) if paused.is_none() => endpoints(ctx, stack),
        (_, Some(Egress::Nat | Egress::NatPerZone | Egress::Endpoints | Egress::Public) | None) => Vec::new(),
    };
    // The stage `network` of this run has looked: in no VPC there is nothing, and only this stage makes such endpoints.
    let nowhere = wanted.is_some() && seen::told_nowhere(names);
    let no_endpoints = wanted.is_some() && endpoints.is_empty() && seen::told_no_interfaces(names);
    let addresses = zones.iter().map(|zone| Address { what: (*zone).to_owned() }).collect();
    let gateways = gateways.iter().map(|zone| NatGateway::in_zone(zone)).collect();
    Resources::new()
        .owns(ec2, addresses)
        .owns_seen(ec2, gateways, nowhere.then(Vec::new))
        .owns_seen(ec2, endpoints, (nowhere || no_endpoints).then(Vec::new))
        .owns(ec2, PRIVATE.into_iter().zip(ways).filter_map(route).collect())
        .owns(ec2, wanted.map(|_| FlowLog::rejects()).into_iter().collect())
}

fn subnets_of(stack: &Stack, zones: &[String; 2]) -> Vec<Subnet> {
    let subnet = |what: &str, cidr: String, zone: &String| Subnet {
        what: what.to_owned(),
        cidr,
        zone: zone.clone(),
        gives_public_addresses: false,
        vpc: vpc::name(),
    };
    let [public_a, public_b] = stack.network.public_subnets.map(|cidr| cidr.to_string());
    let [private_a, private_b] = stack.network.private_subnets.map(|cidr| cidr.to_string());
    let [zone_a, zone_b] = zones;
    vec![
        subnet("public-a", public_a, zone_a),
        subnet("public-b", public_b, zone_b),
        subnet("private-a", private_a, zone_a),
        subnet("private-b", private_b, zone_b),
    ]
}

fn route_tables() -> Vec<RouteTable> {
    let table = |what: &str, internet: Option<Name>, subnets: &[&str]| RouteTable {
        what: what.to_owned(),
        vpc: vpc::name(),
        internet,
        subnets: subnets.iter().map(|what| subnet::name(what)).collect(),
    };
    vec![
        table("public", Some(internet_gateway::name()), &["public-a", "public-b"]),
        table("private-a", None, &["private-a"]),
        table("private-b", None, &["private-b"]),
    ]
}

fn security_groups(stack: &Stack) -> Vec<SecurityGroup> {
    let load_balancer = stack.has_public_service().then(|| security_group::name("load-balancer"));
    let services = stack.services.keys().map(|service| of_service(service));
    let endpoints = (stack.network.egress == Egress::Endpoints).then(|| security_group::name("endpoints"));
    let database = stack.database.is_some().then(|| security_group::name("database"));
    let names = load_balancer.into_iter().chain(services).chain(endpoints).chain(database);
    names.map(|name| SecurityGroup { what: name.what().to_owned(), vpc: vpc::name() }).collect()
}

/// Chained: the internet to the load balancer, it to the public services, every service to the database, each
/// from the group before it alone.
fn security_group_rules(stack: &Stack) -> Vec<SecurityGroupRule> {
    use SecurityGroupRule as Rule;
    let load_balancer = security_group::name("load-balancer");
    let from = |name: &Name| Peer::Group(name.clone());
    let mut rules = Vec::new();
    if stack.has_public_service() {
        if stack.domain.is_some() {
            rules.push(Rule::way_in(
                &load_balancer,
                Traffic::tcp(443),
                Peer::internet(),
                "HTTPS from the internet",
            ));
            let why = "HTTP from the internet, only to be redirected to HTTPS";
            rules.push(Rule::way_in(&load_balancer, Traffic::tcp(80), Peer::internet(), why));
        } else {
            rules.push(Rule::way_in(
                &load_balancer,
                Traffic::tcp(80),
                Peer::internet(),
                "HTTP from the internet",
            ));
        }
    }
    for (service, settings) in &stack.services {
        let group = of_service(service);
        if let Some(port) = settings.port {
            let to = format!("Requests to the service {service}");
            rules.push(Rule::way_out(&load_balancer, Traffic::tcp(port), from(&group), to));
            let why = "Requests from the load balancer";
            rules.push(Rule::way_in(&group, Traffic::tcp(port), from(&load_balancer), why));
        }
        rules.push(Rule::way_out(&group, Traffic::everything(), Peer::internet(), "Out to everywhere"));
    }
    for service in stack.services.keys() {
        let group = of_service(service);
        if stack.network.egress == Egress::Endpoints {
            let why = format!("Calls to AWS from the service {service}");
            rules.push(Rule::way_in(
                &security_group::name("endpoints"),
                Traffic::tcp(443),
                from(&group),
                why,
            ));
        }
        if stack.database.is_some() {
            let why = format!("Queries from the service {service}");
            rules.push(Rule::way_in(
                &security_group::name("database"),
                Traffic::tcp(DATABASE_PORT),
                from(&group),
                why,
            ));
        }
    }
    rules
}

fn endpoints(ctx: &Context, stack: &Stack) -> Vec<VpcEndpoint> {
    let exec = stack.services.values().any(|service| service.exec).then_some(EXEC_ENDPOINT);
    let subnets = || PRIVATE.into_iter().map(subnet::name).collect();
    let groups = || vec![security_group::name("endpoints")];
    ENDPOINTS
        .into_iter()
        .chain(exec)
        .map(|what| VpcEndpoint::interface(ctx, what, subnets(), groups()))
        .collect()
}
