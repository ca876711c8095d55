//! What runs now: asked of AWS itself with the user's credentials, all at once. What cannot be read is left
//! out: a glance is no proof.

use std::collections::BTreeMap;

use aws::failed;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_sdk_ecs::types::{Container, DesiredStatus, TaskStopCode};
use jiff::Timestamp;
use statemachine::config::Stack;
use statemachine::message::{Intent, ReleaseRecord, RunRecord, RunResult, StageReport, keys};
use statemachine::resource::Name;

use crate::session::Session;
use crate::show::{DatabaseNow, Now, ServiceNow};

/// Seconds that the metrics are of.
const HOUR: i32 = 3_600;
/// How many of the newest runs are looked through for those that wait.
const RUNS: usize = 20;

/// Looks at everything. `certificate` and `ingress` are those stages' last reports.
pub(super) async fn now(session: &Session, stack: &Stack, reports: &[StageReport]) -> Now {
    let intent: Option<Intent> = session.get(&keys::intent(&session.environment)).await.ok().flatten();
    let (mut services, database, metrics, certificate, waiting) = tokio::join!(
        services(session, stack, intent.as_ref()),
        database(session, stack, intent.as_ref()),
        metrics(session, stack, reports),
        certificate(session),
        waiting(session),
    );
    let metrics = metrics.unwrap_or_default();
    for service in &mut services {
        service.cpu = metrics.get(&format!("cpu{}", service.service)).copied();
        service.memory = metrics.get(&format!("memory{}", service.service)).copied();
    }
    Now {
        services,
        database,
        certificate,
        requests: metrics.get("requests").copied(),
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
        for service in described.services().iter().filter(|service| service.status() != Some("INACTIVE")) {
            let name = service.service_name().unwrap_or_default().to_owned();
            let digest = digest(&ecs, service.task_definition()).await.unwrap_or_default();
            found.push(ServiceNow {
                desired: service.desired_count(),
                running: service.running_count(),
                release: release(session, intent, &digest).await,
                stopped: stopped(session, &ecs, &name).await,
                digest,
                service: name,
                ..ServiceNow::default()
            });
        }
    }
    found
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

/// The certificate as the last run saw it.
async fn certificate(session: &Session) -> Option<String> {
    for run in session.runs().await.ok()?.into_iter().rev().take(RUNS) {
        for key in [
            keys::report(&session.environment, &run, "certificate"),
            keys::look(&session.environment, &run, "certificate"),
        ] {
            let report: Option<StageReport> = session.get(&key).await.ok().flatten();
            let report = report.filter(|report| report.names.of_kind("certificate").next().is_some());
            if let Some(report) = report {
                let (name, _) = report.names.of_kind("certificate").next()?;
                let settled = report.names.is_settled(name);
                return Some(if settled { "issued".to_owned() } else { "not issued yet".to_owned() });
            }
        }
    }
    None
}

/// Runs that wait for the lock.
async fn waiting(session: &Session) -> Vec<String> {
    let mut waiting = Vec::new();
    for run in session.runs().await.unwrap_or_default().into_iter().rev().take(RUNS) {
        let of_run = |object: &str| keys::of_run(&session.environment, &run, object);
        let record: Option<RunRecord> = session.get(&of_run("request.json")).await.ok().flatten();
        if record.is_none_or(|record| record.waits_for.is_none()) {
            continue;
        }
        let ended: Option<RunResult> = session.get(&of_run("result.json")).await.ok().flatten();
        if ended.is_none() {
            waiting.push(run);
        }
    }
    waiting
}

/// CPU and memory by service and the requests of the last hour, in one call, by the query's id.
async fn metrics(session: &Session, stack: &Stack, reports: &[StageReport]) -> Option<BTreeMap<String, f64>> {
    let mut asked: BTreeMap<String, String> = BTreeMap::new();
    let mut queries = Vec::new();
    let mut ask = |name: String, stat: &str, metric: Metric| {
        // Ids are letters, digits and underscores, a lower-case letter first; services have hyphens.
        let id = format!("q{}", queries.len());
        let stat = MetricStat::builder().metric(metric).period(HOUR).stat(stat).build();
        queries.push(MetricDataQuery::builder().id(&id).metric_stat(stat).build());
        asked.insert(id, name);
    };
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    for service in stack.services.keys() {
        for (what, metric) in [("cpu", "CPUUtilization"), ("memory", "MemoryUtilization")] {
            let metric = Metric::builder()
                .namespace("AWS/ECS")
                .metric_name(metric)
                .dimensions(dimension("ClusterName", &cluster(session)))
                .dimensions(dimension("ServiceName", service));
            ask(format!("{what}{service}"), "Average", metric.build());
        }
    }
    let balancer = reports.iter().find_map(|report| report.names.id(&Name::new("load-balancer", "main")));
    if let Some((_, balancer)) = balancer.and_then(|arn| arn.split_once("loadbalancer/")) {
        let metric = Metric::builder()
            .namespace("AWS/ApplicationELB")
            .metric_name("RequestCount")
            .dimensions(dimension("LoadBalancer", balancer));
        ask("requests".to_owned(), "Sum", metric.build());
    }
    let now = Timestamp::now().as_second();
    let time = aws_sdk_cloudwatch::primitives::DateTime::from_secs;
    let get = aws_sdk_cloudwatch::Client::new(&session.config)
        .get_metric_data()
        .set_metric_data_queries(Some(queries))
        .start_time(time(now - i64::from(HOUR)))
        .end_time(time(now));
    let data = get.send().await.map_err(failed("cloudwatch:GetMetricData")).ok()?;
    let values = data.metric_data_results().iter().filter_map(|result| {
        let name = asked.get(result.id()?)?.clone();
        let values = result.values();
        let sum: f64 = values.iter().sum();
        let count = f64::from(u32::try_from(values.len()).ok().filter(|count| *count > 0)?);
        Some((name.clone(), if name == "requests" { sum } else { sum / count }))
    });
    Some(values.collect())
}
