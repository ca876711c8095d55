//! What a tick says at its end: how far every resource has come, what is still to be waited for, and what only
//! the user can bring about.

use std::collections::{BTreeMap, BTreeSet};

use super::board::Board;
use super::todo::Todo;
use super::{PARKED, now_ms};
use crate::message::{Failure, Mode, StageReport, Status, Waiting};
use crate::plan::{Action, Item, Progress};
use crate::resource::{Context, Name, Names, Need};
use crate::{Error, ErrorKind};

/// Longest that a stage may take in one run before it is a failure.
const STAGE_DEADLINE_MS: u64 = 60 * 60 * 1000;

impl Board {
    /// The report of the tick.
    pub(super) fn report(mut self, ctx: &Context, mode: Mode) -> StageReport {
        let now = now_ms();
        if mode == Mode::Make {
            self.park_dependents();
            self.fail_orphans(ctx);
        }
        self.update_lines(mode);
        let open: Vec<String> =
            self.todos().filter(|todo| is_open(todo, mode)).map(name_and_reason).collect();
        let is_late = self.since_ms > 0 && now.saturating_sub(self.since_ms) > STAGE_DEADLINE_MS;
        if self.failure.is_none() && !open.is_empty() && is_late {
            let message = format!("Still not ready after an hour: {}.", open.join("; "));
            self.failure = Some(Failure::late(ctx.stage, message));
        }
        let more_to_do = self.out_of_time || self.moved;
        let waited_ms = now.saturating_sub(self.since_ms);
        StageReport {
            stage: ctx.stage,
            mode,
            status: self.status(mode, open.is_empty() && !more_to_do),
            retry_after_s: if more_to_do { 0 } else { retry_after_s(waited_ms) },
            names: self.names_for_others(),
            waiting: self.waits_for_the_user(),
            left_over: self.todos().filter(|todo| is_left_over(todo)).count(),
            items: items(self.rows, self.done, &self.asked, self.refused),
            made: self.made,
            changed: self.changed,
            failure: self.failure,
            stopped: self.stopped,
            absent: if mode == Mode::Plan { self.absent } else { BTreeSet::new() },
            at_ms: now,
        }
    }

    /// What needs something that waits for the user waits for the user too.
    fn park_dependents(&mut self) {
        loop {
            let parked_by = |todo: &Todo| {
                let open = todo.needs.iter().filter(|need| !self.is_met(need));
                open.map(Need::name).find_map(|name| {
                    let why = self.parked.get(name).map(String::as_str);
                    why.or_else(|| self.names.attribute(name, PARKED)).map(str::to_owned)
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

    /// Brings every line up to what this tick has done about it.
    fn update_lines(&mut self, mode: Mode) {
        for todo in self.rows.iter_mut().flatten() {
            let (item, settled) = (&mut todo.item, todo.settled);
            if let Some((started, ended)) = self.times.get(&item.name) {
                (item.started_ms, item.ended_ms) = (Some(*started), *ended);
            }
            let done = self.done.get(&item.name).filter(|_| settled);
            if let Some(done) = done {
                item.action = done.action;
            }
            // A look at the rest of its kind may have replaced the line.
            if let Some(failure) = self.failure.as_ref().filter(|failure| failure.name == item.name.as_str())
            {
                (item.progress, item.reason) = (Progress::Failed, Some(failure.message.clone()));
            }
            let not_ready = self.not_ready.get(&item.name);
            if let Some(why) = self.parked.get(&item.name).filter(|_| !settled) {
                (item.progress, item.reason) = (Progress::Parked, Some(why.clone()));
            } else if item.progress != Progress::Failed && mode != Mode::Plan {
                if let Some(why) = not_ready {
                    item.reason = Some(why.clone());
                }
                item.progress = progress(item.action, done.is_some(), not_ready.is_some());
            }
        }
    }

    /// How the stage stands. `complete`: nothing is left for this mode to do or to wait for.
    fn status(&self, mode: Mode, complete: bool) -> Status {
        match (&self.failure, &self.stopped) {
            (Some(_), _) => Status::Failed,
            (None, Some(_)) => Status::Stopped,
            (None, None) if mode == Mode::Plan => Status::Looked,
            (None, None) if complete => Status::Ready,
            (None, None) => Status::NotReady,
        }
    }

    /// What other stages are told: this stage's own names, its outputs, and which of its resources wait for the user.
    fn names_for_others(&self) -> Names {
        let mut names = Names::default();
        for (name, value) in self.names.iter().filter(|(name, _)| self.own.contains(&name.whole())) {
            names.insert(name.clone(), value);
            names.mark(name, self.names.is_settled(name));
        }
        for (name, value) in &self.outputs {
            names.insert(name.clone(), value);
        }
        for todo in self.todos().filter(|todo| todo.item.progress == Progress::Parked) {
            names.insert(todo.item.name.attribute(PARKED), todo.item.reason.clone().unwrap_or_default());
        }
        names
    }

    /// What only the user can bring about, each thing once.
    fn waits_for_the_user(&self) -> Vec<Waiting> {
        let mut all = self.waiting.clone();
        let parked = self.todos().filter(|todo| todo.item.progress == Progress::Parked);
        for waiting in parked.filter_map(|todo| Waiting::parked(&todo.item)) {
            if !all.contains(&waiting) {
                all.push(waiting);
            }
        }
        all
    }
}

/// How far a resource has come that neither failed nor waits for the user.
fn progress(action: Action, done: bool, not_ready: bool) -> Progress {
    match action {
        Action::Keep | Action::Kept => Progress::Done,
        Action::Wait | Action::Create | Action::Update | Action::Remake | Action::Delete | Action::Refuse => {
            if done {
                Progress::Done
            } else if not_ready || action == Action::Wait {
                Progress::Working
            } else {
                Progress::Pending
            }
        }
    }
}

/// The lines of the report: what stands on the board, what was done and stands there no more, what was refused.
fn items(
    rows: Vec<Vec<Todo>>,
    done: BTreeMap<Name, Item>,
    asked: &BTreeMap<Name, Action>,
    refused: Vec<Item>,
) -> Vec<Item> {
    let mut items: Vec<Item> = rows.into_iter().flatten().map(|todo| todo.item).collect();
    for (name, item) in done {
        if !items.iter().any(|known| known.name == name) {
            items.push(item);
        }
    }
    // What AWS is still at work on is told by what was asked of it.
    for item in items.iter_mut().filter(|item| item.action == Action::Wait) {
        item.action = asked.get(&item.name).copied().unwrap_or(item.action);
    }
    items.extend(refused);
    items
}

/// Whether a mode still has to do something about it, or to wait for it.
fn is_open(todo: &Todo, mode: Mode) -> bool {
    if todo.settled || todo.item.progress == Progress::Parked {
        return false;
    }
    match mode {
        Mode::Plan => false,
        Mode::Make => !is_left_over(todo) && todo.item.action != Action::Refuse,
        Mode::Remove => is_left_over(todo),
    }
}

/// Described by nobody any more: to be deleted, or on its way out.
fn is_left_over(todo: &Todo) -> bool {
    todo.item.action == Action::Delete || todo.is_leaving()
}

fn name_and_reason(todo: &Todo) -> String {
    match &todo.item.reason {
        Some(reason) => format!("{} ({reason})", todo.item.name),
        None => todo.item.name.to_string(),
    }
}

/// Fast at first, then as often as anything on AWS changes (design.md section 4).
fn retry_after_s(waited_ms: u64) -> u32 {
    match waited_ms {
        0..8_000 => 1,
        8_000..900_000 => 5,
        _ => 30,
    }
}
