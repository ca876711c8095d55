//! What `status` needs to know: asked of AWS itself with the user's credentials, all at once. What cannot be read
//! is left out.

use std::num::NonZeroU32;

use aws_sdk_ecs::types::{DesiredStatus, Service, Task};
use aws_sdk_rds::types::DbCluster;
use futures_util::future::join_all;
use record::lock::Lock;
use statemachine::Stage;
use statemachine::config::Stack;
use statemachine::message::{Intent, StageReport};
use statemachine::naming::resource;

use super::metrics::metrics;
use super::now::{Facts, ServiceFacts, digest_of, is_held, is_issued, waits};
use crate::commands::output::outputs;
use crate::session::Session;

/// How many of the newest runs are looked through for those that wait.
const RUNS: usize = 20;

/// Reads everything. `runs` are the newest first, `reports` those of the last run's stages.
pub(super) async fn facts(
    session: &Session,
    stack: &Stack,
    runs: &[String],
    reports: &[StageReport],
    lock: Option<&Lock>,
) -> Facts {
    let intent = session.intent().await.ok().flatten();
    let runs = &runs[..runs.len().min(RUNS)];
    let cluster = cluster(session);
    let balancer = reports.iter().find_map(|report| report.names.id(&resource::load_balancer()));
    let (services, database, metrics, certificate, waiting, outputs) = tokio::join!(
        services(session, stack, intent.as_ref()),
        database(session, stack, intent.as_ref()),
        metrics(session, &cluster, stack.services.keys().map(String::as_str), balancer),
        certificate(session, stack, runs),
        waiting(session, runs, lock),
        outputs(session, runs),
    );
    let (metrics, outputs) = (metrics.unwrap_or_default(), outputs.ok().flatten().unwrap_or_default());
    Facts { intent, services, database, metrics, certificate, waiting, outputs }
}

fn cluster(session: &Session) -> String {
    session.aws_names().ecs_cluster()
}

async fn services(session: &Session, stack: &Stack, intent: Option<&Intent>) -> Vec<ServiceFacts> {
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
    service: &Service,
    intent: Option<&Intent>,
) -> ServiceFacts {
    let name = service.service_name().unwrap_or_default();
    let (image, stopped) = tokio::join!(image(ecs, service.task_definition()), stopped(session, ecs, name));
    let digest = image.as_deref().and_then(digest_of).map(str::to_owned);
    let release = release_number(session, intent, digest.as_deref().unwrap_or_default()).await;
    ServiceFacts { service: service.clone(), digest, release, stopped }
}

async fn image(ecs: &aws_sdk_ecs::Client, definition: Option<&str>) -> Option<String> {
    let described = ecs.describe_task_definition().task_definition(definition?).send().await.ok()?;
    Some(described.task_definition()?.container_definitions().first()?.image()?.to_owned())
}

/// The number of the newest release of a digest.
async fn release_number(session: &Session, intent: Option<&Intent>, digest: &str) -> Option<u32> {
    let newest = intent?.release.as_ref()?;
    if newest.image.digest == digest {
        return Some(newest.number.get());
    }
    for number in (1..newest.number.get()).rev().filter_map(NonZeroU32::new).take(5) {
        let record = session.release_record(number).await.ok().flatten();
        if record.is_some_and(|record| record.release.image.digest == digest) {
            return Some(number.get());
        }
    }
    None
}

/// A service's tasks that stopped lately.
async fn stopped(session: &Session, ecs: &aws_sdk_ecs::Client, service: &str) -> Vec<Task> {
    let list = ecs.list_tasks().cluster(cluster(session)).service_name(service);
    let list = list.desired_status(DesiredStatus::Stopped).send().await;
    let Ok(arns) = list.map(|list| list.task_arns.unwrap_or_default()) else { return Vec::new() };
    if arns.is_empty() {
        return Vec::new();
    }
    let describe = ecs.describe_tasks().cluster(cluster(session)).set_tasks(Some(arns)).send().await;
    describe.ok().and_then(|described| described.tasks).unwrap_or_default()
}

async fn database(session: &Session, stack: &Stack, intent: Option<&Intent>) -> Option<DbCluster> {
    stack.database.as_ref()?;
    let generation = intent.map_or(1, |intent| intent.database.generation);
    let rds = aws_sdk_rds::Client::new(&session.config);
    let identifier = format!("{}-{generation}", cluster(session));
    let described = rds.describe_db_clusters().db_cluster_identifier(&identifier).send().await.ok()?;
    described.db_clusters().first().cloned()
}

/// Whether the certificate is issued, as the newest run saw it, by the report of its making or else by its plan.
async fn certificate(session: &Session, stack: &Stack, runs: &[String]) -> Option<bool> {
    const STAGE: Stage = Stage::Certificate;
    stack.domain.as_ref()?;
    for run in runs {
        let names = if let Some(report) = session.report(run, STAGE).await.ok().flatten() {
            Some(report.names)
        } else {
            let plan = session.plan_record(run).await.ok().flatten();
            let stages = plan.map(|plan| plan.plan.stages).unwrap_or_default();
            stages.into_iter().find(|stage| stage.stage == STAGE).map(|stage| stage.names)
        };
        let issued = names.as_ref().and_then(is_issued);
        if issued.is_some() {
            return issued;
        }
    }
    None
}

/// Runs that wait for the lock; none while nobody holds it.
async fn waiting(session: &Session, runs: &[String], lock: Option<&Lock>) -> Vec<String> {
    if !is_held(lock) {
        return Vec::new();
    }
    let waiting = runs.iter().map(|run| async move {
        let record = session.run_record(run).await.ok().flatten();
        // Only of one that waited it is asked whether it still does.
        let record = record.filter(|record| waits(record, None))?;
        let result = session.run_result(run).await.ok().flatten();
        waits(&record, result.as_ref()).then(|| run.clone())
    });
    join_all(waiting).await.into_iter().flatten().collect()
}
