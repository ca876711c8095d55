//! The runtime loop of a function.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime};

use aws::{Function, config_from_environment};
use aws_types::SdkConfig;
use futures_util::future::BoxFuture;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use record::Bucket;
use serde::Serialize;
use serde::de::DeserializeOwned;
use statemachine::message::{Slot, StageCall};
use statemachine::{Error, Result};

use crate::answer::answer;

/// A function answers within this time, whatever its own timeout.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
/// It starts no call in the last part of it.
const QUIET_BEFORE_END: Duration = Duration::from_secs(10);

/// An error as Step Functions sees it: its errorType is the kind's public name, so that `Retry` can list it.
#[derive(Debug)]
pub struct Fault(Error);

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Fault> for Diagnostic {
    fn from(Fault(error): Fault) -> Self {
        Self { error_type: error.kind.to_string(), error_message: error.message }
    }
}

/// Serves a stage's function until Lambda ends the process.
pub async fn serve<F: Function>() -> Result<(), lambda_runtime::Error> {
    serve_with(|config| {
        let (function, bucket) = (F::new(config), bucket(config));
        move |call: StageCall, deadline| {
            let (function, bucket) = (function.clone(), bucket.clone());
            // Boxed: the stages' futures are deeper than the compiler cares to look through.
            let answer: BoxFuture<'static, Result<Slot>> =
                Box::pin(async move { answer(&function, &bucket, call, deadline).await });
            answer
        }
    })
    .await
}

/// Serves any handler: `build` makes its clients once, the handler gets each request and the time by which
/// it has to have started its last call.
pub async fn serve_with<Q, A, B, H, R>(build: B) -> Result<(), lambda_runtime::Error>
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    B: FnOnce(&SdkConfig) -> H,
    H: Fn(Q, Instant) -> R + Send + Sync,
    R: Future<Output = Result<A>> + Send,
{
    // Lambda's log is the function's standard output; time and level come from Lambda itself.
    tracing_subscriber::fmt().json().with_target(false).with_current_span(false).without_time().init();
    let handler = build(&config_from_environment());
    let handler = &handler;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Q>| async move {
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let deadline = Instant::now() + left.min(ANSWER_WITHIN).saturating_sub(QUIET_BEFORE_END);
        handler(event.payload, deadline).await.map_err(Fault)
    }))
    .await
}

/// The provisioner's bucket, from the function's environment.
pub fn bucket(config: &SdkConfig) -> Bucket {
    Bucket::new(config, std::env::var("STEPSTACK_BUCKET").unwrap_or_default())
}
