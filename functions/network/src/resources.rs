//! What the two stages own, in the order in which it is made.

use std::collections::BTreeSet;

use aws_sdk_ec2::Client;
use statemachine::config::{Egress, Stack};
use statemachine::tick::Stage;

use crate::address::Address;
use crate::default_security_group::DefaultSecurityGroup;
use crate::flow_log::{self, FlowLog};
use crate::internet_gateway::{self, InternetGateway};
use crate::nat_gateway::{self, NatGateway};
use crate::network_acl::NetworkAcl;
use crate::route::Route;
use crate::route_table::{self, RouteTable};
use crate::security_group::{self, SecurityGroup, of_service};
use crate::security_group_rule::{Direction, Peer, SecurityGroupRule};
use crate::subnet::{self, Subnet};
use crate::vpc::{self, Vpc};
use crate::vpc_endpoint::{self, VpcEndpoint};

/// Everywhere.
const INTERNET: &str = "0.0.0.0/0";

/// The stage `network`: all of it free, and there within seconds.
pub fn network(ec2: &Client, stack: Option<&Stack>, zones: &[String; 2]) -> Stage {
    let private_tables = ["private-a", "private-b"].map(route_table::name);
    let stage = Stage::new();
    let Some(stack) = stack else {
        return stage
            .owns::<Vpc>(ec2, vec![])
            .owns::<InternetGateway>(ec2, vec![])
            .owns::<Subnet>(ec2, vec![])
            .owns::<RouteTable>(ec2, vec![])
            .owns::<VpcEndpoint>(ec2, vec![])
            .owns::<SecurityGroup>(ec2, vec![])
            .owns::<SecurityGroupRule>(ec2, vec![]);
    };
    stage
        .owns(ec2, vec![Vpc { cidr: stack.network.cidr.to_string(), dns_hostnames: true }])
        .owns(ec2, vec![InternetGateway { attached_to: Some(vpc::name()) }])
        .owns(ec2, subnets(stack, zones))
        .owns(ec2, route_tables())
        .owns(ec2, vec![vpc_endpoint::s3(private_tables.into())])
        .owns(ec2, security_groups(stack))
        .owns(ec2, security_group_rules(stack))
        .owns(ec2, vec![DefaultSecurityGroup { rules: 0 }])
        .owns(ec2, vec![NetworkAcl { denies_ssh: true }])
}

/// The stage `egress`: what is slow, and only tasks need.
pub fn egress(ec2: &Client, stack: Option<&Stack>) -> Stage {
    let mode = stack.map(|stack| stack.network.egress);
    let zones: &[&str] = match mode {
        Some(Egress::Nat) => &["a"],
        Some(Egress::NatPerZone) => &["a", "b"],
        Some(Egress::Endpoints | Egress::Public) | None => &[],
    };
    let routes = match zones {
        [] => vec![],
        [only] => vec![route("private-a", only), route("private-b", only)],
        [first, second, ..] => vec![route("private-a", first), route("private-b", second)],
    };
    let endpoints = stack.filter(|stack| stack.network.egress == Egress::Endpoints).map(endpoints).unwrap_or_default();
    Stage::new()
        .owns(ec2, zones.iter().map(|zone| Address { what: (*zone).to_owned() }).collect())
        .owns(ec2, zones.iter().map(|zone| nat_gateway::of_zone(zone)).collect::<Vec<NatGateway>>())
        .owns(ec2, routes)
        .owns(ec2, endpoints)
        .owns(ec2, stack.iter().map(|_| flow_log::of_rejects()).collect::<Vec<FlowLog>>())
}

fn subnets(stack: &Stack, zones: &[String; 2]) -> Vec<Subnet> {
    let tiers = [("public", stack.network.public_subnets), ("private", stack.network.private_subnets)];
    let of_tier = |(tier, cidrs): (&'static str, [_; 2])| {
        cidrs.into_iter().zip(zones).zip(["a", "b"]).map(move |((cidr, zone), letter)| Subnet {
            what: format!("{tier}-{letter}"),
            cidr: ToString::to_string(&cidr),
            zone: zone.clone(),
            vpc: vpc::name(),
        })
    };
    tiers.into_iter().flat_map(of_tier).collect()
}

fn route_tables() -> Vec<RouteTable> {
    let private = |letter: &str| RouteTable {
        what: format!("private-{letter}"),
        internet_gateway: None,
        subnets: BTreeSet::from([subnet::name(&format!("private-{letter}"))]),
    };
    let public = RouteTable {
        what: "public".to_owned(),
        internet_gateway: Some(internet_gateway::name()),
        subnets: ["public-a", "public-b"].map(subnet::name).into(),
    };
    vec![public, private("a"), private("b")]
}

fn route(table: &str, zone: &str) -> Route {
    Route { what: table.to_owned(), nat_gateway: nat_gateway::name(zone) }
}

fn endpoints(stack: &Stack) -> Vec<VpcEndpoint> {
    let mut services = vec!["ecr.api", "ecr.dkr", "logs", "secretsmanager"];
    if stack.services.values().any(|service| service.exec) {
        services.push("ssmmessages");
    }
    let endpoint = |service: &str| VpcEndpoint {
        service: service.to_owned(),
        route_tables: BTreeSet::new(),
        subnets: ["private-a", "private-b"].map(subnet::name).into(),
        security_groups: [security_group::name("endpoints")].into(),
        policy: None,
    };
    services.into_iter().map(endpoint).collect()
}

fn security_groups(stack: &Stack) -> Vec<SecurityGroup> {
    let group = |what: &str, description: String| SecurityGroup { what: what.to_owned(), description };
    let mut groups = Vec::new();
    if stack.has_public_service() {
        groups.push(group("load-balancer", "Load balancer: HTTP and HTTPS from the internet".to_owned()));
    }
    for service in stack.services.keys() {
        groups.push(group(&format!("service-{service}"), format!("Tasks of the service {service}")));
    }
    if stack.database.is_some() {
        groups.push(group("database", "Database: PostgreSQL from the services alone".to_owned()));
    }
    if stack.network.egress == Egress::Endpoints {
        groups.push(group("endpoints", "Interface endpoints: HTTPS from the services alone".to_owned()));
    }
    groups
}

fn security_group_rules(stack: &Stack) -> Vec<SecurityGroupRule> {
    use Direction::{In, Out};
    let rule = SecurityGroupRule::new;
    let internet = || Peer::Cidr(INTERNET.to_owned());
    let balancer = security_group::name("load-balancer");
    let mut rules = Vec::new();
    if stack.has_public_service() {
        if stack.domain.is_some() {
            rules.push(rule(&balancer, In, Some(443), internet(), "HTTPS from the internet"));
        }
        let why = if stack.domain.is_some() { "HTTP from the internet, only to redirect" } else { "HTTP from the internet" };
        rules.push(rule(&balancer, In, Some(80), internet(), why));
    }
    for (name, service) in &stack.services {
        let group = of_service(name);
        if let Some(port) = service.port {
            rules.push(rule(&balancer, Out, Some(port), Peer::Group(group.clone()), &format!("To the tasks of {name}")));
            rules.push(rule(&group, In, Some(port), Peer::Group(balancer.clone()), "From the load balancer"));
        }
        rules.push(rule(&group, Out, None, internet(), "To everywhere"));
        if stack.database.is_some() {
            let database = security_group::name("database");
            rules.push(rule(&database, In, Some(5432), Peer::Group(group.clone()), &format!("PostgreSQL from {name}")));
        }
        if stack.network.egress == Egress::Endpoints {
            let endpoints = security_group::name("endpoints");
            rules.push(rule(&endpoints, In, Some(443), Peer::Group(group), &format!("HTTPS from {name}")));
        }
    }
    rules
}
