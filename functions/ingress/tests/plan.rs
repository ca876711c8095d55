//! Plans of the stage: in sync, over an empty account, with one thing changed, and with everything removed.

use std::collections::BTreeMap;

use aws::Function as _;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::operation::describe_listeners::DescribeListenersOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_load_balancer_attributes::DescribeLoadBalancerAttributesOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_load_balancers::{
    DescribeLoadBalancersError, DescribeLoadBalancersOutput,
};
use aws_sdk_elasticloadbalancingv2::operation::describe_tags::{
    DescribeTagsError, DescribeTagsInput, DescribeTagsOutput,
};
use aws_sdk_elasticloadbalancingv2::types::error::LoadBalancerNotFoundException;
use aws_sdk_elasticloadbalancingv2::types::{
    Action as RawAction, ActionTypeEnum, AvailabilityZone, FixedResponseActionConfig, Listener, LoadBalancer,
    LoadBalancerAttribute, LoadBalancerState, LoadBalancerStateEnum, RedirectActionConfig, Tag,
    TagDescription,
};
use aws_smithy_mocks::mock;
use ingress::Clients;
use statemachine::message::{Operation, StageReport};
use statemachine::owner::Owner as _;
use statemachine::permission::policy;
use statemachine::resource::{Name, Names};
use statemachine::{Error, ErrorKind, Result, Stage};
use testing::{any_order, assert_narrow, client, context, document, said, scope, stack, whole};

const BALANCER: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/arive-production/1";
const HTTP: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/arive-production/1/http";
const HTTPS: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/arive-production/1/https";

const FILE: &str = r#"
app = "arive"
environment = "production"
domain = "tryarive.com"
[network]
egress = "nat"
[services.api]
port = 8000
"#;

/// What Elastic Load Balancing has. Tests change one thing in it.
#[derive(Clone, Debug, Default)]
struct World {
    balancer: Option<LoadBalancer>,
    attributes: BTreeMap<&'static str, &'static str>,
    listeners: Vec<Listener>,
    /// Tags by ARN: the stage and the name that they tell.
    owned: BTreeMap<&'static str, (Stage, &'static str)>,
    /// Whether the load balancer goes between its listing and the look at its tags.
    loses_it: bool,
}

impl World {
    fn in_sync() -> Self {
        let zone = |subnet: &str| AvailabilityZone::builder().subnet_id(subnet).build();
        let redirect =
            RedirectActionConfig::builder().protocol("HTTPS").port("443").status_code("HTTP_301".into());
        let redirect =
            RawAction::builder().r#type(ActionTypeEnum::Redirect).redirect_config(redirect.build()).build();
        let listener = |arn: &str, port| Listener::builder().listener_arn(arn).port(port);
        Self {
            balancer: Some(
                balancer(LoadBalancerStateEnum::Active).availability_zones(zone("subnet-public-b")).build(),
            ),
            attributes: BTreeMap::from([
                ("access_logs.s3.bucket", "arive-production-logs-123456789012"),
                ("access_logs.s3.enabled", "true"),
                ("access_logs.s3.prefix", "alb"),
                ("deletion_protection.enabled", "true"),
                ("idle_timeout.timeout_seconds", "60"),
                ("routing.http.desync_mitigation_mode", "defensive"),
                ("routing.http.drop_invalid_header_fields.enabled", "true"),
                ("routing.http2.enabled", "true"),
                ("waf.fail_open.enabled", "false"),
            ]),
            listeners: vec![
                listener(HTTP, 80).default_actions(redirect).build(),
                listener(HTTPS, 443).default_actions(not_found()).build(),
            ],
            owned: BTreeMap::from([(BALANCER, (Stage::Ingress, "load-balancer/main"))]),
            loses_it: false,
        }
    }

    fn clients(&self) -> Clients {
        let found = self.balancer.clone();
        let balancers = match found {
            Some(balancer) => mock!(Client::describe_load_balancers).then_output(move || {
                DescribeLoadBalancersOutput::builder().load_balancers(balancer.clone()).build()
            }),
            None => mock!(Client::describe_load_balancers).then_error(|| {
                let gone =
                    LoadBalancerNotFoundException::builder().meta(said("LoadBalancerNotFound")).build();
                DescribeLoadBalancersError::LoadBalancerNotFoundException(gone)
            }),
        };
        let attributes = self.attributes.clone();
        let attributes = mock!(Client::describe_load_balancer_attributes).then_output(move || {
            let one = |(key, value): (&&str, &&str)| {
                LoadBalancerAttribute::builder().key(*key).value(*value).build()
            };
            DescribeLoadBalancerAttributesOutput::builder()
                .set_attributes(Some(attributes.iter().map(one).collect()))
                .build()
        });
        let listeners = self.listeners.clone();
        let listeners = mock!(Client::describe_listeners).then_output(move || {
            DescribeListenersOutput::builder().set_listeners(Some(listeners.clone())).build()
        });
        let owned = self.owned.clone();
        let tags = mock!(Client::describe_tags).then_compute_output(move |input: &DescribeTagsInput| {
            let described = input.resource_arns().iter().map(|arn| {
                let tags = owned.get(arn.as_str()).map(|(stage, name)| tags(*stage, name));
                TagDescription::builder().resource_arn(arn).set_tags(tags).build()
            });
            DescribeTagsOutput::builder().set_tag_descriptions(Some(described.collect())).build()
        });
        let lost = mock!(Client::describe_tags).then_error(|| {
            let gone = LoadBalancerNotFoundException::builder().meta(said("LoadBalancerNotFound")).build();
            DescribeTagsError::LoadBalancerNotFoundException(gone)
        });
        let mut rules = vec![balancers, attributes, listeners];
        rules.push(if self.loses_it { lost } else { tags });
        Clients { elb: client!(aws_sdk_elasticloadbalancingv2, any_order(&rules)) }
    }
}

fn tags(stage: Stage, name: &str) -> Vec<Tag> {
    let tag = |key, value| Tag::builder().key(key).value(value).build();
    testing::tags(stage, &Name::from_tag(name), tag)
}

fn not_found() -> RawAction {
    let fixed = FixedResponseActionConfig::builder().status_code("404").build();
    RawAction::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(fixed).build()
}

/// The load balancer, in one of its two subnets.
fn balancer(
    state: LoadBalancerStateEnum,
) -> aws_sdk_elasticloadbalancingv2::types::builders::LoadBalancerBuilder {
    LoadBalancer::builder()
        .load_balancer_arn(BALANCER)
        .load_balancer_name("arive-production")
        .dns_name("arive-production-1.us-east-1.elb.amazonaws.com")
        .canonical_hosted_zone_id("Z35SXDOTRQ7X7K")
        .availability_zones(AvailabilityZone::builder().subnet_id("subnet-public-a").build())
        .security_groups("sg-load-balancer")
        .state(LoadBalancerState::builder().code(state).reason("no free addresses").build())
}

/// What the stages before hand over.
fn names() -> Names {
    let mut names = Names::default();
    names.insert(Name::new("bucket", "logs"), "arive-production-logs-123456789012");
    for subnet in ["public-a", "public-b", "private-a", "private-b"] {
        names.insert(Name::new("subnet", subnet), format!("subnet-{subnet}"));
    }
    names.insert(Name::new("security-group", "load-balancer"), "sg-load-balancer");
    names
}

async fn look_with(world: &World, file: Option<&str>, names: Names) -> Result<StageReport> {
    let ctx = context(statemachine::Stage::Ingress);
    let document = document(Operation::Plan, file.map(stack));
    let resources = world.clients().resources(&ctx, &document, &names).await?;
    // Whatever a run asks for, all that the function lists is looked at: what it may do is what it uses.
    assert_eq!(resources.kinds(), Clients::kinds());
    testing::look(resources, &ctx, names).await
}

async fn look(world: &World, file: Option<&str>) -> StageReport {
    look_with(world, file, names()).await.expect("the look")
}

#[tokio::test]
async fn in_sync_nothing_changes() {
    let report = look(&World::in_sync(), Some(FILE)).await;
    assert_eq!(whole(&report), "");
    let main = Name::new("load-balancer", "main");
    assert_eq!(report.names.id(&main), Some(BALANCER));
    assert_eq!(report.names.attribute(&main, "full_name"), Some("app/arive-production/1"));
    assert_eq!(report.names.attribute(&main, "zone_id"), Some("Z35SXDOTRQ7X7K"));
    // The services' listener stands on the same load balancer, and is none of this stage's.
    assert_eq!(report.names.id(&Name::new("listener", "https")), None);
}

#[tokio::test]
async fn an_empty_account_gets_everything() {
    let plan = whole(&look(&World::default(), Some(FILE)).await);
    insta::assert_snapshot!("empty", plan);
    let before_any_other_stage =
        look_with(&World::default(), Some(FILE), Names::default()).await.expect("the look");
    assert_eq!(whole(&before_any_other_stage), plan);
}

#[tokio::test]
async fn without_a_domain_port_80_is_the_way_in() {
    let file = FILE.replace("domain = \"tryarive.com\"\n", "");
    insta::assert_snapshot!("without_domain", whole(&look(&World::in_sync(), Some(&file)).await));
}

#[tokio::test]
async fn drift_is_an_update_of_the_field() {
    let mut world = World::in_sync();
    world.attributes.insert("deletion_protection.enabled", "false");
    world.attributes.remove("routing.http.drop_invalid_header_fields.enabled");
    world.listeners[0].default_actions =
        Some(vec![RawAction::builder().r#type(ActionTypeEnum::Forward).build()]);
    let balancer = world.balancer.as_mut().expect("one load balancer");
    balancer.availability_zones.as_mut().expect("its zones").pop();
    balancer.security_groups = Some(vec!["sg-stranger".to_owned()]);
    insta::assert_snapshot!("drift", whole(&look(&world, Some(FILE)).await));
}

#[tokio::test]
async fn a_listener_that_was_deleted_is_made_again() {
    let mut world = World::in_sync();
    world.listeners.remove(0);
    let plan = whole(&look(&world, Some(FILE)).await);
    assert!(plan.starts_with("+ listener/http"), "{plan}");
    assert_eq!(plan.lines().count(), 1, "{plan}");
}

#[tokio::test]
async fn without_a_public_service_or_a_stack_all_of_it_goes() {
    let worker = FILE.replace("[services.api]\nport = 8000", "[services.worker]\ncommand = [\"work\"]");
    let gone = "- load-balancer/main\n- listener/http\n";
    assert_eq!(whole(&look(&World::in_sync(), Some(&worker)).await), gone);
    assert_eq!(whole(&look(&World::in_sync(), None).await), gone);
    assert_eq!(whole(&look(&World::default(), None).await), "");
}

#[tokio::test]
async fn a_stranger_s_is_refused_and_never_removed() {
    let mut world = World::in_sync();
    world.owned.clear();
    insta::assert_snapshot!("theirs", whole(&look(&world, Some(FILE)).await));
    assert_eq!(whole(&look(&world, None).await), "");
}

#[tokio::test]
async fn a_load_balancer_comes_and_fails() {
    let plan = async |state| {
        let zone = AvailabilityZone::builder().subnet_id("subnet-public-b").build();
        let balancer = Some(balancer(state).availability_zones(zone).build());
        whole(&look(&World { balancer, ..World::in_sync() }, Some(FILE)).await)
    };
    insta::assert_snapshot!("provisioning", plan(LoadBalancerStateEnum::Provisioning).await);
    insta::assert_snapshot!("failed", plan(LoadBalancerStateEnum::Failed).await);
    assert_eq!(plan(LoadBalancerStateEnum::ActiveImpaired).await, "");
}

#[tokio::test]
async fn an_unlisted_status_is_an_error_and_not_probably_fine() {
    let balancer = Some(balancer("melting".into()).build());
    let world = World { balancer, ..World::in_sync() };
    let error = look_with(&world, Some(FILE), names()).await.expect_err("AWS says something new");
    insta::assert_snapshot!("unlisted_status", error);
}

/// Taking it for a stranger's because its tags are gone would refuse the run.
#[tokio::test]
async fn what_goes_while_it_is_looked_at_makes_the_look_repeat() {
    let world = World { loses_it: true, ..World::in_sync() };
    let error: Error = look_with(&world, Some(FILE), names()).await.expect_err("the load balancer is gone");
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
}

#[test]
fn the_role_s_policy_is_narrow() {
    let permissions = Clients::permissions(&scope());
    assert_narrow(&permissions);
    // Without these, CreateLoadBalancer is denied on AWS, though not by the emulator.
    let document = policy(&permissions).to_string();
    assert!(document.contains("ec2:DescribeSubnets"), "{document}");
    assert!(document.len() < 8_000, "{}", document.len());
}
