//! Autoscaling of services, where the file asks for it: target tracking of CPU.

use aws::failed;
use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalableTarget as RawTarget,
    ScalingPolicy, ServiceNamespace, SuspendedState, TargetTrackingScalingPolicyConfiguration,
};
use serde::Serialize;
use statemachine::config::Scale;
use statemachine::error::Optional as _;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::service;

/// The name of a target's one policy.
const POLICY: &str = "cpu";

/// A scalable target with its one policy. It carries no tag: it is ours because its service is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScalingTarget {
    /// The service.
    pub service: String,
    /// Fewest tasks.
    pub min: i32,
    /// Most tasks.
    pub max: i32,
    /// Percent of CPU to hold; `None` while it has no policy.
    pub cpu: Option<f64>,
    /// It changes nothing by itself: the environment is paused.
    pub suspended: bool,
}

impl ScalingTarget {
    /// For a service that asks for it.
    pub fn of(service: &str, scale: &Scale, suspended: bool) -> Self {
        let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        Self {
            service: service.to_owned(),
            min: count(scale.min),
            max: count(scale.max),
            cpu: Some(f64::from(scale.cpu)),
            suspended,
        }
    }
}

fn name(service: &str) -> Name {
    Name::new(ScalingTarget::KIND, service)
}

/// A target and its policy.
pub struct Raw {
    target: RawTarget,
    cpu: Option<f64>,
}

impl Resource for ScalingTarget {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "scaling-target";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let targets = scope.arn("application-autoscaling", "scalable-target/*");
        let actions = [
            "application-autoscaling:DeleteScalingPolicy",
            "application-autoscaling:DeregisterScalableTarget",
            "application-autoscaling:PutScalingPolicy",
            "application-autoscaling:RegisterScalableTarget",
        ];
        let describe = [
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:DescribeScalingPolicies",
        ];
        vec![
            Permission {
                reason: Some("a target's ARN holds only its random id"),
                ..Permission::on(&actions, [targets])
            },
            Permission::unscoped(&describe, "the listings take no resource"),
        ]
    }

    fn name(&self) -> Name {
        name(&self.service)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(service::name(&self.service))]
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let prefix = ctx.aws_names().scaling_target("");
        let pages = client
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::Ecs)
            .into_paginator()
            .items()
            .send();
        let targets = pages.collect::<Result<Vec<_>, _>>().await;
        let targets = targets.map_err(failed("application-autoscaling:DescribeScalableTargets"))?;
        let ours: Vec<RawTarget> =
            targets.into_iter().filter(|target| target.resource_id().starts_with(&prefix)).collect();
        let raws = ours.into_iter().map(|target| async move {
            let policies = client
                .describe_scaling_policies()
                .service_namespace(ServiceNamespace::Ecs)
                .resource_id(target.resource_id());
            let policies =
                policies.send().await.map_err(failed("application-autoscaling:DescribeScalingPolicies"))?;
            let policy = policies.scaling_policies().iter().find(|policy| policy.policy_name() == POLICY);
            let tracking = policy.and_then(ScalingPolicy::target_tracking_scaling_policy_configuration);
            Ok::<_, Error>(Raw {
                cpu: tracking.map(TargetTrackingScalingPolicyConfiguration::target_value),
                target,
            })
        });
        futures_util::future::try_join_all(raws).await
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let service = raw.target.resource_id().strip_prefix(&ctx.aws_names().scaling_target(""))?;
        Some(Identity::ours(name(service), raw.target.resource_id()))
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        let service = raw.target.resource_id().rsplit('/').next().unwrap_or_default().to_owned();
        Ok(State::Settled(Self {
            service,
            min: raw.target.min_capacity(),
            max: raw.target.max_capacity(),
            cpu: raw.cpu,
            suspended: raw
                .target
                .suspended_state()
                .is_some_and(|state| state.dynamic_scaling_in_suspended() == Some(true)),
        }))
    }

    async fn create(self, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        let id = ctx.aws_names().scaling_target(&self.service);
        self.put(&client, id).await
    }

    async fn update(self, _: Self, id: String, Call { client, .. }: Call<Client>) -> Result<Made> {
        self.put(&client, id).await
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        // Its policies go with it.
        let deregister =
            client.deregister_scalable_target().service_namespace(ServiceNamespace::Ecs).resource_id(id);
        let deregister =
            deregister.scalable_dimension(ScalableDimension::EcsServiceDesiredCount).send().await;
        deregister.map_err(failed("application-autoscaling:DeregisterScalableTarget")).optional()?;
        Ok(Gone::Now)
    }
}

impl ScalingTarget {
    async fn put(self, client: &Client, id: String) -> Result<Made> {
        let suspended = SuspendedState::builder()
            .dynamic_scaling_in_suspended(self.suspended)
            .dynamic_scaling_out_suspended(self.suspended)
            .scheduled_scaling_suspended(self.suspended)
            .build();
        let register = client
            .register_scalable_target()
            .suspended_state(suspended)
            .service_namespace(ServiceNamespace::Ecs)
            .resource_id(&id)
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .min_capacity(self.min)
            .max_capacity(self.max);
        register.send().await.map_err(failed("application-autoscaling:RegisterScalableTarget"))?;
        if let Some(cpu) = self.cpu {
            let internal =
                |error: aws_sdk_applicationautoscaling::error::BuildError| Error::internal(error.to_string());
            let metric = PredefinedMetricSpecification::builder()
                .predefined_metric_type(MetricType::EcsServiceAverageCpuUtilization);
            let tracking = TargetTrackingScalingPolicyConfiguration::builder()
                .target_value(cpu)
                .predefined_metric_specification(metric.build().map_err(internal)?)
                .build()
                .map_err(internal)?;
            let put = client
                .put_scaling_policy()
                .policy_name(POLICY)
                .policy_type(PolicyType::TargetTrackingScaling)
                .service_namespace(ServiceNamespace::Ecs)
                .resource_id(&id)
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .target_tracking_scaling_policy_configuration(tracking);
            put.send().await.map_err(failed("application-autoscaling:PutScalingPolicy"))?;
        }
        Ok(Made::settled(id))
    }
}
