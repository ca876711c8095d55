//! Plans of the stage: in sync, over an empty account, with one thing changed, and with everything removed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws::Function as _;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::config::{Builder, Credentials, SharedCredentialsProvider};
use aws_sdk_elasticloadbalancingv2::error::ErrorMetadata;
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
use aws_smithy_mocks::{MockResponseInterceptor, RuleMode, create_mock_http_client, mock};
use futures_util::future::BoxFuture;
use ingress::Clients;
use serde_json::json;
use statemachine::config;
use statemachine::message::{Document, Mode, Next, Operation, StageReport, Stages, Trigger, Verdict};
use statemachine::permission::{Scope, policy};
use statemachine::plan::Action;
use statemachine::resource::{Context, Name, Names, Options};
use statemachine::tick::{Hold, Input, Link, tick};
use statemachine::{Error, ErrorKind, Result, Stage};

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
                    LoadBalancerNotFoundException::builder().meta(code("LoadBalancerNotFound")).build();
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
            let gone = LoadBalancerNotFoundException::builder().meta(code("LoadBalancerNotFound")).build();
            DescribeTagsError::LoadBalancerNotFoundException(gone)
        });
        let answers = MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny);
        let answers = if self.loses_it { answers.with_rule(&lost) } else { answers };
        let all = [&balancers, &attributes, &listeners, &tags];
        let answers = all.into_iter().fold(answers, MockResponseInterceptor::with_rule);
        let credentials =
            SharedCredentialsProvider::new(Credentials::new("nobody", "nothing", None, None, "test"));
        let config = aws::config("us-east-1", Some("http://127.0.0.1:1"), credentials);
        let config = Builder::from(&config).http_client(create_mock_http_client()).interceptor(answers);
        Clients { elb: Client::from_conf(config.build()) }
    }
}

fn code(code: &str) -> ErrorMetadata {
    ErrorMetadata::builder().code(code).build()
}

fn tags(stage: Stage, name: &str) -> Vec<Tag> {
    let tags = Context::example(stage).tags(&Name::from_tag(name)).into_iter();
    tags.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
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

/// A plan neither asks nor notes anything.
struct Unused;

impl Link for Unused {
    fn hold(&self) -> BoxFuture<'_, Result<Hold>> {
        unreachable!("a plan writes nothing")
    }
    fn notes(&self) -> BoxFuture<'_, Result<BTreeMap<Name, u64>>> {
        unreachable!("a plan writes nothing")
    }
    fn note(&self, _: BTreeMap<Name, u64>) -> BoxFuture<'_, Result<()>> {
        unreachable!("a plan writes nothing")
    }
}

/// What control hands to a stage. From JSON, as the state machine does: a new field with a default is none of
/// these tests' business.
fn document(file: Option<&str>) -> Document {
    let stack =
        file.map(|file| config::parse(file.as_bytes(), "stepstack.toml").expect("the file is a good one"));
    let document = json!({
        "run": {
            "id": "20261123-101500-abcd",
            "execution": "",
            "app": "arive",
            "environment": "production",
            "operation": Operation::Plan,
            "trigger": Trigger::Cli,
            "started_at": "2026-11-23T10:15:00Z",
            "options": Options::default(),
            "lock": 0,
        },
        "stack": stack,
        "known_hosts": [],
        "known_buckets": [],
        "intent": {},
        "stages": Stages::default(),
        "verdict": Verdict { next: Next::Look, retry_after_s: 0, message: String::new() },
        "looks": 0,
    });
    serde_json::from_value(document).expect("a document")
}

async fn look_with(world: &World, file: Option<&str>, names: Names) -> Result<StageReport> {
    let ctx = Context::example(statemachine::Stage::Ingress);
    let resources = world.clients().resources(&ctx, &document(file), &names).await?;
    tick(resources, &ctx, Mode::Plan, Input { names, ..Input::default() }, &Unused).await
}

async fn look(world: &World, file: Option<&str>) -> StageReport {
    look_with(world, file, names()).await.expect("the look")
}

/// What would change, a line each; creates with what they will be.
fn changes(report: &StageReport) -> String {
    let mut text = String::new();
    for item in &report.items {
        let sign = match item.action {
            Action::Keep | Action::Kept => continue,
            Action::Wait => '.',
            Action::Create => '+',
            Action::Update => '~',
            Action::Remake => '±',
            Action::Delete => '-',
            Action::Refuse => '!',
        };
        write!(text, "{sign} {}", item.name).expect("writing to a string");
        for change in &item.changes {
            write!(text, "  {}: {} -> {}", change.field, change.from, change.to)
                .expect("writing to a string");
        }
        if let Some(reason) = &item.reason {
            write!(text, "  {reason}").expect("writing to a string");
        }
        if let Some(to) = &item.to {
            write!(text, "  {to}").expect("writing to a string");
        }
        text.push('\n');
    }
    text
}

#[tokio::test]
async fn in_sync_nothing_changes() {
    let report = look(&World::in_sync(), Some(FILE)).await;
    assert_eq!(changes(&report), "");
    let main = Name::new("load-balancer", "main");
    assert_eq!(report.names.id(&main), Some(BALANCER));
    assert_eq!(report.names.attribute(&main, "full_name"), Some("app/arive-production/1"));
    assert_eq!(report.names.attribute(&main, "zone_id"), Some("Z35SXDOTRQ7X7K"));
    // The services' listener stands on the same load balancer, and is none of this stage's.
    assert_eq!(report.names.id(&Name::new("listener", "https")), None);
}

#[tokio::test]
async fn an_empty_account_gets_everything() {
    let plan = changes(&look(&World::default(), Some(FILE)).await);
    insta::assert_snapshot!("empty", plan);
    let before_any_other_stage =
        look_with(&World::default(), Some(FILE), Names::default()).await.expect("the look");
    assert_eq!(changes(&before_any_other_stage), plan);
}

#[tokio::test]
async fn without_a_domain_port_80_is_the_way_in() {
    let file = FILE.replace("domain = \"tryarive.com\"\n", "");
    insta::assert_snapshot!("without_domain", changes(&look(&World::in_sync(), Some(&file)).await));
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
    insta::assert_snapshot!("drift", changes(&look(&world, Some(FILE)).await));
}

#[tokio::test]
async fn a_listener_that_was_deleted_is_made_again() {
    let mut world = World::in_sync();
    world.listeners.remove(0);
    let plan = changes(&look(&world, Some(FILE)).await);
    assert!(plan.starts_with("+ listener/http"), "{plan}");
    assert_eq!(plan.lines().count(), 1, "{plan}");
}

#[tokio::test]
async fn without_a_public_service_or_a_stack_all_of_it_goes() {
    let worker = FILE.replace("[services.api]\nport = 8000", "[services.worker]\ncommand = [\"work\"]");
    let gone = "- load-balancer/main\n- listener/http\n";
    assert_eq!(changes(&look(&World::in_sync(), Some(&worker)).await), gone);
    assert_eq!(changes(&look(&World::in_sync(), None).await), gone);
    assert_eq!(changes(&look(&World::default(), None).await), "");
}

#[tokio::test]
async fn a_stranger_s_is_refused_and_never_removed() {
    let mut world = World::in_sync();
    world.owned.clear();
    insta::assert_snapshot!("theirs", changes(&look(&world, Some(FILE)).await));
    assert_eq!(changes(&look(&world, None).await), "");
}

#[tokio::test]
async fn a_load_balancer_comes_and_fails() {
    let plan = async |state| {
        let zone = AvailabilityZone::builder().subnet_id("subnet-public-b").build();
        let balancer = Some(balancer(state).availability_zones(zone).build());
        changes(&look(&World { balancer, ..World::in_sync() }, Some(FILE)).await)
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
    let scope =
        Scope { app: "arive".to_owned(), account: "123456789012".to_owned(), region: "us-east-1".to_owned() };
    let permissions = Clients::permissions(&scope);
    for permission in &permissions {
        assert!(permission.actions.iter().all(|action| !action.contains('*')), "{permission:?}");
        let everywhere = permission.resources.iter().any(|resource| resource == "*");
        assert_eq!(everywhere, permission.reason.is_some(), "{permission:?}");
    }
    // Without these, CreateLoadBalancer is denied on AWS, though not by the emulator.
    let document = policy(&permissions).to_string();
    assert!(document.contains("ec2:DescribeSubnets"), "{document}");
    assert!(document.len() < 8_000, "{}", document.len());
}
