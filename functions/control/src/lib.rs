//! The control function: the run itself. It reads and checks what is asked for, holds the lock, joins the stages'
//! plans, and writes the record and the result.
//!
//! Each of its three steps goes the same way: [`gather`] reads what [`decide`] says it has to know, `decide` answers
//! with the run's course, and [`carry_out`] writes what belongs to it.

#![warn(clippy::wildcard_enum_match_arm)]

mod ask;
pub mod carry_out;
mod configuration;
pub mod decide;
mod described;
mod field;
#[cfg(test)]
#[path = "../tests/decide/fixture.rs"]
mod fixture;
mod gather;
mod holder;
mod intent;
mod lost;
mod outputs;
mod overlay;
mod put_back;
mod release;
mod run_id;
mod sweep;
mod why;
mod write;

use std::time::Instant;

use aws_sdk_ecr::Client as Ecr;
use aws_sdk_sfn::Client as Sfn;
use aws_types::SdkConfig;
use futures_util::future::BoxFuture;
use record::Bucket;
use statemachine::Result;
use statemachine::message::{ControlCall, Document};
use statemachine::permission::{Permission, Scope};

pub use ask::{Ask, NotAsked, Source, ask};
pub use configuration::Configuration;
pub use intent::Accepted;
pub use overlay::{NotLaid, lay_over, release_of_rollback};

use crate::decide::begin::Begun;
use crate::decide::finish::Worked;
use crate::decide::join::Looked;
use crate::run_id::run_id;

/// The function's clients and whom it serves.
#[derive(Clone, Debug)]
pub struct Control {
    /// Step Functions: whether the holder of a lock still runs.
    pub sfn: Sfn,
    /// ECR: the newest image of a tag, and the tag of a release.
    pub ecr: Ecr,
    /// The provisioner's bucket.
    pub bucket: Bucket,
    /// The app, account and region.
    pub scope: Scope,
}

impl Control {
    /// From the function's environment.
    pub fn new(config: &SdkConfig) -> Self {
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        let scope = Scope {
            app: variable("STEPSTACK_APP"),
            account: variable("STEPSTACK_ACCOUNT"),
            region: variable("AWS_REGION"),
        };
        Self { sfn: Sfn::new(config), ecr: Ecr::new(config), bucket: lambda::bucket(config), scope }
    }

    /// Carries out one step of a run: reads what matters, decides, and writes.
    pub async fn answer(&self, call: ControlCall) -> Result<Document> {
        let started = Instant::now();
        let (step, decided) = match call {
            ControlCall::Begin { input, execution, name, started_at } => {
                let ask = ask(input, &self.scope.app, &self.bucket.name);
                let run = run_id(&name, &started_at);
                let known = Begun::new(self.scope.clone(), run, execution, started_at, ask);
                ("begin", self.begin(known).await?)
            }
            ControlCall::Join { document } => {
                ("join", self.join(Looked::new(self.scope.clone(), *document)).await?)
            }
            ControlCall::Finish { document } => {
                ("finish", self.finish(Worked::new(self.scope.clone(), *document)).await?)
            }
        };
        let document = self.carry_out(decided).await?;
        tracing::info!(
            run = document.run.id,
            step,
            next = ?document.verdict.next,
            message = document.verdict.message,
            ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "control"
        );
        Ok(document)
    }
}

/// Builds the handler that `lambda::serve_with` calls.
pub fn handler(
    config: &SdkConfig,
) -> impl Fn(ControlCall, Instant) -> BoxFuture<'static, Result<Document>> + use<> {
    let control = Control::new(config);
    move |call, _| {
        let control = control.clone();
        Box::pin(async move { control.answer(call).await })
    }
}

/// What the function may do.
pub fn permissions(scope: &Scope) -> Vec<Permission> {
    let object = |prefix: &str| format!("{}/{prefix}/*", scope.bucket_arn());
    let objects = ["environments", "intent", "locks", "runs", "releases"].map(object);
    vec![
        Permission::on(&["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], objects),
        Permission::on(&["s3:DeleteObject"], ["environments", "intent"].map(object)),
        Permission::on(&["s3:ListBucket"], [scope.bucket_arn()]),
        Permission::on(&["states:DescribeExecution"], [scope.execution("*")]),
        Permission::on(
            &["ecr:DescribeImages", "ecr:BatchGetImage", "ecr:PutImage"],
            [scope.arn("ecr", &format!("repository/{}", scope.every_stack().repository()))],
        ),
    ]
}
