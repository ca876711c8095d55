//! The diagnose function: the cause of a failure, gathered before anything is cleaned up.
//!
//! It reads and never fails a run: what it could not look at, it says.

mod cause;
pub mod evidence;
mod gather;

use std::time::Instant;

use aws_types::SdkConfig;
use futures_util::future::BoxFuture;
use record::Bucket;
use serde::{Deserialize, Serialize};
use statemachine::message::{Document, Failure};
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::Name;
use statemachine::{Result, Stage};

pub use cause::diagnose;
pub use evidence::{Evidence, StoppedTask, Target};

/// What calls the function.
#[derive(Debug, Deserialize)]
pub struct Call {
    document: Document,
}

/// What it answers: the diagnosis itself stands in the run's record.
#[derive(Debug, Serialize)]
pub struct Answer {
    cause: String,
}

/// The function's clients.
#[derive(Clone, Debug)]
pub struct Clients {
    /// ECS: events and stopped tasks.
    pub ecs: aws_sdk_ecs::Client,
    /// CloudWatch Logs: the tasks' last lines.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// Elastic Load Balancing: why targets are unhealthy.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// The provisioner's bucket.
    pub bucket: Bucket,
}

/// Builds the handler that `lambda::serve_with` calls.
pub fn handler(config: &SdkConfig) -> impl Fn(Call, Instant) -> BoxFuture<'static, Result<Answer>> + use<> {
    let clients = Clients {
        ecs: aws_sdk_ecs::Client::new(config),
        logs: aws_sdk_cloudwatchlogs::Client::new(config),
        elb: aws_sdk_elasticloadbalancingv2::Client::new(config),
        bucket: lambda::bucket(config),
    };
    move |call, _| {
        let clients = clients.clone();
        Box::pin(async move { clients.answer(call.document).await })
    }
}

impl Clients {
    async fn answer(&self, document: Document) -> Result<Answer> {
        let Some(failure) = self.failure(&document).await else {
            return Ok(Answer { cause: "nothing failed".to_owned() });
        };
        let name = Name::from_tag(&failure.name);
        let evidence = if name.kind() == resource::kind::TASK {
            gather::task(self, &document, &name).await
        } else if failure.stage == Stage::Services {
            gather::services(self, &document).await
        } else {
            Evidence::default()
        };
        let diagnosis = diagnose(&failure, &evidence);
        tracing::info!(run = document.run.id, stage = %failure.stage, cause = diagnosis.cause, "diagnosis");
        self.bucket.run(&document.run).diagnosis().put(&diagnosis).await?;
        Ok(Answer { cause: diagnosis.cause })
    }

    /// What failed: what a stage reports, else what a Catch caught.
    async fn failure(&self, document: &Document) -> Option<Failure> {
        for stage in Stage::ALL {
            let report = self.bucket.last_report(document, stage).await.ok().flatten();
            let failure = report.and_then(|report| report.failure);
            if failure.is_some() {
                return failure;
            }
        }
        document.caught_failure()
    }
}

/// What the function may do.
pub fn permissions(scope: &Scope) -> Vec<Permission> {
    let ecs = ["service", "task", "container-instance"]
        .map(|part| scope.arn("ecs", &format!("{part}/{}", scope.every_stack().prefix())));
    let streams = scope.log_group_arn(&scope.every_stack().service_log_groups());
    vec![
        Permission::on(&["ecs:DescribeServices", "ecs:DescribeTasks", "ecs:ListTasks"], ecs),
        Permission::on(&["logs:FilterLogEvents"], [streams]),
        Permission::unscoped(
            &["elasticloadbalancing:DescribeTargetHealth"],
            "Elastic Load Balancing's Describe actions take no resource",
        ),
    ]
}
