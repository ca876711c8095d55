//! Ticks until everything is as described.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use statemachine::message::{Failure, Mode, StageReport, Status};
use statemachine::permission::Scope;
use statemachine::resource::{Context, Name, Options};
use statemachine::tick::{Hold, Input, Link, Resources, now_ms, tick};
use statemachine::{ErrorKind, Part, Result};

use super::engine::context;
use super::error::InstallError;

/// For this long a look that fails for a moment is repeated.
const LOOK_AGAIN_FOR: Duration = Duration::from_mins(1);

/// Ticks until the part is ready. Each part knows its own by its tag.
pub(super) async fn ticks(
    part: Part,
    resources: &dyn Fn() -> Resources,
    scope: &Scope,
    options: Options,
    mode: Mode,
    progress: &dyn Fn(&StageReport),
    changed: &mut BTreeSet<Name>,
) -> Result<StageReport, InstallError> {
    let (begin, link) = (Instant::now(), Alone::default());
    let mut input = Input { since_ms: now_ms(), ..Input::default() };
    let mut wait = Duration::from_millis(100);
    loop {
        let ctx = Context { stage: part, ..context(scope, options.clone()) };
        match tick(resources(), &ctx, mode, input.clone(), &link).await {
            Ok(report) => {
                progress(&report);
                let worked = report.items.iter().filter(|item| item.started_ms.is_some());
                changed.extend(worked.map(|item| item.name.clone()));
                changed.extend(report.made.iter().chain(&report.changed).map(Name::whole));
                if let Some(failure) = report.failure.clone() {
                    return Err(InstallError::Part { failure: Box::new(advised(failure)) });
                }
                if report.status == Status::Ready {
                    return Ok(report);
                }
                input.made = report.made;
                input.changed = report.changed;
            }
            Err(error) if error.kind.is_passing() && begin.elapsed() < LOOK_AGAIN_FOR => {}
            Err(error) => return Err(InstallError::Look(error)),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 3).min(Duration::from_secs(1));
    }
}

/// The engine's failures advise about functions; here it is the caller who acts.
fn advised(failure: Failure) -> Failure {
    let next = match (failure.kind, &failure.action) {
        (ErrorKind::Denied, Some(action)) => format!(
            "Your credentials lack {action}. `stepstack bootstrap --print-policies` shows all that installing \
             needs, under `installer`."
        ),
        (ErrorKind::Denied, None) => {
            "Your credentials lack a permission. `stepstack bootstrap --print-policies` shows all that \
             installing needs, under `installer`."
                .to_owned()
        }
        (ErrorKind::Internal, _) => {
            "This is likely a fault of Stepstack: please report it. `stepstack bootstrap` goes on from here."
                .to_owned()
        }
        (
            ErrorKind::Transient
            | ErrorKind::NotReady
            | ErrorKind::Propagating
            | ErrorKind::Missing
            | ErrorKind::Exists
            | ErrorKind::Quota
            | ErrorKind::Invalid,
            _,
        ) => "Correct what stands in the way, then run `stepstack bootstrap` again: it goes on from here."
            .to_owned(),
    };
    Failure { next, ..failure }
}

/// The installer has no lock: nothing else makes the engine, and every call of it may be repeated.
#[derive(Default)]
struct Alone {
    notes: Mutex<BTreeMap<Name, u64>>,
}

impl Link for Alone {
    fn hold(&self) -> BoxFuture<'_, Result<Hold>> {
        Box::pin(std::future::ready(Ok(Hold::Yes)))
    }

    fn notes(&self) -> BoxFuture<'_, Result<BTreeMap<Name, u64>>> {
        let notes = self.notes.lock().map(|notes| notes.clone()).unwrap_or_default();
        Box::pin(std::future::ready(Ok(notes)))
    }

    fn note(&self, notes: BTreeMap<Name, u64>) -> BoxFuture<'_, Result<()>> {
        if let Ok(mut known) = self.notes.lock() {
            *known = notes;
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
