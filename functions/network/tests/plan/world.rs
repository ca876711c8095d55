//! A region in which the reference stack's network stands as described, as EC2 would tell it. Tests change one
//! thing in it.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::describe_addresses::DescribeAddressesOutput;
use aws_sdk_ec2::operation::describe_availability_zones::DescribeAvailabilityZonesOutput;
use aws_sdk_ec2::operation::describe_flow_logs::DescribeFlowLogsOutput;
use aws_sdk_ec2::operation::describe_internet_gateways::DescribeInternetGatewaysOutput;
use aws_sdk_ec2::operation::describe_nat_gateways::DescribeNatGatewaysOutput;
use aws_sdk_ec2::operation::describe_network_acls::DescribeNetworkAclsOutput;
use aws_sdk_ec2::operation::describe_route_tables::DescribeRouteTablesOutput;
use aws_sdk_ec2::operation::describe_security_group_rules::DescribeSecurityGroupRulesOutput;
use aws_sdk_ec2::operation::describe_security_groups::{
    DescribeSecurityGroupsInput, DescribeSecurityGroupsOutput,
};
use aws_sdk_ec2::operation::describe_subnets::DescribeSubnetsOutput;
use aws_sdk_ec2::operation::describe_vpc_attribute::DescribeVpcAttributeOutput;
use aws_sdk_ec2::operation::describe_vpc_endpoints::DescribeVpcEndpointsOutput;
use aws_sdk_ec2::operation::describe_vpcs::DescribeVpcsOutput;
use aws_sdk_ec2::types::builders::SecurityGroupRuleBuilder;
use aws_sdk_ec2::types::{
    Address, AttachmentStatus, AttributeBooleanValue, AvailabilityZone, AvailabilityZoneState, FlowLog,
    InternetGateway, InternetGatewayAttachment, NatGateway, NatGatewayAddress, NatGatewayState, NetworkAcl,
    NetworkAclEntry, PortRange, ReferencedSecurityGroup, Route, RouteState, RouteTable,
    RouteTableAssociation, RuleAction, SecurityGroup, SecurityGroupIdentifier, SecurityGroupRule, State,
    Subnet, SubnetState, Tag, TrafficType, Vpc, VpcEndpoint, VpcEndpointType, VpcState,
};
use aws_smithy_mocks::mock;
use network::vpc_endpoint;
use serde_json::Value;
use statemachine::Stage;
use statemachine::resource::Name;
use testing::{any_order, client, context};

/// What EC2 has.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) zones: Vec<AvailabilityZone>,
    pub(crate) vpcs: Vec<Vpc>,
    pub(crate) dns_hostnames: bool,
    pub(crate) internet_gateways: Vec<InternetGateway>,
    pub(crate) default_groups: Vec<SecurityGroup>,
    pub(crate) network_acls: Vec<NetworkAcl>,
    pub(crate) route_tables: Vec<RouteTable>,
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) vpc_endpoints: Vec<VpcEndpoint>,
    pub(crate) groups: Vec<SecurityGroup>,
    pub(crate) rules: Vec<SecurityGroupRule>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) nat_gateways: Vec<NatGateway>,
    pub(crate) flow_logs: Vec<FlowLog>,
}

impl World {
    /// A region with three zones and nothing of ours.
    pub(crate) fn empty() -> Self {
        let zone = |name: &str, state| AvailabilityZone::builder().zone_name(name).state(state).build();
        let zones = vec![
            zone("us-east-1c", AvailabilityZoneState::Available),
            zone("us-east-1a", AvailabilityZoneState::Unavailable),
            zone("us-east-1b", AvailabilityZoneState::Available),
        ];
        Self { zones, ..Self::default() }
    }

    /// Both stages of the reference stack with one NAT gateway, as described.
    pub(crate) fn in_sync() -> Self {
        let stage = Stage::Network;
        Self {
            vpcs: vec![
                Vpc::builder()
                    .vpc_id("vpc-main")
                    .cidr_block("10.0.0.0/16")
                    .state(VpcState::Available)
                    .set_tags(tags(stage, "vpc/main"))
                    .build(),
            ],
            dns_hostnames: true,
            internet_gateways: vec![
                InternetGateway::builder()
                    .internet_gateway_id("igw-main")
                    .attachments(
                        InternetGatewayAttachment::builder()
                            .vpc_id("vpc-main")
                            .state(AttachmentStatus::from("available"))
                            .build(),
                    )
                    .set_tags(tags(stage, "internet-gateway/main"))
                    .build(),
            ],
            default_groups: vec![
                SecurityGroup::builder()
                    .group_id("sg-default")
                    .group_name("default")
                    .vpc_id("vpc-main")
                    .build(),
            ],
            network_acls: vec![network_acl()],
            route_tables: vec![
                route_table("public", &["public-a", "public-b"], Route::builder().gateway_id("igw-main")),
                route_table("private-a", &["private-a"], Route::builder().nat_gateway_id("nat-a")),
                route_table("private-b", &["private-b"], Route::builder().nat_gateway_id("nat-a")),
            ],
            subnets: vec![
                subnet("public-a", "10.0.1.0/24", "us-east-1b"),
                subnet("public-b", "10.0.2.0/24", "us-east-1c"),
                subnet("private-a", "10.0.11.0/24", "us-east-1b"),
                subnet("private-b", "10.0.12.0/24", "us-east-1c"),
            ],
            vpc_endpoints: vec![s3_endpoint()],
            groups: ["load-balancer", "service-api", "service-worker", "database"].map(group).to_vec(),
            rules: vec![
                way_in("load-balancer", 443, "0.0.0.0/0", "HTTPS from the internet"),
                way_in(
                    "load-balancer",
                    80,
                    "0.0.0.0/0",
                    "HTTP from the internet, only to be redirected to HTTPS",
                ),
                way_out("load-balancer", 8000, "sg-service-api", "Requests to the service api"),
                way_in("service-api", 8000, "sg-load-balancer", "Requests from the load balancer"),
                way_out("service-api", -1, "0.0.0.0/0", "Out to everywhere"),
                way_out("service-worker", -1, "0.0.0.0/0", "Out to everywhere"),
                way_in("database", 5432, "sg-service-api", "Queries from the service api"),
                way_in("database", 5432, "sg-service-worker", "Queries from the service worker"),
            ],
            addresses: vec![
                Address::builder()
                    .allocation_id("eipalloc-a")
                    .public_ip("203.0.113.7")
                    .set_tags(tags(Stage::Egress, "address/a"))
                    .build(),
            ],
            nat_gateways: vec![nat_gateway(NatGatewayState::Available)],
            flow_logs: vec![
                FlowLog::builder()
                    .flow_log_id("fl-main")
                    .resource_id("vpc-main")
                    .traffic_type(TrafficType::Reject)
                    .log_group_name("/vpc/arive-production/flow")
                    .deliver_logs_permission_arn(
                        "arn:aws:iam::123456789012:role/stepstack/arive/production/arive-production-flow-log",
                    )
                    .max_aggregation_interval(600)
                    .flow_log_status("ACTIVE")
                    .set_tags(tags(Stage::Egress, "flow-log/main"))
                    .build(),
            ],
            ..Self::empty()
        }
    }

    /// A client that answers from this world, and nothing but Describe calls.
    pub(crate) fn client(&self) -> Client {
        macro_rules! answer {
            ($operation:ident, $output:ident, $setter:ident, $things:ident) => {{
                let things = self.$things.clone();
                mock!(Client::$operation)
                    .then_output(move || $output::builder().$setter(Some(things.clone())).build())
            }};
        }
        let dns_hostnames = self.dns_hostnames;
        let attribute = mock!(Client::describe_vpc_attribute).then_output(move || {
            let value = AttributeBooleanValue::builder().value(dns_hostnames).build();
            DescribeVpcAttributeOutput::builder().enable_dns_hostnames(value).build()
        });
        let has = |request: &DescribeSecurityGroupsInput, name: &str| {
            request.filters().iter().any(|filter| filter.name() == Some(name))
        };
        let (default_groups, groups) = (self.default_groups.clone(), self.groups.clone());
        // AWS's default groups carry no tags: by tags only ours are found.
        let groups = mock!(Client::describe_security_groups).then_compute_output(move |request| {
            let default = has(request, "vpc-id").then(|| default_groups.clone());
            let ours = (!has(request, "group-name")).then(|| groups.clone());
            let found = default.into_iter().chain(ours).flatten().collect();
            DescribeSecurityGroupsOutput::builder().set_security_groups(Some(found)).build()
        });
        let zones = answer!(
            describe_availability_zones,
            DescribeAvailabilityZonesOutput,
            set_availability_zones,
            zones
        );
        let vpcs = answer!(describe_vpcs, DescribeVpcsOutput, set_vpcs, vpcs);
        let gateways = answer!(
            describe_internet_gateways,
            DescribeInternetGatewaysOutput,
            set_internet_gateways,
            internet_gateways
        );
        let acls = answer!(describe_network_acls, DescribeNetworkAclsOutput, set_network_acls, network_acls);
        let tables =
            answer!(describe_route_tables, DescribeRouteTablesOutput, set_route_tables, route_tables);
        let subnets = answer!(describe_subnets, DescribeSubnetsOutput, set_subnets, subnets);
        let endpoints =
            answer!(describe_vpc_endpoints, DescribeVpcEndpointsOutput, set_vpc_endpoints, vpc_endpoints);
        let rules = answer!(
            describe_security_group_rules,
            DescribeSecurityGroupRulesOutput,
            set_security_group_rules,
            rules
        );
        let addresses = answer!(describe_addresses, DescribeAddressesOutput, set_addresses, addresses);
        let nats = answer!(describe_nat_gateways, DescribeNatGatewaysOutput, set_nat_gateways, nat_gateways);
        let logs = answer!(describe_flow_logs, DescribeFlowLogsOutput, set_flow_logs, flow_logs);
        let all = [
            attribute, groups, zones, vpcs, gateways, acls, tables, subnets, endpoints, rules, addresses,
            nats, logs,
        ];
        client!(aws_sdk_ec2, any_order(&all))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the builders take an option")]
pub(crate) fn tags(stage: Stage, name: &str) -> Option<Vec<Tag>> {
    let tag = |key, value| Tag::builder().key(key).value(value).build();
    Some(testing::tags(stage, &Name::from_tag(name), tag))
}

fn network_acl() -> NetworkAcl {
    let entry = |number, egress, action| {
        NetworkAclEntry::builder()
            .rule_number(number)
            .egress(egress)
            .rule_action(action)
            .cidr_block("0.0.0.0/0")
    };
    let ssh = entry(90, false, RuleAction::Deny)
        .protocol("6")
        .port_range(PortRange::builder().from(22).to(22).build());
    NetworkAcl::builder()
        .network_acl_id("acl-default")
        .vpc_id("vpc-main")
        .is_default(true)
        .entries(ssh.build())
        .entries(entry(100, false, RuleAction::Allow).protocol("-1").build())
        .entries(entry(32_767, false, RuleAction::Deny).protocol("-1").build())
        .entries(entry(100, true, RuleAction::Allow).protocol("-1").build())
        .entries(entry(32_767, true, RuleAction::Deny).protocol("-1").build())
        .build()
}

pub(crate) fn route_table(
    what: &str,
    subnets: &[&str],
    default: aws_sdk_ec2::types::builders::RouteBuilder,
) -> RouteTable {
    let association =
        |subnet: &&str| RouteTableAssociation::builder().subnet_id(format!("subnet-{subnet}")).build();
    let local =
        Route::builder().destination_cidr_block("10.0.0.0/16").gateway_id("local").state(RouteState::Active);
    let to_s3 =
        Route::builder().destination_prefix_list_id("pl-s3").gateway_id("vpce-s3").state(RouteState::Active);
    RouteTable::builder()
        .route_table_id(format!("rtb-{what}"))
        .vpc_id("vpc-main")
        .set_associations(Some(subnets.iter().map(association).collect()))
        .routes(local.build())
        .routes(to_s3.build())
        .routes(default.destination_cidr_block("0.0.0.0/0").state(RouteState::Active).build())
        .set_tags(tags(Stage::Network, &format!("route-table/{what}")))
        .build()
}

fn subnet(what: &str, cidr: &str, zone: &str) -> Subnet {
    Subnet::builder()
        .subnet_id(format!("subnet-{what}"))
        .vpc_id("vpc-main")
        .cidr_block(cidr)
        .availability_zone(zone)
        .map_public_ip_on_launch(false)
        .state(SubnetState::Available)
        .set_tags(tags(Stage::Network, &format!("subnet/{what}")))
        .build()
}

fn s3_endpoint() -> VpcEndpoint {
    let policy: Value =
        vpc_endpoint::VpcEndpoint::s3(&context(statemachine::Stage::Network), Vec::new()).policy;
    VpcEndpoint::builder()
        .vpc_endpoint_id("vpce-s3")
        .service_name("com.amazonaws.us-east-1.s3")
        .vpc_endpoint_type(VpcEndpointType::Gateway)
        .vpc_id("vpc-main")
        .route_table_ids("rtb-private-b")
        .route_table_ids("rtb-private-a")
        .private_dns_enabled(false)
        .policy_document(format!("{policy:#}"))
        .state(State::from("available"))
        .set_tags(tags(Stage::Network, "vpc-endpoint/s3"))
        .build()
}

/// An interface endpoint of the stage `egress`, without its private DNS names.
pub(crate) fn interface_endpoint(what: &str) -> VpcEndpoint {
    let policy: Value = vpc_endpoint::VpcEndpoint::interface(
        &context(statemachine::Stage::Egress),
        what,
        Vec::new(),
        Vec::new(),
    )
    .policy;
    VpcEndpoint::builder()
        .vpc_endpoint_id(format!("vpce-{what}"))
        .service_name(format!("com.amazonaws.us-east-1.{what}"))
        .vpc_endpoint_type(VpcEndpointType::Interface)
        .vpc_id("vpc-main")
        .subnet_ids("subnet-private-b")
        .subnet_ids("subnet-private-a")
        .groups(SecurityGroupIdentifier::builder().group_id("sg-endpoints").build())
        .private_dns_enabled(false)
        .policy_document(policy.to_string())
        .state(State::Available)
        .set_tags(tags(Stage::Egress, &format!("vpc-endpoint/{what}")))
        .build()
}

pub(crate) fn group(what: &str) -> SecurityGroup {
    SecurityGroup::builder()
        .group_id(format!("sg-{what}"))
        .group_name(format!("arive-production-{what}"))
        .vpc_id("vpc-main")
        .set_tags(tags(Stage::Network, &format!("security-group/{what}")))
        .build()
}

/// A rule that lets `peer` in by TCP, or by everything where `port` is -1; `peer` is a CIDR or the id of a group.
pub(crate) fn way_in(group: &str, port: i32, peer: &str, description: &str) -> SecurityGroupRule {
    let rule = SecurityGroupRule::builder().is_egress(false);
    rule_with(
        rule.security_group_rule_id(format!("sgr-{group}-false-{port}-{peer}")),
        group,
        port,
        peer,
        description,
    )
}

/// The same for the way out to it.
pub(crate) fn way_out(group: &str, port: i32, peer: &str, description: &str) -> SecurityGroupRule {
    let rule = SecurityGroupRule::builder().is_egress(true);
    rule_with(
        rule.security_group_rule_id(format!("sgr-{group}-true-{port}-{peer}")),
        group,
        port,
        peer,
        description,
    )
}

fn rule_with(
    rule: SecurityGroupRuleBuilder,
    group: &str,
    port: i32,
    peer: &str,
    description: &str,
) -> SecurityGroupRule {
    let rule = rule
        .group_id(format!("sg-{group}"))
        .ip_protocol(if port == -1 { "-1" } else { "tcp" })
        .from_port(port)
        .to_port(port)
        .description(description);
    if peer.starts_with("sg-") {
        rule.referenced_group_info(ReferencedSecurityGroup::builder().group_id(peer).build()).build()
    } else {
        rule.cidr_ipv4(peer).build()
    }
}

pub(crate) fn nat_gateway(state: NatGatewayState) -> NatGateway {
    let address = NatGatewayAddress::builder().allocation_id("eipalloc-a").is_primary(true);
    NatGateway::builder()
        .nat_gateway_id("nat-a")
        .subnet_id("subnet-public-a")
        .nat_gateway_addresses(address.build())
        .state(state)
        .failure_code("Gateway.NotAttached")
        .failure_message("Network vpc-main has no Internet gateway attached")
        .set_tags(tags(Stage::Egress, "nat-gateway/a"))
        .build()
}
