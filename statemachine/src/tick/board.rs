//! What a tick knows: every kind of the stage, what was found of it, and what was asked of AWS since.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;

use futures_util::future::{BoxFuture, try_join_all};

use super::Input;
use super::kind::{Identified, Kind, Raws};
use super::resources::Resources;
use super::todo::{Position, Todo};
use crate::message::{Failure, Waiting};
use crate::plan::{Action, Item, Progress};
use crate::resource::{Context, Name, Names, Need};
use crate::{Error, Result};

/// The state of a tick.
pub(super) struct Board {
    pub(super) kinds: Vec<Kind>,
    /// By kind, in the stage's order.
    pub(super) rows: Vec<Vec<Todo>>,
    pub(super) names: Names,
    /// The names of this stage alone, for its outputs.
    pub(super) own: BTreeSet<Name>,
    pub(super) parked: BTreeMap<Name, String>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) outputs: Vec<(Name, String)>,
    pub(super) refused: Vec<Item>,
    pub(super) made: BTreeSet<Name>,
    pub(super) changed: BTreeSet<Name>,
    pub(super) since_ms: u64,
    pub(super) failure: Option<Failure>,
    pub(super) stopped: Option<String>,
    pub(super) out_of_time: bool,
    /// A change has given something another attribute, such as a secret its next version: what names it has
    /// to be decided about again.
    pub(super) moved: bool,
    /// What AWS refused for now, and why.
    pub(super) not_ready: BTreeMap<Name, String>,
    /// What this tick asked of AWS, by resource.
    pub(super) asked: BTreeMap<Name, Action>,
    /// Work of this tick, by resource.
    pub(super) times: BTreeMap<Name, (u64, Option<u64>)>,
    /// Items gone or done in this tick whose rows a second look would show otherwise.
    pub(super) done: BTreeMap<Name, Item>,
    /// Kinds of which this tick's first look found nothing that is ours or in the place of ours.
    pub(super) absent: BTreeSet<String>,
}

impl Board {
    pub(super) async fn look<O>(resources: Resources<O>, ctx: &Context, input: &Input) -> Result<Self> {
        let Resources { mut kinds, parked, refused, waiting, outputs, .. } = resources;
        // What has been seen, or is known to be absent, is not asked for.
        let fetch = |kind: &mut Kind, names: &Names| -> BoxFuture<'static, Result<Raws>> {
            match kind.seen.take() {
                Some(seen) => Box::pin(ready(Ok(seen))),
                None if input.absent.contains(kind.name) => Box::pin(ready(Ok((kind.nothing)()))),
                None => kind.start_fetch(ctx, names),
            }
        };
        let early = kinds.iter_mut().filter(|kind| !kind.late);
        let early: Vec<_> = early.map(|kind| fetch(kind, &input.names)).collect();
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
                let raws = fetch(&mut board.kinds[at], &board.names).await?;
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

    pub(super) fn identify(&mut self, ctx: &Context, raws: Raws) -> Identified {
        let identified = raws(ctx, &self.names);
        for identity in &identified.identities {
            self.names.insert_identity(identity);
            self.own.insert(identity.name.clone());
        }
        identified
    }

    pub(super) fn read(&mut self, ctx: &Context, kind: usize, identified: Identified) -> Result<Vec<Todo>> {
        let (made, names) = (&self.made, &self.names);
        let row = identified.decide(ctx, names, &|name| made.contains(name), self.kinds[kind].name)?;
        // Of two of one name, the one that is wanted is what users of the name wait for; the left-over comes later.
        for todo in row.iter().rev() {
            if self.names.id(&todo.item.name).is_some() {
                self.names.mark(&todo.item.name, todo.settled);
            }
        }
        Ok(row)
    }

    pub(super) fn todo(&self, at: Position) -> &Todo {
        &self.rows[at.kind][at.row]
    }

    pub(super) fn todo_mut(&mut self, at: Position) -> &mut Todo {
        &mut self.rows[at.kind][at.row]
    }

    pub(super) fn todos(&self) -> impl Iterator<Item = &Todo> {
        self.rows.iter().flatten()
    }

    pub(super) fn fail(&mut self, ctx: &Context, name: &Name, error: &Error) {
        let message = error.message.clone();
        if let Some(todo) = self.rows.iter_mut().flatten().find(|todo| &todo.item.name == name) {
            todo.item.progress = Progress::Failed;
            todo.item.reason = Some(message);
        }
        // The first failure is the cause; what fails after it in the same tick seldom is.
        self.failure.get_or_insert_with(|| Failure::of(ctx.stage, name, error));
    }

    /// Whether what a resource needs is there.
    pub(super) fn is_met(&self, need: &Need) -> bool {
        match need {
            Need::Exists(name) => self.names.id(name).is_some(),
            Need::Settled(name) => self.names.is_settled(name),
        }
    }
}
