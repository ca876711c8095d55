//! The evidence about services: events, stopped tasks with their last lines, unhealthy targets. Read only; a
//! look that is refused or fails is noted and left.

use aws::failed;
use aws_sdk_ecs::types::{DesiredStatus, Task};
use jiff::Timestamp;
use statemachine::message::Document;
use statemachine::naming::{AwsNames, resource};
use statemachine::resource::Name;
use statemachine::{Error, ErrorKind, Result};

use crate::Clients;
use crate::evidence::{Evidence, StoppedTask, Target, tail};

/// How many stopped tasks of a service are looked at.
const TASKS: usize = 3;
/// How many events of a service are kept.
const EVENTS: usize = 10;

/// Looks at the one task of its own that failed: the release command, or what `run` ran.
pub(crate) async fn task(clients: &Clients, document: &Document, name: &Name) -> Evidence {
    let mut evidence = Evidence::default();
    let outputs = &document.stages.services.outputs;
    let (Some(stack), Some(arn)) = (&document.stack, outputs.id(name)) else { return evidence };
    let aws = stack.aws_names();
    let service = outputs.attribute(name, "service").unwrap_or_default();
    let describe = clients.ecs.describe_tasks().cluster(aws.ecs_cluster()).tasks(arn).send().await;
    match describe.map_err(failed("ecs:DescribeTasks")) {
        Ok(described) => {
            for task in described.tasks() {
                let stopped = stopped_task(clients, aws, service, task, &mut evidence.not_seen).await;
                evidence.stopped_tasks.push(StoppedTask { own: Some(name.what().to_owned()), ..stopped });
            }
        }
        Err(error) => evidence.not_seen.push(format!("the task {arn} ({})", error.message)),
    }
    evidence
}

/// Looks at every service of the stack.
pub(crate) async fn services(clients: &Clients, document: &Document) -> Evidence {
    let mut evidence = Evidence::default();
    let Some(stack) = &document.stack else { return evidence };
    let aws = stack.aws_names();
    let names: Vec<String> = stack.services.keys().cloned().collect();
    let since = document.run.started_at.parse::<Timestamp>().map_or(0, Timestamp::as_second);
    let noted = |what: &str, error: Error| format!("{what} ({})", error.message);
    match events(clients, aws, &names).await {
        Ok(events) => evidence.events = events,
        Err(error) => evidence.not_seen.push(noted("the services' events", error)),
    }
    for service in &names {
        match stopped_tasks(clients, aws, service, since, &mut evidence.not_seen).await {
            Ok(tasks) => evidence.stopped_tasks.extend(tasks),
            Err(error) => evidence.not_seen.push(noted(&format!("the stopped tasks of {service}"), error)),
        }
    }
    for (service, description) in stack.public_services() {
        match targets(clients, document, service, &description.health_check_path).await {
            Ok(targets) => evidence.targets.extend(targets),
            Err(error) => evidence.not_seen.push(noted(&format!("the targets of {service}"), error)),
        }
    }
    evidence
}

async fn events(clients: &Clients, aws: AwsNames<'_>, services: &[String]) -> Result<Vec<String>> {
    let mut events = Vec::new();
    // DescribeServices takes ten at a time.
    for batch in services.chunks(10) {
        let described = clients
            .ecs
            .describe_services()
            .cluster(aws.ecs_cluster())
            .set_services(Some(batch.to_vec()))
            .send()
            .await;
        let described = described.map_err(failed("ecs:DescribeServices"))?;
        let of_service = described.services().iter().flat_map(|service| service.events().iter().take(EVENTS));
        events.extend(of_service.filter_map(|event| event.message().map(str::to_owned)));
    }
    Ok(events)
}

/// What stopped before the run, at second `since`, tells nothing about it.
async fn stopped_tasks(
    clients: &Clients,
    aws: AwsNames<'_>,
    service: &str,
    since: i64,
    not_seen: &mut Vec<String>,
) -> Result<Vec<StoppedTask>> {
    let list = clients
        .ecs
        .list_tasks()
        .cluster(aws.ecs_cluster())
        .service_name(service)
        .desired_status(DesiredStatus::Stopped)
        .send()
        .await;
    let arns = list.map_err(failed("ecs:ListTasks"))?.task_arns.unwrap_or_default();
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let describe = clients.ecs.describe_tasks().cluster(aws.ecs_cluster()).set_tasks(Some(arns)).send().await;
    let mut tasks = describe.map_err(failed("ecs:DescribeTasks"))?.tasks.unwrap_or_default();
    let stopped_at =
        |task: &Task| task.stopped_at().map_or(i64::MAX, aws_sdk_ecs::primitives::DateTime::secs);
    tasks.retain(|task| stopped_at(task) >= since);
    tasks.sort_by_key(|task| std::cmp::Reverse(stopped_at(task)));
    let mut stopped = Vec::new();
    for task in tasks.iter().take(TASKS) {
        stopped.push(stopped_task(clients, aws, service, task, not_seen).await);
    }
    Ok(stopped)
}

async fn stopped_task(
    clients: &Clients,
    aws: AwsNames<'_>,
    service: &str,
    task: &Task,
    not_seen: &mut Vec<String>,
) -> StoppedTask {
    let container = task.containers().first();
    let id = task.task_arn().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
    let log = match log(clients, aws, service, id).await {
        Ok(log) => log,
        // A task that never ran has no log: that is no trouble of its own.
        Err(error) if error.kind == ErrorKind::Missing => Vec::new(),
        Err(error) => {
            not_seen.push(format!("the log of the task {id} ({})", error.message));
            Vec::new()
        }
    };
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    StoppedTask {
        service: service.to_owned(),
        own: None,
        stop_code: text(task.stop_code().map(aws_sdk_ecs::types::TaskStopCode::as_str)),
        stopped_reason: text(task.stopped_reason()),
        container_reason: text(container.and_then(|container| container.reason())),
        exit_code: container.and_then(|container| container.exit_code()),
        log,
    }
}

async fn log(clients: &Clients, aws: AwsNames<'_>, service: &str, task: &str) -> Result<Vec<String>> {
    let group = aws.service_log_group(service);
    let events = clients
        .logs
        .filter_log_events()
        .log_group_name(group)
        .log_stream_names(format!("{service}/{service}/{task}"));
    let events = events.send().await.map_err(failed("logs:FilterLogEvents"))?;
    Ok(tail(events.events().iter().filter_map(|event| event.message().map(str::to_owned))))
}

async fn targets(clients: &Clients, document: &Document, service: &str, path: &str) -> Result<Vec<Target>> {
    let groups = document.stages.services.outputs.of_kind(resource::kind::TARGET_GROUP);
    let base = Name::new(resource::kind::TARGET_GROUP, service);
    let Some((_, arn)) = groups.into_iter().find(|(name, _)| name.base() == base.as_str()) else {
        return Ok(Vec::new());
    };
    let health = clients.elb.describe_target_health().target_group_arn(arn).send().await;
    let health = health.map_err(failed("elasticloadbalancing:DescribeTargetHealth"))?;
    let unhealthy =
        health.target_health_descriptions().iter().filter_map(|description| description.target_health());
    let unhealthy =
        unhealthy.filter(|health| health.state().is_some_and(|state| state.as_str() == "unhealthy"));
    let target = |health: &aws_sdk_elasticloadbalancingv2::types::TargetHealth| Target {
        service: service.to_owned(),
        reason: health.reason().map_or_else(String::new, |reason| reason.as_str().to_owned()),
        description: health.description().unwrap_or_default().to_owned(),
        path: path.to_owned(),
    };
    Ok(unhealthy.map(target).collect())
}
