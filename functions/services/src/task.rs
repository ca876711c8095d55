//! Tasks of their own: the release command, and what `stepstack run` runs.

use std::collections::BTreeSet;

use aws::failed;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, Container, ContainerOverride, DesiredStatus, LaunchType,
    NetworkConfiguration, Tag, Task as RawTask, TaskOverride,
};
use serde::Serialize;
use statemachine::error::{Optional as _, required};
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

/// A task that runs one command to its end, once in a run. It is as described when it has ended with 0; what
/// fails is never run again by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Task {
    /// `release` or `run`.
    pub what: String,
    /// The service whose task definition, network and secrets it has.
    pub service: String,
    /// The revision.
    pub task_definition: Name,
    /// Word by word.
    pub command: Vec<String>,
    /// How it failed, where it did. Wanted: not at all.
    pub failed: Option<String>,
    /// What is not compared.
    #[serde(skip)]
    pub network: Network,
}

/// Where a task stands. It is told once, when the task starts.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Network {
    pub subnets: BTreeSet<Name>,
    pub security_groups: BTreeSet<Name>,
    /// Whether it has an address of its own in the internet.
    pub public_address: bool,
}

impl PartialEq for Network {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// `task/release`: what a new image runs before traffic moves to it.
pub fn release() -> Name {
    resource::release_task()
}

/// `task/run`: what a person asked for.
pub fn run() -> Name {
    resource::run_task()
}

/// ECS, and which tasks are looked for.
#[derive(Clone, Debug)]
pub struct Tasks {
    /// The client.
    pub ecs: Client,
    /// Which.
    pub lookup: Lookup,
}

/// Which tasks are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// None: the run has none, and others' are none of its business.
    Nothing,
    /// Those that this run has started.
    OfRun,
    /// All that run without a service: a cluster with one of them cannot go.
    Running,
}

impl Resource for Task {
    type Client = Tasks;
    type Raw = RawTask;

    const KIND: &'static str = resource::kind::TASK;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let every = scope.every_stack();
        let cluster = scope.arn("ecs", &format!("cluster/{}", every.ecs_cluster()));
        let tasks = scope.arn("ecs", &format!("task/{}", every.prefix()));
        let definitions = scope.arn("ecs", &format!("task-definition/{}", every.prefix()));
        vec![
            Permission::on(&["ecs:RunTask"], [definitions]).when("ArnLike", "ecs:cluster", [cluster.clone()]),
            Permission::on(&["ecs:DescribeTasks", "ecs:StopTask", "ecs:TagResource"], [tasks]),
            Permission::unscoped(&["ecs:ListTasks"], "the listing takes its cluster by condition alone")
                .when("ArnLike", "ecs:cluster", [cluster]),
        ]
    }

    fn name(&self) -> Name {
        Name::new(Self::KIND, &self.what)
    }

    fn needs(&self) -> Vec<Need> {
        let network = self.network.subnets.iter().chain(&self.network.security_groups).cloned();
        let needs = network.chain([self.task_definition.clone(), resource::cluster()]);
        needs.map(Need::Settled).collect()
    }

    async fn fetch(ctx: &Context, client: &Tasks, names: &Names) -> Result<Vec<RawTask>> {
        let Some(cluster) = names.id(&resource::cluster()) else { return Ok(Vec::new()) };
        let statuses: &[DesiredStatus] = match client.lookup {
            Lookup::Nothing => return Ok(Vec::new()),
            // A listing without a status is one of running tasks alone.
            Lookup::OfRun => &[DesiredStatus::Running, DesiredStatus::Stopped],
            Lookup::Running => &[DesiredStatus::Running],
        };
        let mut found = Vec::new();
        for status in statuses {
            let list = client
                .ecs
                .list_tasks()
                .cluster(cluster)
                .desired_status(status.clone())
                .set_started_by((client.lookup == Lookup::OfRun).then(|| ctx.run.clone()));
            let arns = list.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
            let arns = arns.map_err(failed("ecs:ListTasks")).optional()?.unwrap_or_default();
            for batch in arns.chunks(100) {
                let describe = client.ecs.describe_tasks().cluster(cluster).set_tasks(Some(batch.to_vec()));
                let described = describe
                    .include(aws_sdk_ecs::types::TaskField::Tags)
                    .send()
                    .await
                    .map_err(failed("ecs:DescribeTasks"))?;
                found.extend(described.tasks.unwrap_or_default());
            }
        }
        Ok(found)
    }

    fn identify(ctx: &Context, raw: &RawTask, _: &Names) -> Option<Identity> {
        let tags =
            raw.tags().iter().map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default()));
        let name = ctx.owned(tags).filter(|name| name.kind() == Self::KIND)?;
        let arn = raw.task_arn()?;
        let task = arn.rsplit('/').next().unwrap_or(arn);
        let container = raw.containers().first();
        let service = container.and_then(Container::name).unwrap_or_default();
        // As the awslogs driver names streams: prefix, container, task.
        let identity = Identity::ours(name, arn).with("log_stream", format!("{service}/{service}/{task}"));
        let identity = identity.with("service", service);
        Some(match container.and_then(Container::exit_code) {
            Some(code) => identity.with("exit_code", code.to_string()),
            None => identity,
        })
    }

    fn read(raw: RawTask, names: &Names) -> Result<State<Self>> {
        let stopped = match raw.last_status() {
            Some("STOPPED" | "DELETED") => true,
            Some(
                "PROVISIONING" | "PENDING" | "ACTIVATING" | "RUNNING" | "DEACTIVATING" | "STOPPING"
                | "DEPROVISIONING",
            ) => false,
            other => return Err(Error::unknown_status("task", other.unwrap_or("none"))),
        };
        if !stopped {
            return Ok(State::Changing(None));
        }
        let container = raw.containers().first();
        let overrides = raw.overrides().and_then(|all| all.container_overrides().first());
        let tag = raw.tags().iter().find(|tag| tag.key() == Some(statemachine::resource::NAME_TAG));
        let name = Name::from_tag(tag.and_then(Tag::value).unwrap_or_default());
        Ok(State::Settled(Self {
            what: name.what().to_owned(),
            service: container.and_then(Container::name).unwrap_or_default().to_owned(),
            task_definition: names.name_of(raw.task_definition_arn().unwrap_or_default()),
            command: overrides.map(|one| one.command().to_vec()).unwrap_or_default(),
            failed: failed_with(&raw),
            network: Network::default(),
        }))
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        let what = if self.what == "release" { "The release command" } else { "The command" };
        let text = self.command.join(" ");
        Some(match &now.failed {
            Some(failed) => format!("{what} `{text}` {failed}."),
            None => format!("{what} `{text}` is not what the task ran."),
        })
    }

    async fn create(self, Call { ctx, client, names }: Call<Tasks>) -> Result<Made> {
        let tags = ctx
            .tags(&self.name())
            .into_iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        let all =
            |some: &BTreeSet<Name>| some.iter().map(|name| names.need(name)).collect::<Result<Vec<_>>>();
        let vpc = AwsVpcConfiguration::builder()
            .set_subnets(Some(all(&self.network.subnets)?))
            .set_security_groups(Some(all(&self.network.security_groups)?))
            .assign_public_ip(if self.network.public_address {
                AssignPublicIp::Enabled
            } else {
                AssignPublicIp::Disabled
            })
            .build()
            .map_err(|error| Error::internal(error.to_string()))?;
        let container =
            ContainerOverride::builder().name(&self.service).set_command(Some(self.command.clone())).build();
        let start = client
            .ecs
            .run_task()
            .cluster(names.need(&resource::cluster())?)
            .task_definition(names.need(&self.task_definition)?)
            .launch_type(LaunchType::Fargate)
            .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(vpc).build())
            .overrides(TaskOverride::builder().container_overrides(container).build())
            .started_by(&ctx.run)
            .client_token(ctx.token(&self.name()))
            .set_tags(Some(tags.collect()));
        let started = start.send().await.map_err(failed("ecs:RunTask"))?;
        if let Some(failure) = started.failures().first() {
            let reason = failure.reason().unwrap_or("no reason given");
            let message = format!(
                "RunTask failed: {reason}{}",
                failure.detail().map(|detail| format!(" ({detail})")).unwrap_or_default()
            );
            // Fargate is out of room for a moment: the one failure that passes by itself.
            let kind = if reason.contains("Capacity") { ErrorKind::NotReady } else { ErrorKind::Invalid };
            return Err(Error { action: Some("ecs:RunTask"), ..Error::new(kind, message) });
        }
        let arn = started.tasks().first().and_then(RawTask::task_arn);
        Ok(Made::started(required(arn, "task", "an ARN")?))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, names, .. }: Call<Tasks>) -> Result<Gone> {
        let cluster = names.need(&resource::cluster())?;
        let stop = client.ecs.stop_task().cluster(cluster).task(id).reason("Stepstack removes the stack");
        match stop.send().await.map_err(failed("ecs:StopTask")) {
            Ok(_) => Ok(Gone::Going),
            Err(error) if error.kind == ErrorKind::Missing => Ok(Gone::Now),
            Err(error) => Err(error),
        }
    }
}

/// How a stopped task failed, as the end of a sentence; `None` when it ended with 0.
fn failed_with(task: &RawTask) -> Option<String> {
    let container = task.containers().first();
    match container.and_then(Container::exit_code) {
        Some(0) => None,
        Some(code) => Some(format!("exited with {code}")),
        None => {
            let reason = container.and_then(Container::reason).or(task.stopped_reason());
            Some(format!("did not start: {}", reason.unwrap_or("no reason given").trim_end_matches('.')))
        }
    }
}
