//! ECS services. A service is settled only when what was asked for is what runs.

use std::collections::BTreeSet;

use aws::failed;
use aws_sdk_ecs::types::{
    AssignPublicIp, AvailabilityZoneRebalancing, AwsVpcConfiguration, DeploymentCircuitBreaker,
    DeploymentConfiguration, DeploymentRolloutState, LaunchType, LoadBalancer, NetworkConfiguration,
    PropagateTags, Service as RawService, ServiceField, Tag,
};
use serde::Serialize;
use statemachine::error::{Optional as _, required};
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

/// How long a public service may take to answer its first check, in seconds.
pub const GRACE_S: i32 = 30;

/// A service on Fargate.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Service {
    pub service: String,
    /// The revision that it runs.
    pub task_definition: Name,
    /// Tasks; `None` where autoscaling decides.
    pub desired_count: Option<i32>,
    /// Where its tasks stand.
    pub subnets: BTreeSet<Name>,
    pub security_groups: BTreeSet<Name>,
    /// Whether each task has an address of its own in the internet.
    pub public_address: bool,
    /// Where it is reached, for public ones.
    pub target_group: Option<Name>,
    /// The port behind it.
    pub port: Option<i32>,
    pub exec: bool,
    /// A deployment that fails is rolled back (and reported as a failure by the loop).
    pub circuit_breaker: bool,
    /// While it is deployed: the least and the most that run, in percent of the count.
    pub healthy_percent: (i32, i32),
    /// For how many seconds a new task may fail its health checks; for public ones.
    pub grace_s: Option<i32>,
    /// Tasks move when zones are uneven.
    pub rebalances_zones: bool,
    /// Why ECS gave up on the last deployment, where it had none to go back to. Wanted: nothing. The change
    /// is another deployment.
    pub failed_rollout: Option<String>,
    /// What is no part of the description.
    #[serde(skip)]
    pub unlisted: Unlisted,
}

/// What a service needs when it is made, and what cannot be read back from it.
#[derive(Clone, Debug, Default)]
pub struct Unlisted {
    /// The first tasks wanted, where autoscaling decides afterwards.
    pub first_count: i32,
    /// The listener's rule that leads to it.
    pub rule: Option<Name>,
    /// The task that has to end well before the service changes: the release command.
    pub after: Option<Name>,
}

impl PartialEq for Unlisted {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// `service/api`.
pub fn name(service: &str) -> Name {
    Name::new(Service::KIND, service)
}

/// ECS, and which services autoscaling decides about.
#[derive(Clone, Debug)]
pub struct Services {
    /// The client.
    pub ecs: aws_sdk_ecs::Client,
    /// Those whose count is not ours.
    pub scaled: Vec<String>,
}

/// A service as described, and whether its count is ours.
pub struct Raw {
    service: RawService,
    scaled: bool,
}

impl Resource for Service {
    type Client = Services;
    type Raw = Raw;

    const KIND: &'static str = resource::kind::SERVICE;
    // A deployment that never gets healthy must be changeable while it goes on.
    const INTERRUPTIBLE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let every = scope.every_stack();
        let services = scope.arn("ecs", &format!("service/{}", every.prefix()));
        let cluster = scope.arn("ecs", &format!("cluster/{}", every.ecs_cluster()));
        let actions = [
            "ecs:CreateService",
            "ecs:DeleteService",
            "ecs:DescribeServices",
            "ecs:TagResource",
            "ecs:UpdateService",
        ];
        vec![
            Permission::on(&actions, [services]),
            Permission::unscoped(&["ecs:ListServices"], "the listing takes its cluster by condition alone")
                .when("ArnLike", "ecs:cluster", [cluster]),
        ]
    }

    fn name(&self) -> Name {
        name(&self.service)
    }

    fn needs(&self) -> Vec<Need> {
        let parts = self
            .subnets
            .iter()
            .chain(&self.security_groups)
            .chain([&self.task_definition])
            .cloned()
            .map(Need::Settled);
        let mut needs: Vec<Need> = parts.chain([Need::Settled(resource::cluster())]).collect();
        if let Some(group) = &self.target_group {
            // CreateService refuses a target group that no listener leads to.
            needs.push(Need::Exists(group.clone()));
        }
        // A rule that is still to be led to this group is no listener's yet.
        needs.extend(self.unlisted.rule.iter().chain(&self.unlisted.after).cloned().map(Need::Settled));
        needs
    }

    async fn fetch(_: &Context, client: &Services, names: &Names) -> Result<Vec<Raw>> {
        let Some(cluster) = names.id(&resource::cluster()) else { return Ok(Vec::new()) };
        let list = client.ecs.list_services().cluster(cluster).into_paginator().items().send();
        let arns = list
            .collect::<Result<Vec<_>, _>>()
            .await
            .map_err(failed("ecs:ListServices"))
            .optional()?
            .unwrap_or_default();
        let mut found = Vec::new();
        for batch in arns.chunks(10) {
            let describe = client.ecs.describe_services().cluster(cluster).set_services(Some(batch.to_vec()));
            let described =
                describe.include(ServiceField::Tags).send().await.map_err(failed("ecs:DescribeServices"))?;
            // An INACTIVE service is described for a while after it is gone.
            let live = described
                .services
                .unwrap_or_default()
                .into_iter()
                .filter(|service| service.status() != Some("INACTIVE"));
            found.extend(live.map(|service| {
                let scaled = service
                    .service_name()
                    .is_some_and(|name| client.scaled.iter().any(|known| known == name));
                Raw { service, scaled }
            }));
        }
        Ok(found)
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let (id, service) = (raw.service.service_arn()?, raw.service.service_name()?);
        let tags = raw
            .service
            .tags()
            .iter()
            .map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default()));
        let ours = ctx.owned(tags) == Some(name(service));
        Some(if ours { Identity::ours(name(service), id) } else { Identity::theirs(name(service), id) })
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let Raw { service, scaled } = raw;
        let network = service.network_configuration().and_then(NetworkConfiguration::awsvpc_configuration);
        let set = |ids: &[String]| ids.iter().map(|id| names.name_of(id)).collect::<BTreeSet<_>>();
        let balancer = service.load_balancers().first();
        let breaker =
            service.deployment_configuration().and_then(DeploymentConfiguration::deployment_circuit_breaker);
        let found = Self {
            service: service.service_name().unwrap_or_default().to_owned(),
            task_definition: names.name_of(service.task_definition().unwrap_or_default()),
            desired_count: (!scaled).then(|| service.desired_count()),
            subnets: network.map(|network| set(network.subnets())).unwrap_or_default(),
            security_groups: network.map(|network| set(network.security_groups())).unwrap_or_default(),
            public_address: network.and_then(AwsVpcConfiguration::assign_public_ip)
                == Some(&AssignPublicIp::Enabled),
            target_group: balancer.and_then(LoadBalancer::target_group_arn).map(|arn| names.name_of(arn)),
            port: balancer.and_then(LoadBalancer::container_port),
            exec: service.enable_execute_command(),
            circuit_breaker: breaker.is_some_and(|breaker| breaker.enable() && breaker.rollback()),
            healthy_percent: service
                .deployment_configuration()
                .map(|deployment| {
                    (
                        deployment.minimum_healthy_percent().unwrap_or(100),
                        deployment.maximum_percent().unwrap_or(200),
                    )
                })
                .unwrap_or_default(),
            // AWS says 0 for a service without a load balancer.
            grace_s: balancer.and(service.health_check_grace_period_seconds()),
            rebalances_zones: service.availability_zone_rebalancing()
                == Some(&AvailabilityZoneRebalancing::Enabled),
            failed_rollout: failed_rollout(&service),
            unlisted: Unlisted::default(),
        };
        match service.status() {
            Some("DRAINING") => Ok(State::Deleting),
            Some("ACTIVE") if is_steady(&service) || found.failed_rollout.is_some() => {
                Ok(State::Settled(found))
            }
            Some("ACTIVE") => Ok(State::Changing(Some(found))),
            other => Err(Error::unknown_status("service", other.unwrap_or("none"))),
        }
    }

    async fn create(self, Call { ctx, client, names }: Call<Services>) -> Result<Made> {
        let tags = ctx
            .tags(&self.name())
            .into_iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        let create = client
            .ecs
            .create_service()
            .cluster(names.need(&resource::cluster())?)
            .service_name(&self.service)
            .task_definition(names.need(&self.task_definition)?)
            .desired_count(self.desired_count.unwrap_or(self.unlisted.first_count))
            .launch_type(LaunchType::Fargate)
            .platform_version("LATEST")
            .network_configuration(self.network(&names)?)
            .set_load_balancers(Some(self.load_balancers(&names)?))
            .set_health_check_grace_period_seconds(self.grace_s)
            .deployment_configuration(self.deployment())
            .availability_zone_rebalancing(self.rebalancing())
            .enable_ecs_managed_tags(true)
            .propagate_tags(PropagateTags::Service)
            .enable_execute_command(self.exec)
            .client_token(ctx.token(&self.name()))
            .set_tags(Some(tags.collect()));
        let made = match create.send().await.map_err(failed("ecs:CreateService")) {
            Ok(made) => made,
            // An earlier call got through without our hearing of it: the next look says whose it is.
            Err(error) if error.message.contains("not idempotent") => return Ok(Made::started(self.service)),
            Err(error) => return Err(error),
        };
        let service = required(made.service(), "service", "itself")?;
        let arn = required(service.service_arn(), "service", "an ARN")?;
        Ok(Made { settled: is_steady(service), ..Made::started(arn) })
    }

    async fn update(self, now: Self, id: String, Call { client, names, .. }: Call<Services>) -> Result<Made> {
        let update = client
            .ecs
            .update_service()
            .cluster(names.need(&resource::cluster())?)
            .service(&self.service)
            .task_definition(names.need(&self.task_definition)?)
            .set_desired_count(self.desired_count)
            .network_configuration(self.network(&names)?)
            // An empty list makes a public service a private one.
            .set_load_balancers(Some(self.load_balancers(&names)?))
            .set_health_check_grace_period_seconds(self.grace_s)
            .deployment_configuration(self.deployment())
            .availability_zone_rebalancing(self.rebalancing())
            .enable_execute_command(self.exec)
            .force_new_deployment(now.failed_rollout.is_some());
        update.send().await.map_err(failed("ecs:UpdateService"))?;
        Ok(Made::started(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, names, .. }: Call<Services>) -> Result<Gone> {
        let cluster = names.need(&resource::cluster())?;
        match client
            .ecs
            .delete_service()
            .cluster(cluster)
            .service(id)
            .force(true)
            .send()
            .await
            .map_err(failed("ecs:DeleteService"))
        {
            Ok(_) => Ok(Gone::Going),
            Err(error) if error.kind == ErrorKind::Missing => Ok(Gone::Now),
            Err(error) => Err(error),
        }
    }
}

/// ECS's reason for having given up on the primary deployment. A deployment that it could roll back is primary
/// no more: then the service shows the earlier task definition, which is a difference by itself.
fn failed_rollout(service: &RawService) -> Option<String> {
    let primary = service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"))?;
    let failed = primary.rollout_state() == Some(&DeploymentRolloutState::Failed);
    failed.then(|| primary.rollout_state_reason().unwrap_or("no reason given").to_owned())
}

/// One deployment, completed, with all its tasks running.
fn is_steady(service: &RawService) -> bool {
    let [deployment] = service.deployments() else { return false };
    // Some emulators say nothing of the rollout: then the counts alone tell.
    let completed =
        deployment.rollout_state().is_none_or(|state| *state == DeploymentRolloutState::Completed);
    let same = deployment.task_definition() == service.task_definition();
    completed && same && service.running_count() == service.desired_count() && service.pending_count() == 0
}

impl Service {
    fn network(&self, names: &Names) -> Result<NetworkConfiguration> {
        let all =
            |some: &BTreeSet<Name>| some.iter().map(|name| names.need(name)).collect::<Result<Vec<_>>>();
        let vpc = AwsVpcConfiguration::builder()
            .set_subnets(Some(all(&self.subnets)?))
            .set_security_groups(Some(all(&self.security_groups)?))
            .assign_public_ip(if self.public_address {
                AssignPublicIp::Enabled
            } else {
                AssignPublicIp::Disabled
            })
            .build()
            .map_err(|error| Error::internal(error.to_string()))?;
        Ok(NetworkConfiguration::builder().awsvpc_configuration(vpc).build())
    }

    fn load_balancers(&self, names: &Names) -> Result<Vec<LoadBalancer>> {
        let Some(group) = &self.target_group else { return Ok(Vec::new()) };
        let balancer = LoadBalancer::builder()
            .target_group_arn(names.need(group)?)
            .container_name(&self.service)
            .set_container_port(self.port)
            .build();
        Ok(vec![balancer])
    }

    fn deployment(&self) -> DeploymentConfiguration {
        let breaker = DeploymentCircuitBreaker::builder()
            .enable(self.circuit_breaker)
            .rollback(self.circuit_breaker)
            .build();
        DeploymentConfiguration::builder()
            .deployment_circuit_breaker(breaker)
            .minimum_healthy_percent(self.healthy_percent.0)
            .maximum_percent(self.healthy_percent.1)
            .build()
    }

    fn rebalancing(&self) -> AvailabilityZoneRebalancing {
        if self.rebalances_zones {
            AvailabilityZoneRebalancing::Enabled
        } else {
            AvailabilityZoneRebalancing::Disabled
        }
    }
}
