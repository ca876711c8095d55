//! What runs now, decided from what was gathered.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{Container, Service, Task, TaskStopCode};
use aws_sdk_rds::types::DbCluster;
use record::lock::Lock;
use statemachine::config::Stack;
use statemachine::message::{Intent, RunRecord, RunResult};
use statemachine::naming::resource;
use statemachine::resource::Names;

use super::metrics::{Measure, mean, range};
use crate::show::{DatabaseNow, Now, ServiceNow};

/// What was found. What could not be read is absent: a glance is no proof.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) intent: Option<Intent>,
    pub(super) services: Vec<ServiceFacts>,
    pub(super) database: Option<DbCluster>,
    pub(super) metrics: BTreeMap<Measure, Vec<f64>>,
    /// Whether the certificate is issued.
    pub(super) certificate: Option<bool>,
    /// Runs that wait for their turn.
    pub(super) waiting: Vec<String>,
    /// What the last good run put out.
    pub(super) outputs: BTreeMap<String, String>,
}

/// What was found of a service.
#[derive(Debug)]
pub(super) struct ServiceFacts {
    pub(super) service: Service,
    /// The digest of the image that its task definition names.
    pub(super) digest: Option<String>,
    /// The number of the release of that digest.
    pub(super) release: Option<u32>,
    /// Tasks that stopped lately.
    pub(super) stopped: Vec<Task>,
}

/// What runs now.
pub(super) fn now(stack: &Stack, facts: Facts) -> Now {
    let Facts { intent, services, database, metrics, certificate, waiting, outputs } = facts;
    let requests = metrics.get(&Measure::Requests).filter(|values| !values.is_empty());
    Now {
        url: outputs.get("url").cloned(),
        services: services.into_iter().map(|found| service(found, &metrics)).collect(),
        database: database.as_ref().and_then(of_cluster),
        certificate: certificate.map(|issued| if issued { "issued" } else { "not issued yet" }.to_owned()),
        requests: requests.map(|values| values.iter().sum()),
        notes: intent.map(|intent| intent.notes(stack)).unwrap_or_default(),
        waiting,
    }
}

fn service(found: ServiceFacts, metrics: &BTreeMap<Measure, Vec<f64>>) -> ServiceNow {
    let ServiceFacts { service, digest, release, stopped } = found;
    let name = service.service_name().unwrap_or_default().to_owned();
    ServiceNow {
        desired: service.desired_count(),
        running: service.running_count(),
        digest: digest.unwrap_or_default(),
        release,
        stopped: reasons(&stopped),
        cpu: mean(metrics.get(&Measure::Cpu(name.clone()))),
        memory: mean(metrics.get(&Measure::Memory(name.clone()))),
        tasks: range(metrics.get(&Measure::Tasks(name.clone()))),
        service: name,
    }
}

/// Why tasks stopped, the most frequent reason first. What ECS itself replaced is no news.
fn reasons(stopped: &[Task]) -> Vec<(String, usize)> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for task in stopped {
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

fn of_cluster(found: &DbCluster) -> Option<DatabaseNow> {
    let scaling = found.serverless_v2_scaling_configuration()?;
    Some(DatabaseNow {
        cluster: found.db_cluster_identifier().unwrap_or_default().to_owned(),
        status: found.status().unwrap_or_default().to_owned(),
        acu: (scaling.min_capacity().unwrap_or_default(), scaling.max_capacity().unwrap_or_default()),
        endpoint: found.endpoint().unwrap_or_default().to_owned(),
    })
}

/// The digest of an image that is named by it.
pub(super) fn digest_of(image: &str) -> Option<&str> {
    image.split_once('@').map(|(_, digest)| digest)
}

/// Whether the certificate is issued, by the names that a run's certificate stage knows; `None` where it knows
/// of no certificate.
pub(super) fn is_issued(names: &Names) -> Option<bool> {
    let (name, _) = names.of_kind(resource::kind::CERTIFICATE).next()?;
    Some(names.is_settled(name))
}

/// Whether runs may wait for the lock: somebody holds it.
pub(super) fn is_held(lock: Option<&Lock>) -> bool {
    lock.is_some_and(|lock| lock.holder.is_some())
}

/// Whether a run waits for its turn.
pub(super) fn waits(record: &RunRecord, result: Option<&RunResult>) -> bool {
    record.waits_for.is_some() && result.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(reason: &str, code: TaskStopCode, exit: Option<i32>) -> Task {
        let container = Container::builder().set_exit_code(exit).build();
        Task::builder().stopped_reason(reason).stop_code(code).containers(container).build()
    }

    #[test]
    fn the_most_frequent_reason_comes_first_and_a_replaced_task_is_no_news() {
        use TaskStopCode::{EssentialContainerExited, ServiceSchedulerInitiated};
        let exited = || stopped("Essential container in task exited", EssentialContainerExited, Some(137));
        let tasks = [
            stopped("Scaling activity initiated by deployment", ServiceSchedulerInitiated, Some(0)),
            stopped("Task failed ELB health checks", ServiceSchedulerInitiated, Some(0)),
            exited(),
            exited(),
            Task::builder().build(),
        ];
        let expected = [
            ("Essential container in task exited (exit code 137)", 2),
            ("Task failed ELB health checks", 1),
            ("no reason given", 1),
        ];
        assert_eq!(reasons(&tasks), expected.map(|(reason, times)| (reason.to_owned(), times)));
    }

    #[test]
    fn what_could_not_be_read_is_left_out() {
        let file = "app = \"arive\"\nenvironment = \"production\"\n[services.api]\nport = 8000\n";
        let stack = statemachine::config::parse(file.as_bytes(), "stepstack.toml").expect("a good file");
        assert_eq!(now(&stack, Facts::default()), Now::default());
    }

    #[test]
    fn each_fact_has_its_place() {
        let file = "app = \"arive\"\nenvironment = \"production\"\n[services.api]\nport = 8000\n";
        let stack = statemachine::config::parse(file.as_bytes(), "stepstack.toml").expect("a good file");
        let service = Service::builder().service_name("api").desired_count(2).running_count(1).build();
        let found = ServiceFacts {
            service,
            digest: Some("sha256:1".to_owned()),
            release: Some(12),
            stopped: Vec::new(),
        };
        let metrics = [
            (Measure::Cpu("api".to_owned()), vec![10.0, 20.0]),
            (Measure::Memory("worker".to_owned()), vec![50.0]),
            (Measure::Tasks("api".to_owned()), vec![1.0, 2.0]),
            (Measure::Requests, vec![3.0, 4.0]),
        ];
        let facts = Facts {
            services: vec![found],
            metrics: metrics.into(),
            certificate: Some(false),
            outputs: [("url".to_owned(), "https://api".to_owned())].into(),
            ..Facts::default()
        };
        let api = ServiceNow {
            service: "api".to_owned(),
            desired: 2,
            running: 1,
            digest: "sha256:1".to_owned(),
            release: Some(12),
            cpu: Some(15.0),
            tasks: Some((1, 2)),
            ..ServiceNow::default()
        };
        let expected = Now {
            url: Some("https://api".to_owned()),
            services: vec![api],
            certificate: Some("not issued yet".to_owned()),
            requests: Some(7.0),
            ..Now::default()
        };
        assert_eq!(now(&stack, facts), expected);
    }
}
