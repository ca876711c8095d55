//! The strict AWS itself: what it refuses, asked with the clients that the functions have. Were it kind, the
//! tests behind it would prove nothing.

use aws_sdk_ec2::types::{Filter, IpPermission, UserIdGroupPair};
use std::collections::BTreeMap;

use aws_sdk_ec2::error::ProvideErrorMetadata as _;

use crate::harness::Emulator;
use crate::strict::Settings;

/// The error code of a refused call.
macro_rules! code {
    ($call:expr) => {{
        let refused = $call.send().await.expect_err("it is refused");
        refused.code().unwrap_or_default().to_owned()
    }};
}

/// What a call answers that is not refused.
macro_rules! done {
    ($call:expr) => {
        $call.send().await.unwrap_or_else(|error| panic!("{}: {error:?}", stringify!($call)))
    };
}

#[tokio::test]
async fn what_is_in_use_is_not_deleted_and_what_is_wrong_is_not_made() {
    let emulator = Emulator::start();
    // Longer than this test takes.
    let seconds =
        BTreeMap::from([("load-balancer", 60.0), ("load-balancer-interfaces", 60.0), ("nat-gateway", 60.0)]);
    emulator.strict().configure(&Settings { seconds, ..Settings::default() });
    let config = emulator.config();
    let ec2 = aws_sdk_ec2::Client::new(&config);
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&config);

    let vpc = done!(ec2.create_vpc().cidr_block("10.0.0.0/16"));
    let vpc = vpc.vpc().and_then(|vpc| vpc.vpc_id()).expect("an id").to_owned();
    let subnet = |cidr: &str| ec2.create_subnet().vpc_id(&vpc).cidr_block(cidr);
    let mut subnets = Vec::new();
    for cidr in ["10.0.1.0/24", "10.0.2.0/24"] {
        let made = done!(subnet(cidr));
        subnets.push(made.subnet().and_then(|subnet| subnet.subnet_id()).expect("an id").to_owned());
    }
    assert_eq!(code!(subnet("10.0.1.128/25")), "InvalidSubnet.Conflict");
    assert_eq!(code!(subnet("10.1.0.0/24")), "InvalidSubnet.Range");

    let gateway = done!(ec2.create_internet_gateway());
    let gateway =
        gateway.internet_gateway().and_then(|one| one.internet_gateway_id()).expect("an id").to_owned();
    done!(ec2.attach_internet_gateway().internet_gateway_id(&gateway).vpc_id(&vpc));
    assert_eq!(code!(ec2.delete_internet_gateway().internet_gateway_id(&gateway)), "DependencyViolation");

    let table = done!(ec2.create_route_table().vpc_id(&vpc));
    let table = table.route_table().and_then(|one| one.route_table_id()).expect("an id").to_owned();
    done!(ec2.associate_route_table().route_table_id(&table).subnet_id(&subnets[0]));
    assert_eq!(code!(ec2.delete_route_table().route_table_id(&table)), "DependencyViolation");

    let group =
        |name: &str| ec2.create_security_group().vpc_id(&vpc).group_name(name).description("of a test");
    let (one, two) = (done!(group("one")), done!(group("two")));
    let (one, two) = (one.group_id().expect("an id"), two.group_id().expect("an id"));
    let rule = IpPermission::builder().ip_protocol("tcp").from_port(80).to_port(80);
    let rule = rule.user_id_group_pairs(UserIdGroupPair::builder().group_id(one).build()).build();
    let authorize = || ec2.authorize_security_group_ingress().group_id(two).ip_permissions(rule.clone());
    done!(authorize());
    assert_eq!(code!(authorize()), "InvalidPermission.Duplicate");
    assert_eq!(
        code!(ec2.delete_security_group().group_id(one)),
        "DependencyViolation",
        "another's rule names it"
    );

    // A load balancer: its interfaces hold subnets, group and gateway, for a while longer than it lives.
    let balancer =
        elb.create_load_balancer().name("a-test").security_groups(two).set_subnets(Some(subnets.clone()));
    let balancer = done!(balancer);
    let arn = balancer.load_balancers()[0].load_balancer_arn().expect("an ARN").to_owned();
    let state = balancer.load_balancers()[0]
        .state()
        .and_then(|state| state.code())
        .map(|code| code.as_str().to_owned());
    assert_eq!(state.as_deref(), Some("provisioning"));
    let detach = || ec2.detach_internet_gateway().internet_gateway_id(&gateway).vpc_id(&vpc);
    assert_eq!(code!(detach()), "DependencyViolation", "it has public addresses");
    done!(elb.delete_load_balancer().load_balancer_arn(&arn));
    assert_eq!(
        code!(ec2.delete_subnet().subnet_id(&subnets[1])),
        "DependencyViolation",
        "its interfaces linger"
    );
    assert_eq!(
        code!(ec2.delete_security_group().group_id(two)),
        "DependencyViolation",
        "its interfaces linger"
    );

    // A request that its model, or AWS's page, refuses; the record names the place and not the value.
    assert_eq!(code!(elb.create_load_balancer().name("internal-this")), "ValidationError");
    assert_eq!(code!(ec2.describe_vpcs().max_results(1)), "InvalidParameterValue");
    let described = ec2.create_security_group().vpc_id(&vpc).group_name("three").description("more → less");
    assert_eq!(code!(described), "InvalidParameterValue");
    let violations = emulator.strict().record().violations;
    assert_eq!(violations.len(), 3, "{violations:#?}");
    assert!(violations[2].contains("'Description'") && !violations[2].contains("less"), "{violations:#?}");

    // The same token makes the same; a listing knows it by its tags like any other.
    let nat = || {
        ec2.create_nat_gateway()
            .subnet_id(&subnets[0])
            .client_token("one")
            .connectivity_type("private".into())
    };
    let (first, again) = (done!(nat()), done!(nat()));
    let id = |made: &aws_sdk_ec2::operation::create_nat_gateway::CreateNatGatewayOutput| {
        made.nat_gateway().and_then(|nat| nat.nat_gateway_id()).expect("an id").to_owned()
    };
    assert_eq!(id(&first), id(&again));
    let mine = Filter::builder().name("vpc-id").values(&vpc).build();
    let gateways = done!(ec2.describe_nat_gateways().filter(mine));
    assert_eq!(gateways.nat_gateways().len(), 1);
    assert_eq!(gateways.nat_gateways()[0].state().map(|state| state.as_str()), Some("pending"));
}
