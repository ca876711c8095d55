//! The end of a run: what became of it, the intent for the next one, the result, and the lock given back.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use aws::failed;
use futures_util::future::try_join_all;
use record::Asked;
use statemachine::error::Optional as _;
use statemachine::message::{
    Caught, Diagnosis, Document, Failure, Image, Operation, Outcome, PuttingBack, Release, ReleaseRecord,
    Run, RunResult, StageReport, Status, Sweep, Waiting,
};
use statemachine::permission::Scope;
use statemachine::plan::{Action, Plan, Progress, StagePlan};
use statemachine::resource::Name;
use statemachine::{Error, ErrorKind, Part, Result, Stage};

use crate::Control;
use crate::intent::{buckets, hosts};
use crate::join::{is_unrecorded, kept};
use crate::put_back::{can_put_back, counts_when_done, result_of};

impl Control {
    /// The last step of a run that went beyond looking, and of every run that failed.
    ///
    /// A failed deploy, rollback, restart or rotation comes here twice: first it is sent back to put back what
    /// was there before, then its failure is its result.
    pub(crate) async fn finish(&self, mut document: Document) -> Result<Document> {
        let run = document.run.clone();
        let reports = self.reports(&document).await?;
        let failure = failure(&document, &reports);
        let stopped = reports.values().find_map(|report| report.stopped.clone());
        let mut waiting: Vec<Waiting> = Vec::new();
        for one in reports.values().flat_map(|report| report.waiting.clone()) {
            if !waiting.contains(&one) {
                waiting.push(one);
            }
        }
        let mut result = RunResult::without_plan(&run, Outcome::Succeeded, String::new());
        result.plan.clone_from(&document.plan);
        result.outputs = outputs(&document, &self.scope);
        result.waiting = waiting;
        result.exit_code = document
            .stages
            .services
            .outputs
            .attribute(&Name::new("task", "run"), "exit_code")
            .and_then(|code| code.parse().ok());
        if let Some(put_back) = document.putting_back.take() {
            return self.end(document, result_of(*put_back, result, failure, stopped, &reports)).await;
        }
        match (failure, stopped) {
            (Some(failure), _) => {
                let diagnosis = self.bucket.run(&run).diagnosis().get().await?;
                let caught = document.undiagnosed.as_ref();
                let diagnosis = diagnosis.or_else(|| Some(undiagnosed(caught?, &failure)));
                if can_put_back(&document) {
                    return self.put_back(document, PuttingBack { failure, diagnosis }).await;
                }
                result.fail(failure, diagnosis);
            }
            (None, Some(why)) => {
                result.outcome = Outcome::Stopped;
                result.message =
                    format!("The run stopped: {why}. What it made stays; the next run goes on from here.");
            }
            (None, None) if run.operation == Operation::Destroy => {
                let sweep = sweep(&self.looks(&document).await?);
                result.message = format!("{} left.", sweep.left.len());
                if sweep.left.is_empty() {
                    or_fail(self.bucket.record(&run.environment).forget().await, &mut result)?;
                } else {
                    result.outcome = Outcome::Failed;
                    result.message = format!("{} left: {}", sweep.left.len(), sweep.left.join(", "));
                }
                result.sweep = Some(sweep);
            }
            (None, None) => {
                result.message = match (result.waiting.len(), outage_ms(&run, &reports)) {
                    (0, Some(outage)) => format!(
                        "The password is new. New connections of old tasks failed for {:.1} s.",
                        std::time::Duration::from_millis(outage).as_secs_f64()
                    ),
                    (0, None) => "What was asked for is what is there.".to_owned(),
                    _ => "Everything is made but what waits for you.".to_owned(),
                };
                let release = or_fail(self.remember(&document, &reports).await, &mut result)?.flatten();
                if let Some(release) = release {
                    result.outputs.insert("release".to_owned(), release.number.to_string());
                    result.outputs.insert("image".to_owned(), release.image.digest);
                }
            }
        }
        self.end(document, result).await
    }

    /// What each stage has to tell at the end.
    async fn reports(&self, document: &Document) -> Result<BTreeMap<Stage, StageReport>> {
        let reports = Stage::ALL.map(|stage| async move {
            let report = self.bucket.end_report(document, stage).await?;
            Ok::<_, Error>(report.map(|report| (stage, report)))
        });
        Ok(try_join_all(reports).await?.into_iter().flatten().collect())
    }

    /// What the next run has to know: what was described, the hosts, the release. Answers the release that
    /// the services run.
    async fn remember(
        &self,
        document: &Document,
        reports: &BTreeMap<Stage, StageReport>,
    ) -> Result<Option<Release>> {
        let run = &document.run;
        let mut intent = document.intent.clone();
        if let (Some(stack), Operation::Apply) = (&document.stack, run.operation) {
            intent.hosts = hosts(stack);
            intent.buckets = buckets(stack);
        }
        if let Some((digest, architecture)) = running(document) {
            let known = intent.release.as_ref().filter(|release| release.image.digest == digest);
            match known {
                Some(known) if run.operation != Operation::Rollback => {
                    let image = Image { architecture, ..known.image.clone() };
                    intent.release = Some(Release { image, ..*known });
                }
                Some(_) | None => {
                    let number = NonZeroU32::MIN.saturating_add(intent.releases);
                    let tag = document.image.as_ref().and_then(|wanted| wanted.image().tag.clone());
                    let release = Release { number, image: Image { digest, tag, architecture } };
                    self.record_release(document, &release).await?;
                    intent.releases = number.get();
                    intent.release = Some(release);
                }
            }
        }
        if intent != document.intent || counts_when_done(run.operation) {
            self.bucket.record(&run.environment).intent().put(&intent).await?;
        }
        // An image deployed by itself changes what was asked of the services; the rest stays as it was asked.
        let known = self.asked(document).await?;
        let asked = asked(known.clone(), reports);
        if asked != known {
            self.bucket.record(&run.environment).asked().put(&asked).await?;
        }
        Ok(intent.release)
    }

    /// What the last good run described; of an environment without one, nothing.
    async fn asked(&self, document: &Document) -> Result<Asked> {
        if document.before.as_deref().unwrap_or(&document.intent).run.is_none() {
            return Ok(Asked::default());
        }
        Ok(self.bucket.record(&document.run.environment).asked().get().await?.unwrap_or_default())
    }

    /// `releases/{env}/{n}.json`, and the tag `release-{n}` on the image, so that it is never expired.
    async fn record_release(&self, document: &Document, release: &Release) -> Result<()> {
        let run = &document.run;
        let services = document.stack.iter().flat_map(|stack| &stack.services);
        let environment = services
            .map(|(name, service)| {
                let laid = document.intent.environment(name, &service.environment, document.config.as_ref());
                (name.clone(), laid)
            })
            .collect();
        let definitions = document.stages.services.outputs.of_kind("task-definition");
        let task_definitions = definitions
            .map(|(name, arn)| {
                let service = name.base().split_once('/').map_or("", |(_, service)| service);
                (service.to_owned(), arn.to_owned())
            })
            .collect();
        let record = ReleaseRecord {
            release: release.clone(),
            run: run.id.clone(),
            operation: run.operation,
            trigger: run.trigger,
            caller: run.caller.clone(),
            at: run.started_at.clone(),
            duration_ms: RunResult::without_plan(run, Outcome::Succeeded, String::new()).duration_ms,
            environment,
            task_definitions,
        };
        self.bucket.record(&run.environment).release(release.number).put(&record).await?;
        self.tag_release(run, release).await
    }

    async fn tag_release(&self, run: &Run, release: &Release) -> Result<()> {
        let repository = format!("{}/{}", run.app, run.environment);
        let image =
            aws_sdk_ecr::types::ImageIdentifier::builder().image_digest(&release.image.digest).build();
        let get = self.ecr.batch_get_image().repository_name(&repository).image_ids(image).send().await;
        let Some(found) = get.map_err(failed("ecr:BatchGetImage")).optional()? else { return Ok(()) };
        let Some(image) = found.images().first() else { return Ok(()) };
        let put = self
            .ecr
            .put_image()
            .repository_name(repository)
            .set_image_manifest(image.image_manifest().map(str::to_owned))
            .set_image_manifest_media_type(image.image_manifest_media_type().map(str::to_owned))
            .image_digest(&release.image.digest)
            .image_tag(format!("release-{}", release.number));
        match put.send().await.map_err(failed("ecr:PutImage")) {
            // Already tagged by an earlier try of this step.
            Ok(_) => Ok(()),
            Err(error) if error.kind == ErrorKind::Exists => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What a last step of the run came to. Where it failed, the run is told to have failed, and its lock is given back; the
/// next run does it. Fails with what Step Functions calls again for.
fn or_fail<T>(done: Result<T>, result: &mut RunResult) -> Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if matches!(error.kind, ErrorKind::Transient | ErrorKind::NotReady) => Err(error),
        Err(error) => {
            result.fail(Failure::of(Part::Control, &Name::from_tag("*"), &error), None);
            Ok(None)
        }
    }
}

/// For a rotation: milliseconds from the change of the password until the last task was replaced.
fn outage_ms(run: &Run, reports: &BTreeMap<Stage, StageReport>) -> Option<u64> {
    let items = |stage: Stage, kind: &'static str| {
        reports
            .get(&stage)
            .into_iter()
            .flat_map(|report| &report.items)
            .filter(move |item| item.name.kind() == kind)
    };
    let changed = items(Stage::Database, "db-cluster").filter_map(|item| item.started_ms).min()?;
    let replaced = items(Stage::Services, "service").filter_map(|item| item.ended_ms).max()?;
    (run.operation == Operation::Rotate).then(|| replaced.saturating_sub(changed))
}

/// The image that the services run, with its architecture, once they are as described.
fn running(document: &Document) -> Option<(String, Option<String>)> {
    let services = &document.stages.services;
    let is_as_described = match services.status {
        Status::Ready => true,
        Status::Looked => is_unrecorded(document),
        Status::Pending | Status::NotReady | Status::Failed | Status::Stopped => false,
    };
    if !is_as_described || services.outputs.of_kind("service").next().is_none() {
        return None;
    }
    let image = Name::from_tag("image/current");
    let attribute = |attribute: &str| services.outputs.attribute(&image, attribute).map(str::to_owned);
    Some((attribute("digest")?, attribute("architecture")))
}

fn asked(mut asked: Asked, reports: &BTreeMap<Stage, StageReport>) -> Asked {
    for (stage, report) in reports {
        let stage = asked.entry(*stage).or_default();
        let mut now = BTreeMap::new();
        for item in &report.items {
            let name = item.name.to_string();
            let gone = item.action == Action::Delete && item.progress == Progress::Done;
            if gone {
                continue;
            }
            match (&item.to, stage.remove(&name)) {
                (Some(to), _) => {
                    now.insert(name, to.clone());
                }
                (None, Some(mut before)) => {
                    for change in item.changes.iter().filter(|_| item.progress == Progress::Done) {
                        set(&mut before, &change.field, &change.to);
                    }
                    now.insert(name, before);
                }
                (None, None) => {}
            }
        }
        *stage = now;
    }
    asked
}

/// Sets the value at a path such as `scaling.min_acu`.
fn set(value: &mut serde_json::Value, path: &str, to: &serde_json::Value) {
    match path.split_once('.') {
        Some((first, rest)) if value.get(first).is_some_and(serde_json::Value::is_object) => {
            set(&mut value[first], rest, to);
        }
        Some(_) | None => {
            if let Some(object) = value.as_object_mut() {
                object.insert(path.to_owned(), to.clone());
            }
        }
    }
}

/// What failed: what a stage reports, else what a Catch caught.
fn failure(document: &Document, reports: &BTreeMap<Stage, StageReport>) -> Option<Failure> {
    reports.values().find_map(|report| report.failure.clone()).or_else(|| document.caught_failure())
}

/// Stands for a diagnosis where diagnose itself failed: what it could not do, its role's leave above all.
fn undiagnosed(caught: &Caught, failure: &Failure) -> Diagnosis {
    Diagnosis {
        cause: failure.message.clone(),
        evidence: vec![format!("Not diagnosed. {caught}")],
        next: failure.next.clone(),
    }
}

fn sweep(looks: &BTreeMap<Stage, StageReport>) -> Sweep {
    let stages = looks.iter().map(|(stage, look)| StagePlan {
        stage: *stage,
        items: look.items.clone(),
        names: look.names.clone(),
    });
    let plan = Plan { stages: stages.collect() };
    let left = plan
        .items()
        .filter(|(_, item)| matches!(item.action, Action::Delete | Action::Wait | Action::Refuse));
    let left = left.map(|(stage, item)| match &item.reason {
        Some(reason) => format!("{stage} {} ({reason})", item.name),
        None => format!("{stage} {}", item.name),
    });
    Sweep { left: left.collect(), kept: kept(&plan) }
}

/// What people want to know at the end.
pub(crate) fn outputs(document: &Document, scope: &Scope) -> BTreeMap<String, String> {
    let stages = &document.stages;
    let mut outputs = BTreeMap::new();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            outputs.insert(key.to_owned(), value);
        }
    };
    let balancer = Name::new("load-balancer", "main");
    let dns_name = stages.ingress.outputs.attribute(&balancer, "dns_name").map(str::to_owned);
    if let Some(stack) = &document.stack {
        let host = stack.public_services().find_map(|(_, service)| service.host.clone());
        put(
            "url",
            host.map(|host| format!("https://{host}"))
                .or_else(|| dns_name.as_ref().map(|name| format!("http://{name}"))),
        );
    }
    put("load_balancer", dns_name);
    let zone = Name::new("hosted-zone", "main");
    put("name_servers", stages.certificate.outputs.attribute(&zone, "name_servers").map(str::to_owned));
    let repository = Name::new("repository", "main");
    put("repository", stages.foundation.outputs.attribute(&repository, "uri").map(str::to_owned));
    let cluster = Name::new("db-cluster", "main");
    put("database_endpoint", stages.database.outputs.attribute(&cluster, "endpoint").map(str::to_owned));
    put("uploads_bucket", stages.foundation.outputs.id(&Name::new("bucket", "uploads")).map(str::to_owned));
    let region = &scope.region;
    put(
        "state_machine",
        Some(format!(
            "https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{}",
            document.run.execution
        )),
    );
    outputs
}
