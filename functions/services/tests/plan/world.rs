//! An account in which the reference stack's services stand as described, as AWS would tell it. Tests change one
//! thing in it.

use std::collections::BTreeMap;

use aws_sdk_applicationautoscaling::operation::describe_scalable_targets::DescribeScalableTargetsOutput;
use aws_sdk_applicationautoscaling::operation::describe_scaling_policies::DescribeScalingPoliciesOutput;
use aws_sdk_applicationautoscaling::types::{
    PolicyType, ScalableDimension, ScalableTarget, ScalingPolicy, ServiceNamespace,
    TargetTrackingScalingPolicyConfiguration,
};
use aws_sdk_ecr::operation::batch_get_image::{BatchGetImageInput, BatchGetImageOutput};
use aws_sdk_ecr::operation::describe_images::DescribeImagesOutput;
use aws_sdk_ecr::types::{Image, ImageDetail};
use aws_sdk_ecs::operation::describe_services::{DescribeServicesInput, DescribeServicesOutput};
use aws_sdk_ecs::operation::describe_task_definition::{
    DescribeTaskDefinitionInput, DescribeTaskDefinitionOutput,
};
use aws_sdk_ecs::operation::list_services::ListServicesOutput;
use aws_sdk_ecs::operation::list_task_definitions::ListTaskDefinitionsOutput;
use aws_sdk_ecs::operation::list_tasks::ListTasksOutput;
use aws_sdk_ecs::types::builders::{ContainerDefinitionBuilder, ServiceBuilder};
use aws_sdk_ecs::types::{
    AssignPublicIp, AvailabilityZoneRebalancing, AwsVpcConfiguration, ContainerDefinition, CpuArchitecture,
    Deployment, DeploymentCircuitBreaker, DeploymentConfiguration, DeploymentRolloutState, KeyValuePair,
    LoadBalancer, LogConfiguration, LogDriver, NetworkConfiguration, PortMapping, RuntimePlatform, Secret,
    Service, TaskDefinition,
};
use aws_sdk_elasticloadbalancingv2::operation::describe_listeners::DescribeListenersOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_rules::{DescribeRulesInput, DescribeRulesOutput};
use aws_sdk_elasticloadbalancingv2::operation::describe_tags::{DescribeTagsInput, DescribeTagsOutput};
use aws_sdk_elasticloadbalancingv2::operation::describe_target_group_attributes::DescribeTargetGroupAttributesOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_target_groups::DescribeTargetGroupsOutput;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, FixedResponseActionConfig, HostHeaderConditionConfig, Listener,
    Matcher, Rule, RuleCondition, TagDescription, TargetGroup, TargetGroupAttribute,
};
use aws_sdk_eventbridge::operation::list_rules::ListRulesOutput;
use aws_sdk_eventbridge::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_eventbridge::operation::list_targets_by_rule::ListTargetsByRuleOutput;
use aws_sdk_eventbridge::types::{RuleState, Target};
use aws_sdk_route53::operation::list_resource_record_sets::ListResourceRecordSetsOutput;
use aws_sdk_route53::types::{AliasTarget, ResourceRecordSet, RrType};
use aws_smithy_mocks::mock;
use services::task_definition::TaskDefinition as Described;
use services::{Clients, listener_rule, target_group};
use statemachine::Stage;
use statemachine::resource::{Name, Names, Resource as _, short_hash};
use testing::{any_order, client, context, tags};

pub(crate) const OLD: &str = "sha256:1111";
pub(crate) const NEW: &str = "sha256:2222";
const REPOSITORY: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com/arive/production";
const ELB: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012";
const ECS: &str = "arn:aws:ecs:us-east-1:123456789012";
const CLUSTER: &str = "arive-production";
const DNS_NAME: &str = "arive-production-1.us-east-1.elb.amazonaws.com";

/// What AWS has.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) target_groups: Vec<TargetGroup>,
    pub(crate) deregistration_s: String,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) rules: Vec<Rule>,
    /// Names that tags give to parts of the load balancer, by ARN.
    pub(crate) owned: BTreeMap<String, Name>,
    pub(crate) records: Vec<ResourceRecordSet>,
    /// With the names that their tags give them.
    pub(crate) definitions: Vec<(Name, TaskDefinition)>,
    pub(crate) services: Vec<Service>,
    pub(crate) scalable_targets: Vec<ScalableTarget>,
    /// The pattern of the rule.
    pub(crate) pattern: Option<String>,
    /// Digests with their tags, the newest last.
    pub(crate) images: Vec<(&'static str, &'static str)>,
}

impl World {
    /// Both services of the reference stack run the old image.
    pub(crate) fn in_sync() -> Self {
        let group = target_group::name("api", 8000);
        let rule = listener_rule::name("api", &Name::new("listener", "https"));
        let definitions = ["api", "worker"].map(|service| definition(service, OLD));
        let services =
            ["api", "worker"].map(|what| service(what, &arn_of(&definitions, what)).build()).to_vec();
        Self {
            target_groups: vec![target_group("arive-production-api", "api")],
            deregistration_s: "15".to_owned(),
            listeners: vec![https(&certificate_arn())],
            rules: vec![host_rule(&["api.tryarive.com"], &target_group_arn("api"))],
            owned: BTreeMap::from([
                (target_group_arn("api"), group),
                (listener_arn("https"), Name::new("listener", "https")),
                (rule_arn(), rule),
            ]),
            records: vec![alias("api.tryarive.com", &format!("dualstack.{DNS_NAME}"))],
            definitions: definitions.to_vec(),
            services,
            scalable_targets: Vec::new(),
            pattern: Some(PATTERN.to_owned()),
            images: vec![(NEW, "v1"), (OLD, "latest"), ("sha256:3333", "sha256-1111.sig")],
        }
    }

    pub(crate) fn clients(&self) -> Clients {
        Clients {
            ecs: client!(aws_sdk_ecs, any_order(&self.ecs())),
            elb: client!(aws_sdk_elasticloadbalancingv2, any_order(&self.elb())),
            route53: client!(aws_sdk_route53, any_order(&self.route53())),
            ecr: client!(aws_sdk_ecr, any_order(&self.ecr())),
            events: client!(aws_sdk_eventbridge, any_order(&self.events())),
            autoscaling: client!(aws_sdk_applicationautoscaling, any_order(&self.autoscaling())),
        }
    }

    fn elb(&self) -> Vec<aws_smithy_mocks::Rule> {
        use aws_sdk_elasticloadbalancingv2::Client;
        let world = self.clone();
        let groups = mock!(Client::describe_target_groups).then_output(move || {
            DescribeTargetGroupsOutput::builder().set_target_groups(Some(world.target_groups.clone())).build()
        });
        let delay = TargetGroupAttribute::builder()
            .key("deregistration_delay.timeout_seconds")
            .value(&self.deregistration_s)
            .build();
        let attributes = mock!(Client::describe_target_group_attributes).then_output(move || {
            DescribeTargetGroupAttributesOutput::builder().attributes(delay.clone()).build()
        });
        let world = self.clone();
        let listeners = mock!(Client::describe_listeners).then_output(move || {
            DescribeListenersOutput::builder().set_listeners(Some(world.listeners.clone())).build()
        });
        let world = self.clone();
        let rules = mock!(Client::describe_rules).then_compute_output(move |input: &DescribeRulesInput| {
            let is_https = input.listener_arn() == Some(&listener_arn("https"));
            let rules = if is_https { world.rules.clone() } else { Vec::new() };
            let default = Rule::builder().rule_arn("default").is_default(true).build();
            DescribeRulesOutput::builder().set_rules(Some(rules)).rules(default).build()
        });
        let owned = self.owned.clone();
        let tags = mock!(Client::describe_tags).then_compute_output(move |input: &DescribeTagsInput| {
            let described = input.resource_arns().iter().map(|arn| {
                let tag = |key, value| {
                    aws_sdk_elasticloadbalancingv2::types::Tag::builder().key(key).value(value).build()
                };
                let tags = owned.get(arn).map(|name| tags(Stage::Services, name, tag));
                TagDescription::builder().resource_arn(arn).set_tags(tags).build()
            });
            DescribeTagsOutput::builder().set_tag_descriptions(Some(described.collect())).build()
        });
        vec![groups, attributes, listeners, rules, tags]
    }

    fn ecs(&self) -> Vec<aws_smithy_mocks::Rule> {
        use aws_sdk_ecs::Client;
        let arns: Vec<String> =
            self.services.iter().filter_map(|service| service.service_arn().map(str::to_owned)).collect();
        let list = mock!(Client::list_services)
            .then_output(move || ListServicesOutput::builder().set_service_arns(Some(arns.clone())).build());
        let world = self.clone();
        let services =
            mock!(Client::describe_services).then_compute_output(move |input: &DescribeServicesInput| {
                let asked = |service: &&Service| {
                    let names = [service.service_arn(), service.service_name()];
                    input.services().iter().any(|asked| names.contains(&Some(asked.as_str())))
                };
                let found = world.services.iter().filter(asked).cloned().collect();
                DescribeServicesOutput::builder().set_services(Some(found)).build()
            });
        let arns: Vec<String> = self
            .definitions
            .iter()
            .filter_map(|(_, definition)| definition.task_definition_arn().map(str::to_owned))
            .chain([format!("{ECS}:task-definition/stranger:7")])
            .collect();
        let tasks = mock!(Client::list_tasks).then_output(|| ListTasksOutput::builder().build());
        let definitions = mock!(Client::list_task_definitions).then_output(move || {
            ListTaskDefinitionsOutput::builder().set_task_definition_arns(Some(arns.clone())).build()
        });
        let world = self.clone();
        let definition = mock!(Client::describe_task_definition).then_compute_output(
            move |input: &DescribeTaskDefinitionInput| {
                let found = world
                    .definitions
                    .iter()
                    .find(|(_, definition)| definition.task_definition_arn() == input.task_definition());
                // One that is not listed is deregistered: it can be described, and tells nothing that matters here.
                DescribeTaskDefinitionOutput::builder()
                    .set_task_definition(found.map(|(_, definition)| definition.clone()))
                    .set_tags(found.map(|(name, _)| ecs_tags(name)))
                    .build()
            },
        );
        vec![list, services, tasks, definitions, definition]
    }

    fn route53(&self) -> Vec<aws_smithy_mocks::Rule> {
        use aws_sdk_route53::Client;
        let records = self.records.clone();
        vec![mock!(Client::list_resource_record_sets).then_output(move || {
            ListResourceRecordSetsOutput::builder()
                .set_resource_record_sets(Some(records.clone()))
                .is_truncated(false)
                .max_items(300)
                .build()
                .expect("a page")
        })]
    }

    fn ecr(&self) -> Vec<aws_smithy_mocks::Rule> {
        use aws_sdk_ecr::Client;
        let images = self.images.clone();
        let described = mock!(Client::describe_images).then_output(move || {
            let detail = |(at, (digest, tag)): (usize, &(&str, &str))| {
                let at = aws_sdk_ecr::primitives::DateTime::from_secs(i64::try_from(at).expect("few images"));
                ImageDetail::builder().image_digest(*digest).image_tags(*tag).image_pushed_at(at).build()
            };
            let details = images.iter().enumerate().map(detail).collect();
            DescribeImagesOutput::builder().set_image_details(Some(details)).build()
        });
        let images = self.images.clone();
        let manifest = mock!(Client::batch_get_image).then_compute_output(move |input: &BatchGetImageInput| {
            let asked = input.image_ids().first().and_then(|id| id.image_digest());
            let held = images.iter().any(|(digest, _)| Some(*digest) == asked);
            let index = r#"{"manifests":[{"platform":{"architecture":"amd64"}},{"platform":{"architecture":"unknown"}},{"platform":{"architecture":"arm64"}}]}"#;
            let image = Image::builder().image_manifest(index).build();
            BatchGetImageOutput::builder().set_images(held.then(|| vec![image])).build()
        });
        vec![described, manifest]
    }

    fn events(&self) -> Vec<aws_smithy_mocks::Rule> {
        use aws_sdk_eventbridge::Client;
        let rule = self.pattern.clone().map(|pattern| {
            aws_sdk_eventbridge::types::Rule::builder()
                .name("stepstack-arive-production-image-push")
                .arn("arn:aws:events:us-east-1:123456789012:rule/stepstack-arive-production-image-push")
                .event_pattern(&pattern)
                .state(RuleState::Enabled)
                .build()
        });
        let describe = mock!(Client::list_rules).then_output(move || {
            ListRulesOutput::builder().set_rules(Some(rule.clone().into_iter().collect())).build()
        });
        let targets = mock!(Client::list_targets_by_rule).then_output(|| {
            let scope = context(statemachine::Stage::Services).scope();
            let target = Target::builder()
                .id("state-machine")
                .arn(scope.state_machine())
                .role_arn(scope.engine_role_arn("events"))
                .build();
            ListTargetsByRuleOutput::builder().targets(target.expect("a target")).build()
        });
        let tags = mock!(Client::list_tags_for_resource).then_output(|| {
            let tag = |key, value| {
                aws_sdk_eventbridge::types::Tag::builder().key(key).value(value).build().expect("a tag")
            };
            let tags = tags(Stage::Services, &Name::new("event-rule", "image-push"), tag);
            ListTagsForResourceOutput::builder().set_tags(Some(tags)).build()
        });
        vec![describe, targets, tags]
    }

    fn autoscaling(&self) -> Vec<aws_smithy_mocks::Rule> {
        use aws_sdk_applicationautoscaling::Client;
        let world = self.clone();
        let targets = mock!(Client::describe_scalable_targets).then_output(move || {
            DescribeScalableTargetsOutput::builder()
                .set_scalable_targets(Some(world.scalable_targets.clone()))
                .build()
        });
        let policies = mock!(Client::describe_scaling_policies).then_output(|| {
            let tracking = TargetTrackingScalingPolicyConfiguration::builder().target_value(60.0).build();
            let policy = ScalingPolicy::builder()
                .policy_name("cpu")
                .policy_arn("policy")
                .policy_type(PolicyType::TargetTrackingScaling)
                .service_namespace(ServiceNamespace::Ecs)
                .resource_id("service/arive-production/api")
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .creation_time(aws_sdk_applicationautoscaling::primitives::DateTime::from_secs(0))
                .target_tracking_scaling_policy_configuration(tracking.expect("a target value"))
                .build();
            DescribeScalingPoliciesOutput::builder().scaling_policies(policy.expect("a policy")).build()
        });
        vec![targets, policies]
    }
}

/// What the stages before hand over.
pub(crate) fn names() -> Names {
    let mut names = Names::default();
    for subnet in ["public-a", "public-b", "private-a", "private-b"] {
        names.insert(Name::new("subnet", subnet), format!("subnet-{subnet}"));
    }
    for service in ["api", "worker"] {
        names.insert(Name::new("security-group", format!("service-{service}")), format!("sg-{service}"));
        names.insert(Name::new("log-group", service), format!("/ecs/arive-production-{service}"));
    }
    for role in ["execution", "task"] {
        let attributes = [("arn", role_arn(role))];
        names.insert_with(&Name::new("role", role), &format!("arive-production-{role}"), &attributes);
    }
    for secret in ["database-password", "database-url"] {
        let attributes = [("version", "v1".to_owned())];
        names.insert_with(&Name::new("secret", secret), &secret_arn(secret), &attributes);
    }
    let cluster = [("endpoint", "db.example".to_owned()), ("port", "5432".to_owned())];
    names.insert_with(&Name::new("db-cluster", "main"), "arive-production-1", &cluster);
    names.insert(Name::new("vpc", "main"), "vpc-main");
    names.insert(Name::new("cluster", "main"), CLUSTER);
    let repository = [("uri", REPOSITORY.to_owned())];
    names.insert_with(&Name::new("repository", "main"), "arive/production", &repository);
    let balancer = [("dns_name", DNS_NAME.to_owned()), ("zone_id", "Z1".to_owned()), ("ours", String::new())];
    let arn = format!("{ELB}:loadbalancer/app/arive-production/1");
    names.insert_with(&Name::new("load-balancer", "main"), &arn, &balancer);
    names.insert(Name::new("listener", "http"), listener_arn("http"));
    names.insert(Name::new("hosted-zone", "main"), "Z2");
    let hosts = ["api.tryarive.com".to_owned()];
    names.insert(certificate::certificate::name(&hosts), certificate_arn());
    names
}

const PATTERN: &str = r#"{"detail-type": ["ECR Image Action"], "source": ["aws.ecr"], "detail": {"result": ["SUCCESS"],
    "action-type": ["PUSH"], "repository-name": ["arive/production"], "image-tag": ["latest"]}}"#;

fn ecs_tags(name: &Name) -> Vec<aws_sdk_ecs::types::Tag> {
    let tag = |key, value| aws_sdk_ecs::types::Tag::builder().key(key).value(value).build();
    tags(Stage::Services, name, tag)
}

fn role_arn(role: &str) -> String {
    format!("arn:aws:iam::123456789012:role/stepstack/arive/production/arive-production-{role}")
}

fn secret_arn(secret: &str) -> String {
    format!("arn:aws:secretsmanager:us-east-1:123456789012:secret:arive/production/{secret}-AbCdEf")
}

fn certificate_arn() -> String {
    "arn:aws:acm:us-east-1:123456789012:certificate/1".to_owned()
}

pub(crate) fn listener_arn(what: &str) -> String {
    format!("{ELB}:listener/app/arive-production/1/{what}")
}

fn rule_arn() -> String {
    format!("{ELB}:listener-rule/app/arive-production/1/https/1")
}

pub(crate) fn target_group_arn(what: &str) -> String {
    format!("{ELB}:targetgroup/{what}")
}

/// A group whose AWS name begins with `begin` and ends as that of port 8000 does.
pub(crate) fn target_group(begin: &str, what: &str) -> TargetGroup {
    TargetGroup::builder()
        .target_group_arn(target_group_arn(what))
        .target_group_name(format!("{begin}-{}", short_hash(&8000)))
        .port(8000)
        .health_check_path("/health")
        .health_check_interval_seconds(5)
        .healthy_threshold_count(2)
        .matcher(Matcher::builder().http_code("200-399").build())
        .build()
}

pub(crate) fn https(certificate: &str) -> Listener {
    let fixed = FixedResponseActionConfig::builder().status_code("404").build();
    let action = Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(fixed);
    Listener::builder()
        .listener_arn(listener_arn("https"))
        .port(443)
        .certificates(Certificate::builder().certificate_arn(certificate).build())
        .ssl_policy("ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09")
        .default_actions(action.build())
        .build()
}

pub(crate) fn host_rule(hosts: &[&str], target_group: &str) -> Rule {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    let hosts = HostHeaderConditionConfig::builder().set_values(Some(hosts)).build();
    Rule::builder()
        .rule_arn(rule_arn())
        .priority(listener_rule::ListenerRule::priorities(["api"])["api"].to_string())
        .conditions(RuleCondition::builder().field("host-header").host_header_config(hosts).build())
        .actions(Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(target_group).build())
        .build()
}

pub(crate) fn alias(host: &str, target: &str) -> ResourceRecordSet {
    let alias = AliasTarget::builder().dns_name(target).hosted_zone_id("Z1").evaluate_target_health(false);
    ResourceRecordSet::builder()
        .name(format!("{host}."))
        .r#type(RrType::A)
        .alias_target(alias.build().expect("an alias"))
        .build()
        .expect("a record")
}

pub(crate) fn arn_of(definitions: &[(Name, TaskDefinition)], service: &str) -> String {
    let of_service = |(name, _): &&(Name, TaskDefinition)| name.base().ends_with(service);
    let (_, definition) = definitions.iter().find(of_service).expect("a revision of the service");
    definition.task_definition_arn().expect("an ARN").to_owned()
}

/// A revision as AWS describes it, and the name under which it was registered.
pub(crate) fn definition(service: &str, digest: &str) -> (Name, TaskDefinition) {
    let is_api = service == "api";
    let environment = [
        ("AWS_REGION", "us-east-1"),
        ("ENV", "production"),
        ("OPTIONS", r#"{"url":"https://a/b"}"#),
        ("PGDATABASE", "arive"),
        ("PGHOST", "db.example"),
        ("PGPORT", "5432"),
        ("PGSSLMODE", "require"),
        ("PGUSER", "postgres"),
        ("S3_BUCKET", "arive-uploads-production"),
    ]
    .into_iter()
    .filter(|(key, _)| is_api || *key != "OPTIONS");
    let secrets = [("DATABASE_URL", "database-url"), ("PGPASSWORD", "database-password")]
        .map(|(key, secret)| (key, format!("{}:::v1", secret_arn(secret))));
    let command: Vec<String> = if is_api { Vec::new() } else { vec!["work".to_owned()] };
    let described = Described {
        service: service.to_owned(),
        digest: digest.to_owned(),
        architecture: "ARM64".to_owned(),
        command: command.clone(),
        port: is_api.then_some(8000),
        cpu: "256".to_owned(),
        memory: "512".to_owned(),
        environment: environment.clone().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        secrets: secrets.iter().map(|(key, arn)| ((*key).to_owned(), arn.clone())).collect(),
        log_group: Name::new("log-group", service),
        read_only_root: true,
        user: None,
        execution_role: Name::new("role", "execution"),
        task_role: Name::new("role", "task"),
        restart: None,
    };
    let pair = |(key, value): (&str, &str)| KeyValuePair::builder().name(key).value(value).build();
    let secret = |(key, arn): &(&str, String)| {
        Secret::builder().name(*key).value_from(arn).build().expect("a secret's name and ARN")
    };
    let log = LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .options("awslogs-group", format!("/ecs/arive-production-{service}"))
        .build()
        .expect("a driver");
    let container: ContainerDefinitionBuilder = ContainerDefinition::builder()
        .name(service)
        .image(format!("{REPOSITORY}@{digest}"))
        .set_command(Some(command))
        .set_environment(Some(environment.map(pair).collect()))
        .set_secrets(Some(secrets.iter().map(secret).collect()))
        .log_configuration(log)
        .readonly_root_filesystem(true);
    let container = if is_api {
        container.port_mappings(PortMapping::builder().container_port(8000).build())
    } else {
        container
    };
    let platform = RuntimePlatform::builder().cpu_architecture(CpuArchitecture::Arm64).build();
    let raw = TaskDefinition::builder()
        .task_definition_arn(format!("{ECS}:task-definition/arive-production-{service}:1"))
        .family(format!("arive-production-{service}"))
        .revision(1)
        .cpu("256")
        .memory("512")
        .runtime_platform(platform)
        .execution_role_arn(role_arn("execution"))
        .task_role_arn(role_arn("task"))
        .container_definitions(container.build())
        .build();
    (described.name(), raw)
}

pub(crate) fn deployment(task_definition: &str, state: DeploymentRolloutState) -> Deployment {
    Deployment::builder()
        .status("PRIMARY")
        .task_definition(task_definition)
        .rollout_state(state)
        .rollout_state_reason("ECS deployment circuit breaker: tasks failed to start.")
        .build()
}

/// A service whose one task runs.
pub(crate) fn service(what: &str, task_definition: &str) -> ServiceBuilder {
    let vpc = AwsVpcConfiguration::builder()
        .subnets("subnet-private-b")
        .subnets("subnet-private-a")
        .security_groups(format!("sg-{what}"))
        .assign_public_ip(AssignPublicIp::Disabled)
        .build()
        .expect("subnets");
    let breaker = DeploymentCircuitBreaker::builder().enable(true).rollback(true).build();
    let balancer = LoadBalancer::builder()
        .target_group_arn(target_group_arn("api"))
        .container_name("api")
        .container_port(8000)
        .build();
    Service::builder()
        .service_arn(format!("{ECS}:service/arive-production/{what}"))
        .service_name(what)
        .status("ACTIVE")
        .task_definition(task_definition)
        .desired_count(1)
        .running_count(1)
        .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(vpc).build())
        .set_load_balancers((what == "api").then(|| vec![balancer]))
        .health_check_grace_period_seconds(30)
        .deployment_configuration(
            DeploymentConfiguration::builder()
                .deployment_circuit_breaker(breaker)
                .minimum_healthy_percent(100)
                .maximum_percent(200)
                .build(),
        )
        .availability_zone_rebalancing(AvailabilityZoneRebalancing::Enabled)
        .deployments(deployment(task_definition, DeploymentRolloutState::Completed))
        .set_tags(Some(ecs_tags(&services::service::name(what))))
}

pub(crate) fn scalable_target(min: i32, max: i32) -> ScalableTarget {
    ScalableTarget::builder()
        .service_namespace(ServiceNamespace::Ecs)
        .resource_id("service/arive-production/api")
        .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
        .min_capacity(min)
        .max_capacity(max)
        .role_arn("role")
        .creation_time(aws_sdk_applicationautoscaling::primitives::DateTime::from_secs(0))
        .build()
        .expect("a target")
}
