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

mod forward;
mod resources;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::{BoxFuture, try_join_all};

pub use resources::Resources;

use crate::message::{Failure, Mode, Slot, StageReport, Status, Waiting};
use crate::plan::{Action, Item, Progress};
use crate::resource::{Context, Name, Names, Need};
use crate::{Error, ErrorKind, Result};
use resources::{Identified, Kind, Raws, Todo, look};

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
    /// Milliseconds since the epoch when the run was last seen to hold the lock; 0: never.
    pub held_ms: u64,
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

/// Longest that a stage may go on in one run before it is a failure.
const STAGE_DEADLINE_MS: u64 = 60 * 60 * 1000;
/// For how long a noted token-less create is looked up before it is sent again: EC2's listings lag behind
/// (aws-facts.md section 1).
const LOOK_UP_MS: u64 = 15_000;
/// How long an answer about the lock is good for.
const HOLD_MS: u64 = 2_000;

/// Whether a wave of writes may begin on what was read of the lock at `read_ms`, without reading it again.
pub fn is_still_held(read_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(read_ms) <= HOLD_MS
}

/// Runs one tick. See the module's documentation.
pub async fn tick(
    resources: Resources,
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
            forward::refuse_endless_changes(&mut board, ctx);
            forward::run(&mut board, ctx, mode, input, link).await?;
        }
    }
    Ok(board.report(ctx, mode))
}

/// The state of a tick.
struct Board {
    kinds: Vec<Kind>,
    /// By kind, in the stage's order.
    rows: Vec<Vec<Todo>>,
    names: Names,
    /// The names of this stage alone, for its outputs.
    own: BTreeSet<Name>,
    parked: BTreeMap<Name, String>,
    waiting: Vec<Waiting>,
    outputs: Vec<(Name, String)>,
    refused: Vec<Item>,
    made: BTreeSet<Name>,
    changed: BTreeSet<Name>,
    since_ms: u64,
    failure: Option<Failure>,
    stopped: Option<String>,
    out_of_time: bool,
    /// A change has given something another attribute, such as a secret its next version: what names it has
    /// to be decided about again.
    moved: bool,
    /// What AWS refused for now, and why.
    not_ready: BTreeMap<Name, String>,
    /// What this tick asked of AWS, by resource.
    asked: BTreeMap<Name, Action>,
    /// Work of this tick, by resource.
    times: BTreeMap<Name, (u64, Option<u64>)>,
    /// Items gone or done in this tick whose rows a second look would show otherwise.
    done: BTreeMap<Name, Item>,
    /// Kinds of which this tick's first look found nothing that is ours or in the place of ours.
    absent: BTreeSet<String>,
}

impl Board {
    async fn look(resources: Resources, ctx: &Context, input: &Input) -> Result<Self> {
        let Resources { kinds, parked, refused, waiting, outputs } = resources;
        // What is known to be absent is not asked for.
        let fetch = |kind: &Kind, names: &Names| -> BoxFuture<'static, Result<Raws>> {
            if input.absent.contains(kind.name) {
                Box::pin(std::future::ready(Ok((kind.nothing)())))
            } else {
                kind.start_fetch(ctx, names)
            }
        };
        let early: Vec<_> =
            kinds.iter().filter(|kind| !kind.late).map(|kind| fetch(kind, &input.names)).collect();
        let mut early = try_join_all(early).await?.into_iter();

        let mut board = Self {
            rows: kinds.iter().map(|_| Vec::new()).collect(),
            names: input.names.clone(),
            own: BTreeSet::new(),
            parked,
            waiting,
            outputs,
            refused: refused
                .into_iter()
                .map(|(name, why)| Item { reason: Some(why), ..Item::new(name, Action::Refuse) })
                .collect(),
            made: input.made.clone(),
            changed: input.changed.clone(),
            since_ms: input.since_ms,
            failure: None,
            stopped: None,
            out_of_time: false,
            moved: false,
            not_ready: BTreeMap::new(),
            asked: BTreeMap::new(),
            times: BTreeMap::new(),
            done: BTreeMap::new(),
            absent: BTreeSet::new(),
            kinds,
        };
        let mut identified: Vec<Option<Identified>> = board.kinds.iter().map(|_| None).collect();
        for (at, slot) in identified.iter_mut().enumerate() {
            if !board.kinds[at].late {
                let raws = early.next().expect("one answer per kind fetched early");
                *slot = Some(board.identify(ctx, raws));
            }
        }
        // One after the other: a rule is looked for on the listeners that were found just before it.
        for (at, slot) in identified.iter_mut().enumerate() {
            if slot.is_none() {
                let raws = fetch(&board.kinds[at], &board.names).await?;
                *slot = Some(board.identify(ctx, raws));
            }
        }
        let mut present: BTreeSet<&'static str> = BTreeSet::new();
        for (at, identified) in identified.into_iter().enumerate() {
            let identified = identified.expect("every kind was fetched, early or late");
            if !identified.identities.is_empty() {
                present.insert(board.kinds[at].name);
            }
            board.rows[at] = board.read(ctx, at, identified)?;
        }
        // Two kinds of a stage may have one name (a live cluster, and those that were kept).
        let absent = board.kinds.iter().map(|kind| kind.name).filter(|name| !present.contains(name));
        board.absent = absent.map(str::to_owned).collect();
        board.refuse_rows();
        Ok(board)
    }

    /// A refusal of something that has a line already takes that line.
    fn refuse_rows(&mut self) {
        let rows = &mut self.rows;
        self.refused.retain(|refused| {
            let Some(todo) = rows.iter_mut().flatten().find(|todo| todo.item.name == refused.name) else {
                return true;
            };
            (todo.item, todo.act, todo.settled) = (refused.clone(), None, false);
            false
        });
    }

    fn identify(&mut self, ctx: &Context, raws: Raws) -> Identified {
        let identified = raws(ctx, &self.names);
        for identity in &identified.identities {
            self.names.insert_identity(identity);
            self.own.insert(identity.name.clone());
        }
        identified
    }

    fn read(&mut self, ctx: &Context, kind: usize, identified: Identified) -> Result<Vec<Todo>> {
        let (made, names) = (&self.made, &self.names);
        let row = look(identified, ctx, names, &|name| made.contains(name), self.kinds[kind].name)?;
        // Of two of one name, the one that is wanted is what users of the name wait for; the left-over comes later.
        for todo in row.iter().rev() {
            if self.names.id(&todo.item.name).is_some() {
                self.names.mark(&todo.item.name, todo.settled);
            }
        }
        Ok(row)
    }

    fn todos(&self) -> impl Iterator<Item = &Todo> {
        self.rows.iter().flatten()
    }

    fn fail(&mut self, ctx: &Context, name: &Name, error: &Error) {
        let message = error.message.clone();
        if let Some(todo) = self.rows.iter_mut().flatten().find(|todo| &todo.item.name == name) {
            todo.item.progress = Progress::Failed;
            todo.item.reason = Some(message);
        }
        // The first failure is the cause; what fails after it in the same tick seldom is.
        self.failure.get_or_insert_with(|| Failure::of(ctx.stage, name, error));
    }

    /// Whether what a resource needs is there.
    fn is_met(&self, need: &Need) -> bool {
        match need {
            Need::Exists(name) => self.names.id(name).is_some(),
            Need::Settled(name) => self.names.is_settled(name),
        }
    }

    /// What needs something that waits for the user waits for the user too.
    fn park_dependents(&mut self) {
        loop {
            let parked_by = |todo: &Todo| {
                let open = todo.needs.iter().filter(|need| !self.is_met(need));
                open.map(Need::name).find_map(|name| {
                    let why = self
                        .parked
                        .get(name)
                        .map(String::as_str)
                        .or_else(|| self.names.attribute(name, PARKED))?;
                    Some(why.to_owned())
                })
            };
            let dependents: Vec<(Name, String)> = self
                .todos()
                .filter(|todo| todo.wanted && !todo.settled && !self.parked.contains_key(&todo.item.name))
                .filter_map(|todo| parked_by(todo).map(|why| (todo.item.name.clone(), why)))
                .collect();
            if dependents.is_empty() {
                return;
            }
            self.parked.extend(dependents);
        }
    }

    /// A need that neither this stage describes nor an earlier one has made will never be met.
    fn fail_orphans(&mut self, ctx: &Context) {
        // An attribute may come later than the resource that has it.
        let described = |name: &Name| self.todos().any(|todo| todo.item.name == name.whole());
        let orphan =
            self.todos().filter(|todo| todo.wanted && !todo.settled && todo.act.is_some()).find_map(|todo| {
                let open = todo.needs.iter().filter(|need| !self.is_met(need)).map(Need::name);
                let lost = open
                    .filter(|name| !self.parked.contains_key(name))
                    .find(|name| !described(name) && self.names.id(name).is_none())?;
                Some((todo.item.name.clone(), lost.clone()))
            });
        if let Some((name, lost)) = orphan {
            let message = format!("{name} needs {lost}, which does not exist and which no stage makes.");
            self.fail(ctx, &name, &Error::new(ErrorKind::Internal, message));
        }
    }

    /// What is still to be waited for, and what only the user can bring about.
    fn report(mut self, ctx: &Context, mode: Mode) -> StageReport {
        let now = now_ms();
        if mode == Mode::Make {
            self.park_dependents();
            self.fail_orphans(ctx);
        }
        for todo in self.rows.iter_mut().flatten() {
            let name = todo.item.name.clone();
            if let Some((started, ended)) = self.times.get(&name) {
                todo.item.started_ms = Some(*started);
                todo.item.ended_ms = *ended;
            }
            if let (Some(done), true) = (self.done.get(&name), todo.settled) {
                todo.item.action = done.action;
            }
            // A look at the rest of its kind may have made the line anew.
            if let Some(failure) = self.failure.as_ref().filter(|failure| failure.name == name.as_str()) {
                todo.item.progress = Progress::Failed;
                todo.item.reason = Some(failure.message.clone());
            }
            if let (Some(why), false) = (self.parked.get(&name).cloned(), todo.settled) {
                todo.item.progress = Progress::Parked;
                todo.item.reason = Some(why);
            } else if todo.item.progress != Progress::Failed && mode != Mode::Plan {
                if let Some(why) = self.not_ready.get(&name) {
                    todo.item.reason = Some(why.clone());
                }
                todo.item.progress = match todo.item.action {
                    Action::Keep | Action::Kept => Progress::Done,
                    _ if self.done.contains_key(&name) && todo.settled => Progress::Done,
                    Action::Wait => Progress::Working,
                    _ if self.not_ready.contains_key(&name) => Progress::Working,
                    Action::Create | Action::Update | Action::Remake | Action::Delete | Action::Refuse => {
                        Progress::Pending
                    }
                };
            }
        }
        let unfinished = |todo: &&Todo| {
            todo.item.progress != Progress::Parked
                && match mode {
                    Mode::Plan => false,
                    Mode::Make => {
                        !todo.settled
                            && todo.item.action != Action::Delete
                            && todo.item.action != Action::Refuse
                            && !leaving(todo)
                    }
                    Mode::Remove => !todo.settled && (todo.item.action == Action::Delete || leaving(todo)),
                }
        };
        let open: Vec<String> = self.todos().filter(unfinished).map(describe_open).collect();
        let left_over =
            self.todos().filter(|todo| todo.item.action == Action::Delete || leaving(todo)).count();
        if self.failure.is_none()
            && !open.is_empty()
            && now.saturating_sub(self.since_ms) > STAGE_DEADLINE_MS
            && self.since_ms > 0
        {
            let message = format!("Still not ready after an hour: {}.", open.join("; "));
            self.failure = Some(Failure::late(ctx.stage, message));
        }
        let status = match (&self.failure, &self.stopped) {
            (Some(_), _) => Status::Failed,
            (None, Some(_)) => Status::Stopped,
            (None, None) if mode == Mode::Plan => Status::Looked,
            (None, None) if open.is_empty() && !self.out_of_time && !self.moved => Status::Ready,
            (None, None) => Status::NotReady,
        };
        let mut names = Names::default();
        for (name, value) in self.names.iter() {
            if self.own.contains(&name.whole()) {
                names.insert(name.clone(), value);
                names.mark(name, self.names.is_settled(name));
            }
        }
        for (name, value) in &self.outputs {
            names.insert(name.clone(), value);
        }
        for todo in self.todos().filter(|todo| todo.item.progress == Progress::Parked) {
            names.insert(todo.item.name.attribute(PARKED), todo.item.reason.clone().unwrap_or_default());
        }
        let parked = self.todos().filter(|todo| todo.item.progress == Progress::Parked);
        let parked: Vec<Waiting> = parked.filter_map(|todo| Waiting::parked(&todo.item)).collect();
        for waiting in parked {
            if !self.waiting.contains(&waiting) {
                self.waiting.push(waiting);
            }
        }
        let mut items: Vec<Item> = self.rows.into_iter().flatten().map(|todo| todo.item).collect();
        for (name, item) in self.done {
            if !items.iter().any(|known| known.name == name) {
                items.push(item);
            }
        }
        // What AWS is still at work on is told by what was asked of it.
        for item in items.iter_mut().filter(|item| item.action == Action::Wait) {
            item.action = self.asked.get(&item.name).copied().unwrap_or(item.action);
        }
        items.extend(self.refused);
        StageReport {
            stage: ctx.stage,
            mode,
            status,
            retry_after_s: if self.out_of_time || self.moved {
                0
            } else {
                retry_after_s(now.saturating_sub(self.since_ms))
            },
            items,
            names,
            made: self.made,
            changed: self.changed,
            waiting: self.waiting,
            failure: self.failure,
            stopped: self.stopped,
            left_over,
            absent: if mode == Mode::Plan { self.absent } else { BTreeSet::new() },
            at_ms: now,
        }
    }
}

/// On its way out, wanted by nobody.
fn leaving(todo: &Todo) -> bool {
    todo.item.action == Action::Wait && !todo.wanted
}

fn describe_open(todo: &Todo) -> String {
    match &todo.item.reason {
        Some(reason) => format!("{} ({reason})", todo.item.name),
        None => todo.item.name.to_string(),
    }
}

/// Attribute under which a stage tells later ones that one of its resources waits for the user.
pub const PARKED: &str = "parked";

/// Fast at first, then as often as anything on AWS changes (design.md section 4).
fn retry_after_s(elapsed_ms: u64) -> u32 {
    match elapsed_ms {
        0..8_000 => 1,
        8_000..900_000 => 5,
        _ => 30,
    }
}

/// Milliseconds since the epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u64::try_from(since.as_millis()).expect("milliseconds fit for 500 million years")
}

/// An error of one resource's call that only means: look again. `age_ms` is the stage's: what it needs was
/// made not long before it, so a reference that AWS does not know, or a role that it cannot assume, may
/// still be on its way through AWS (aws-facts.md section 2, rows 1 and 29).
fn passes(kind: ErrorKind, age_ms: u64) -> bool {
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
