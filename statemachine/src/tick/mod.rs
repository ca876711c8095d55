//! One tick of one stage: look, decide, and go as far as AWS lets us, without ever waiting for it.
//!
//! # Flow
//!
//! Every kind is fetched, all at once; names and ids are matched; each resource is read and decided about.
//! In [`Mode::Plan`] that is the answer. In [`Mode::Make`] everything that is due is pushed at once, and each
//! completion pushes what has become due; in [`Mode::Remove`] the left-overs go, kind by kind from the last.
//!
//! # Guarantees
//!
//! Nothing is deleted in `Make` but what failed and is made again; nothing is created in `Remove`. A resource
//! that this run has asked for is never asked for again while it cannot be seen. No call is started after the
//! context's deadline or once the run does not hold the lock.
//!
//! # Errors
//!
//! Only a failed look is an error of the tick. What fails for one resource stands in the report.

mod board;
mod forward;
mod kind;
mod outcome;
mod report;
mod resources;
mod todo;
mod tokenless;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;

pub use resources::Resources;

use crate::message::{Failure, Mode, Slot, StageReport};
use crate::plan::Action;
use crate::resource::{Context, Name, Names};
use crate::{ErrorKind, Result};
use board::Board;

/// How a tick stands with the rest of its run. Implemented over the run's lock and record; in tests by hand.
pub trait Link: Send + Sync {
    /// Whether the run still holds the lock and nobody asked it to stop. Asked before each wave of writes.
    fn hold(&self) -> BoxFuture<'_, Result<Hold>>;
    /// What earlier ticks of this stage noted: names, with milliseconds since the epoch.
    fn notes(&self) -> BoxFuture<'_, Result<BTreeMap<Name, u64>>>;
    /// Notes that token-less creates are about to be sent. The error is [`ErrorKind::NotReady`] where another call
    /// for the same stage and run has noted since [`Link::notes`] was asked: then this one must not send them.
    fn note(&self, notes: BTreeMap<Name, u64>) -> BoxFuture<'_, Result<()>>;
}

/// Whether a run may go on writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It holds the lock.
    Yes,
    /// It must stop, and why.
    Stop(String),
}

/// What a tick is told.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// Ids and attributes from earlier stages.
    pub names: Names,
    /// What this run has made already, of this stage.
    pub made: BTreeSet<Name>,
    /// Fields that this run has changed already, of this stage, as `service/api#desired_count`: a second change
    /// of one means that AWS does not keep the first.
    pub changed: BTreeSet<Name>,
    /// Milliseconds since the epoch of the stage's first tick in this mode.
    pub since_ms: u64,
    /// Kinds that are not looked at before the first writes: when the run looked, AWS had nothing of them that is
    /// ours or in the place of ours, and nobody has written for the stage since.
    pub absent: BTreeSet<String>,
    /// Token-less creates that were noted for this tick already.
    pub noted: BTreeSet<Name>,
    /// Milliseconds since the epoch when the run was last seen to hold the lock; none: never.
    pub held_ms: Option<u64>,
}

impl Input {
    /// What a tick in `mode` of the stage with this slot is told, with the ids of the other stages.
    pub fn of(slot: &Slot, mode: Mode, now_ms: u64, others: Names) -> Self {
        let same = slot.mode == Some(mode) && slot.since_ms > 0;
        Self {
            names: others,
            made: slot.made.clone(),
            changed: slot.changed.clone(),
            since_ms: if same { slot.since_ms } else { now_ms },
            ..Self::default()
        }
    }
}

/// Attribute under which a stage tells later ones that one of its resources waits for the user.
pub const PARKED: &str = "parked";

/// How long an answer about the lock is good for.
const HOLD_MS: u64 = 2_000;

/// Whether a wave of writes may begin on what was read of the lock at `read_ms`, without reading it again.
pub fn is_still_held(read_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(read_ms) <= HOLD_MS
}

/// Runs one tick. See the module's documentation.
pub async fn tick<O>(
    resources: Resources<O>,
    ctx: &Context,
    mode: Mode,
    input: Input,
    link: &dyn Link,
) -> Result<StageReport> {
    let mut board = Board::look(resources, ctx, &input).await?;
    if mode != Mode::Plan {
        let refused = board
            .todos()
            .map(|todo| &todo.item)
            .chain(&board.refused)
            .find(|item| item.action == Action::Refuse);
        let refused = refused
            .map(|item| Failure::refused(ctx.stage, &item.name, item.reason.clone().unwrap_or_default()));
        if refused.is_some() {
            board.failure = refused;
        } else {
            outcome::refuse_endless_changes(&mut board, ctx);
            forward::run(&mut board, ctx, mode, input, link).await?;
        }
    }
    Ok(board.report(ctx, mode))
}

/// Milliseconds since the epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u64::try_from(since.as_millis()).expect("milliseconds fit for 500 million years")
}

/// An error of one resource's call that only means: look again. `age_ms` is the stage's: what it needs was
/// made not long before it, so a reference that AWS does not know, or a role that it cannot assume, may
/// still be on its way through AWS (aws-facts.md section 2, rows 1 and 29).
fn is_temporary(kind: ErrorKind, age_ms: u64) -> bool {
    match kind {
        ErrorKind::Transient | ErrorKind::NotReady => true,
        ErrorKind::Missing => age_ms < 60_000,
        ErrorKind::Propagating => age_ms < 120_000,
        ErrorKind::Exists
        | ErrorKind::Denied
        | ErrorKind::Quota
        | ErrorKind::Invalid
        | ErrorKind::Internal => false,
    }
}
