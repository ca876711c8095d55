//! What runs now: asked of AWS itself with the user's credentials, all at once. What cannot be read is left
//! out: a glance is no proof.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{Container, DesiredStatus, Service, TaskStopCode};
use futures_util::future::join_all;
use record::keys;
use record::lock::Lock;
use statemachine::config::Stack;
use statemachine::message::{Intent, PlanRecord, ReleaseRecord, RunRecord, RunResult, StageReport};
use statemachine::resource::Name;

use super::look::outputs;
use super::metrics::{Asked, mean, metrics, range};
use crate::session::Session;
use crate::show::{DatabaseNow, Now, ServiceNow};

/// How many of the newest runs are looked through for those that wait.
const RUNS: usize = 20;

/// Looks at everything. `runs` are the newest first, `reports` those of the last run's stages.
pub(super) async fn now(
    session: &Session,
    stack: &Stack,
    runs: &[String],
    reports: &[StageReport],
    lock: Option<&Lock>,
) -> Now {
    let intent: Option<Intent> = session.get(&keys::intent(&session.environment)).await.ok().flatten();
    let runs = &runs[..runs.len().min(RUNS)];
    let cluster = cluster(session);
    let balancer = reports.iter().find_map(|report| report.names.id(&Name::new("load-balancer", "main")));
    let (mut services, database, metrics, certificate, waiting, outputs) = tokio::join!(
        services(session, stack, intent.as_ref()),
        database(session, stack, intent.as_ref()),
        metrics(session, &cluster, stack.services.keys().map(String::as_str), balancer),
        certificate(session, stack, runs),
        waiting(session, runs, lock),
        outputs(session, runs),
    );
    let metrics = metrics.unwrap_or_default();
    for service in &mut services {
        service.cpu = mean(metrics.get(&Asked::Cpu(service.service.clone())));
        service.memory = mean(metrics.get(&Asked::Memory(service.service.clone())));
        service.tasks = range(metrics.get(&Asked::Tasks(service.service.clone())));
    }
    let requests = metrics.get(&Asked::Requests).filter(|values| !values.is_empty());
    Now {
        url: outputs.ok().flatten().and_then(|outputs| outputs.get("url").cloned()),
        services,
        database,
        certificate,
        requests: requests.map(|values| values.iter().sum()),
        notes: intent.map(|intent| intent.notes(stack)).unwrap_or_default(),
        waiting,
    }
}

fn cluster(session: &Session) -> String {
    format!("{}-{}", session.scope.app, session.environment)
}

async fn services(session: &Session, stack: &Stack, intent: Option<&Intent>) -> Vec<ServiceNow> {
    let ecs = aws_sdk_ecs::Client::new(&session.config);
    let names: Vec<String> = stack.services.keys().cloned().collect();
    let mut found = Vec::new();
    for batch in names.chunks(10) {
        let describe = ecs.describe_services().cluster(cluster(session)).set_services(Some(batch.to_vec()));
        let Ok(described) = describe.send().await else { continue };
        let active = described.services().iter().filter(|service| service.status() != Some("INACTIVE"));
        found.extend(join_all(active.map(|active| service(session, &ecs, active, intent))).await);
    }
    found
}

async fn service(
    session: &Session,
    ecs: &aws_sdk_ecs::Client,
    found: &Service,
    intent: Option<&Intent>,
) -> ServiceNow {
    let name = found.service_name().unwrap_or_default().to_owned();
    let (digest, stopped) = tokio::join!(digest(ecs, found.task_definition()), stopped(session, ecs, &name));
    let digest = digest.unwrap_or_default();
    ServiceNow {
        desired: found.desired_count(),
        running: found.running_count(),
        release: release(session, intent, &digest).await,
        stopped,
        digest,
        service: name,
        ..ServiceNow::default()
    }
}

async fn digest(ecs: &aws_sdk_ecs::Client, definition: Option<&str>) -> Option<String> {
    let described = ecs.describe_task_definition().task_definition(definition?).send().await.ok()?;
    let image = described.task_definition()?.container_definitions().first()?.image()?.to_owned();
    image.split_once('@').map(|(_, digest)| digest.to_owned())
}

/// The number of the newest release of a digest.
async fn release(session: &Session, intent: Option<&Intent>, digest: &str) -> Option<u32> {
    let newest = intent?.release.as_ref()?;
    if newest.digest == digest {
        return Some(newest.number);
    }
    for number in (1..newest.number).rev().take(5) {
        let record: Option<ReleaseRecord> =
            session.get(&keys::release(&session.environment, number)).await.ok().flatten();
        if record.is_some_and(|record| record.release.digest == digest) {
            return Some(number);
        }
    }
    None
}

/// Why a service's tasks stopped lately, the most frequent reason first. What ECS itself replaced is no news.
async fn stopped(session: &Session, ecs: &aws_sdk_ecs::Client, service: &str) -> Vec<(String, usize)> {
    let list = ecs.list_tasks().cluster(cluster(session)).service_name(service);
    let list = list.desired_status(DesiredStatus::Stopped).send().await;
    let Ok(arns) = list.map(|list| list.task_arns.unwrap_or_default()) else { return Vec::new() };
    if arns.is_empty() {
        return Vec::new();
    }
    let describe = ecs.describe_tasks().cluster(cluster(session)).set_tasks(Some(arns)).send().await;
    let Ok(described) = describe else { return Vec::new() };
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for task in described.tasks() {
        let reason = task.stopped_reason().unwrap_or("no reason given");
        // The scheduler replaces and removes tasks all the time; only what failed is news.
        let by_scheduler = task.stop_code() == Some(&TaskStopCode::ServiceSchedulerInitiated);
        if by_scheduler && !["fail", "unhealthy"].iter().any(|word| reason.contains(word)) {
            continue;
        }
        let code = task.containers().first().and_then(Container::exit_code);
        let reason = match code {
            Some(code) if code != 0 => format!("{reason} (exit code {code})"),
            _ => reason.to_owned(),
        };
        *reasons.entry(reason).or_default() += 1;
    }
    let mut reasons: Vec<(String, usize)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    reasons
}

async fn database(session: &Session, stack: &Stack, intent: Option<&Intent>) -> Option<DatabaseNow> {
    stack.database.as_ref()?;
    let generation = intent.map_or(1, |intent| intent.database.generation);
    let rds = aws_sdk_rds::Client::new(&session.config);
    let identifier = format!("{}-{generation}", cluster(session));
    let described = rds.describe_db_clusters().db_cluster_identifier(&identifier).send().await.ok()?;
    let found = described.db_clusters().first()?;
    let scaling = found.serverless_v2_scaling_configuration()?;
    Some(DatabaseNow {
        cluster: identifier,
        status: found.status().unwrap_or_default().to_owned(),
        acu: (scaling.min_capacity().unwrap_or_default(), scaling.max_capacity().unwrap_or_default()),
        endpoint: found.endpoint().unwrap_or_default().to_owned(),
    })
}

/// The certificate as the newest run saw it, by the report of its making or else by its plan.
async fn certificate(session: &Session, stack: &Stack, runs: &[String]) -> Option<String> {
    const STAGE: &str = "certificate";
    stack.domain.as_ref()?;
    for run in runs {
        let report: Option<StageReport> =
            session.get(&keys::report(&session.environment, run, STAGE)).await.ok().flatten();
        let names = if let Some(report) = report {
            Some(report.names)
        } else {
            let plan: Option<PlanRecord> =
                session.get(&keys::of_run(&session.environment, run, "plan.json")).await.ok().flatten();
            let stages = plan.map(|plan| plan.plan.stages).unwrap_or_default();
            stages.into_iter().find(|stage| stage.stage == STAGE).map(|stage| stage.names)
        };
        let settled = names.and_then(|names| {
            let (name, _) = names.of_kind("certificate").next()?;
            Some(names.is_settled(name))
        });
        if let Some(settled) = settled {
            return Some(if settled { "issued" } else { "not issued yet" }.to_owned());
        }
    }
    None
}

/// Runs that wait for the lock; none while nobody holds it.
async fn waiting(session: &Session, runs: &[String], lock: Option<&Lock>) -> Vec<String> {
    if lock.is_none_or(|lock| lock.holder.is_none()) {
        return Vec::new();
    }
    let waits = runs.iter().map(|run| async move {
        let of_run = |object: &str| keys::of_run(&session.environment, run, object);
        let record: Option<RunRecord> = session.get(&of_run("request.json")).await.ok().flatten();
        record.filter(|record| record.waits_for.is_some())?;
        let ended: Option<RunResult> = session.get(&of_run("result.json")).await.ok().flatten();
        ended.is_none().then(|| run.clone())
    });
    join_all(waits).await.into_iter().flatten().collect()
}
