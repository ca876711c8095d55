//! The writing half of a tick: pushes what is due, and on each completion what has become due.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use super::resources::{Acted, Raws, Todo};
use super::{Board, Hold, Input, LOOK_UP_MS, Link, is_still_held, now_ms, passes};
use crate::message::Mode;
use crate::plan::{Action, Item, Progress};
use crate::resource::{Context, Gone, Name};
use crate::{Error, ErrorKind, Result};

/// Something that has come back.
enum Event {
    Acted { kind: usize, name: Name, action: Action, result: Result<Acted> },
    Fetched { kind: usize, result: Result<Raws> },
}

/// The running calls of a tick.
struct Running<'a> {
    calls: FuturesUnordered<BoxFuture<'a, Event>>,
    /// How many acts of each kind are under way; a kind is looked at again when its last one is back.
    acts: Vec<usize>,
    /// Kinds to be looked at again.
    stale: Vec<bool>,
    /// Milliseconds since the epoch when the run was last seen to hold the lock.
    held_ms: u64,
    /// The token-less creates that were noted for this tick.
    noted: BTreeSet<Name>,
}

pub(super) async fn run(
    board: &mut Board,
    ctx: &Context,
    mode: Mode,
    input: Input,
    link: &dyn Link,
) -> Result<()> {
    let kinds = board.kinds.len();
    let mut running = Running {
        calls: FuturesUnordered::new(),
        acts: vec![0; kinds],
        stale: vec![false; kinds],
        held_ms: input.held_ms,
        noted: input.noted,
    };
    loop {
        push(board, ctx, mode, link, &mut running).await?;
        match running.calls.next().await {
            None => return Ok(()),
            Some(Event::Acted { kind, name, action, result }) => {
                running.acts[kind] -= 1;
                acted(board, ctx, &name, action, result, &mut running.stale[kind]);
            }
            Some(Event::Fetched { kind, result }) => refetched(board, ctx, kind, result),
        }
        for kind in 0..kinds {
            if running.stale[kind] && running.acts[kind] == 0 {
                running.stale[kind] = false;
                let fetch = board.kinds[kind].start_fetch(ctx, &board.names);
                running.calls.push(Box::pin(async move { Event::Fetched { kind, result: fetch.await } }));
            }
        }
    }
}

/// Starts everything that is due, if the run may still write.
async fn push(
    board: &mut Board,
    ctx: &Context,
    mode: Mode,
    link: &dyn Link,
    running: &mut Running<'_>,
) -> Result<()> {
    if board.failure.is_some() || board.stopped.is_some() {
        return Ok(());
    }
    let mut due = due(board, mode, running);
    if due.is_empty() {
        return Ok(());
    }
    if !ctx.has_time() {
        board.out_of_time = true;
        return Ok(());
    }
    if !is_still_held(running.held_ms, now_ms()) {
        let asked_ms = now_ms();
        match link.hold().await? {
            Hold::Yes => running.held_ms = asked_ms,
            Hold::Stop(why) => {
                board.stopped = Some(why);
                return Ok(());
            }
        }
    }
    note_tokenless(board, link, running, &mut due).await?;
    for (kind, row) in due {
        let todo = &mut board.rows[kind][row];
        let Some(act) = todo.act.take() else { continue };
        let (name, action) = (todo.item.name.clone(), todo.item.action);
        todo.item.progress = Progress::Working;
        board.asked.insert(name.clone(), action);
        board.times.insert(name.clone(), (now_ms(), None));
        board.not_ready.remove(&name);
        running.acts[kind] += 1;
        let call = act(ctx.clone(), board.names.clone());
        running.calls.push(Box::pin(async move { Event::Acted { kind, name, action, result: call.await } }));
    }
    Ok(())
}

/// What can be started now, as places on the board.
fn due(board: &Board, mode: Mode, running: &Running<'_>) -> Vec<(usize, usize)> {
    let mut due = Vec::new();
    match mode {
        Mode::Plan => {}
        Mode::Make => {
            for (kind, row) in board.rows.iter().enumerate() {
                for (at, todo) in row.iter().enumerate() {
                    let forward = match todo.item.action {
                        Action::Create | Action::Update | Action::Remake => true,
                        Action::Keep | Action::Wait | Action::Delete | Action::Refuse | Action::Kept => false,
                    };
                    if forward && todo.act.is_some() && todo.needs.iter().all(|need| board.is_met(need)) {
                        due.push((kind, at));
                    }
                }
            }
        }
        Mode::Remove => {
            for (kind, row) in board.rows.iter().enumerate().rev() {
                let leaves = |action| action == Action::Delete;
                due.extend(
                    row.iter()
                        .enumerate()
                        .filter(|(_, todo)| leaves(todo.item.action) && todo.act.is_some())
                        .map(|(at, _)| (kind, at)),
                );
                // The kinds before it wait until these are gone, or at least asked to go.
                let open = row.iter().any(|todo| {
                    leaves(todo.item.action) || (super::leaving(todo) && !board.kinds[kind].lingers)
                });
                if open || running.acts[kind] > 0 || running.stale[kind] {
                    break;
                }
            }
        }
    }
    due
}

/// Notes token-less creates before they are sent. One that an earlier tick noted, and whose answer was lost,
/// is only looked up for a while: it may exist without being visible.
async fn note_tokenless(
    board: &mut Board,
    link: &dyn Link,
    running: &mut Running<'_>,
    due: &mut Vec<(usize, usize)>,
) -> Result<()> {
    let is_tokenless = |board: &Board, (kind, row): (usize, usize)| {
        board.kinds[kind].tokenless && board.rows[kind][row].item.action == Action::Create
    };
    if !due.iter().any(|&place| is_tokenless(board, place)) {
        return Ok(());
    }
    let now = now_ms();
    let mut notes: BTreeMap<Name, u64> = link.notes().await?;
    due.retain(|&place| {
        let name = &board.rows[place.0][place.1].item.name;
        let lost = !running.noted.contains(name)
            && !board.made.contains(name)
            && notes.get(name).is_some_and(|at| now.saturating_sub(*at) < LOOK_UP_MS);
        if is_tokenless(board, place) && lost {
            let why = "an earlier call to create it was not answered; looking for what it may have made";
            board.not_ready.insert(name.clone(), why.to_owned());
            return false;
        }
        true
    });
    let new: BTreeSet<Name> = due
        .iter()
        .filter(|&&place| is_tokenless(board, place))
        .map(|&(kind, row)| board.rows[kind][row].item.name.clone())
        .filter(|name| !running.noted.contains(name))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    notes.extend(new.iter().map(|name| (name.clone(), now)));
    match link.note(notes).await {
        Ok(()) => running.noted.extend(new),
        // Another call of this function notes at the same moment: what it makes is not made here too.
        Err(error) if error.kind == ErrorKind::NotReady => {
            due.retain(|&(kind, row)| !new.contains(&board.rows[kind][row].item.name));
            board.not_ready.extend(new.into_iter().map(|name| (name, error.message.clone())));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn acted(
    board: &mut Board,
    ctx: &Context,
    name: &Name,
    action: Action,
    result: Result<Acted>,
    stale: &mut bool,
) {
    let now = now_ms();
    match result {
        Ok(Acted::Made(made)) => {
            board.moved |= action == Action::Update
                && made.attributes.iter().any(|(attribute, value)| {
                    board.names.attribute(name, attribute).is_some_and(|known| known != value)
                });
            board.names.insert_with(name, &made.id, &made.attributes);
            board.names.mark(name, made.settled);
            board.own.insert(name.clone());
            if action == Action::Create {
                board.made.insert(name.clone());
            } else {
                let fields: Vec<Name> = board
                    .todos()
                    .filter(|todo| todo.item.name == *name)
                    .flat_map(|todo| &todo.item.changes)
                    .map(|change| name.attribute(&change.field))
                    .collect();
                board.changed.extend(fields);
            }
            if made.settled {
                finish(board, name, now);
            } else {
                *stale = true;
            }
        }
        Ok(Acted::Gone(gone)) => {
            board.made.remove(name);
            let fields = name.attribute("");
            board.changed.retain(|field| !field.as_str().starts_with(fields.as_str()));
            match (gone, action) {
                (Gone::Now, Action::Remake) | (Gone::Going, _) => *stale = true,
                (Gone::Now, _) => {
                    finish(board, name, now);
                    board.names.remove(name);
                    board.own.remove(name);
                    remove_row(board, name);
                }
            }
        }
        Err(error) if passes(error.kind, now.saturating_sub(board.since_ms)) => {
            board.not_ready.insert(name.clone(), error.message);
        }
        Err(error) => board.fail(ctx, name, &error),
    }
}

fn finish(board: &mut Board, name: &Name, now: u64) {
    if let Some((_, ended)) = board.times.get_mut(name) {
        *ended = Some(now);
    }
    if let Some(todo) = board.rows.iter_mut().flatten().find(|todo| &todo.item.name == name) {
        todo.item.progress = Progress::Done;
        todo.settled = true;
        if let Some((started, ended)) = board.times.get(name) {
            todo.item.started_ms = Some(*started);
            todo.item.ended_ms = *ended;
        }
        board.done.insert(name.clone(), todo.item.clone());
    }
}

fn remove_row(board: &mut Board, name: &Name) {
    for row in &mut board.rows {
        row.retain(|todo| &todo.item.name != name);
    }
}

/// A kind was looked at again: what it says now replaces what it said.
fn refetched(board: &mut Board, ctx: &Context, kind: usize, result: Result<Raws>) {
    let raws = match result {
        Ok(raws) => raws,
        Err(error) if passes(error.kind, 0) => {
            let open: Vec<Name> = board.rows[kind]
                .iter()
                .filter(|todo| !todo.settled)
                .map(|todo| todo.item.name.clone())
                .collect();
            board.not_ready.extend(open.into_iter().map(|name| (name, error.message.clone())));
            return;
        }
        Err(error) => {
            let name = Name::new(board.kinds[kind].name, "*");
            board.fail(ctx, &name, &error);
            return;
        }
    };
    let before: Vec<Item> = board.rows[kind].iter().map(|todo| todo.item.clone()).collect();
    let identified = board.identify(ctx, raws);
    let mut row = match board.read(ctx, kind, identified) {
        Ok(row) => row,
        Err(error) => {
            let name = Name::new(board.kinds[kind].name, "*");
            board.fail(ctx, &name, &error);
            return;
        }
    };
    let now = now_ms();
    let gone: Vec<Name> = before
        .iter()
        .map(|item| &item.name)
        .filter(|name| !row.iter().any(|todo| &todo.item.name == *name))
        .cloned()
        .collect();
    for name in gone {
        finish(board, &name, now);
        board.names.remove(&name);
        board.own.remove(&name);
    }
    for todo in &mut row {
        if let Some(asked) = before.iter().find(|item| item.name == todo.item.name) {
            remember_what_was_asked(&mut todo.item, asked);
        }
    }
    board.rows[kind] = row;
    let names: Vec<(Name, bool)> =
        board.rows[kind].iter().map(|todo| (todo.item.name.clone(), todo.settled)).collect();
    for (name, settled) in names {
        let asked = before.iter().find(|item| item.name == name).map(|item| item.action);
        if settled && board.times.get(&name).is_some_and(|(_, ended)| ended.is_none()) {
            finish(board, &name, now);
            if let (Some(asked), Some(item)) = (asked, board.done.get_mut(&name)) {
                item.action = asked;
            }
        }
    }
    refuse_endless_changes(board, ctx);
}

/// A line that says no more than that AWS is at work, or done, keeps what was asked for: the next run tells a change
/// of the file from one outside by it.
fn remember_what_was_asked(now: &mut Item, asked: &Item) {
    match now.action {
        Action::Keep | Action::Wait => {}
        Action::Create | Action::Update | Action::Remake | Action::Delete | Action::Refuse | Action::Kept => {
            return;
        }
    }
    if now.to.is_none() {
        now.to.clone_from(&asked.to);
    }
    if now.changes.is_empty() {
        now.changes.clone_from(&asked.changes);
    }
}

/// A second change of a field that this run has already changed means that AWS does not keep it. Going on would
/// never end, and calling it done would be a lie.
pub(super) fn refuse_endless_changes(board: &mut Board, ctx: &Context) {
    // A line whose act was taken is the first change, under way or done, and not yet looked at again.
    let again = |todo: &&Todo| {
        let changed = |field: &str| board.changed.contains(&todo.item.name.attribute(field));
        todo.item.action == Action::Update
            && todo.act.is_some()
            && todo.item.changes.iter().any(|change| changed(&change.field))
    };
    let endless = board.todos().find(again);
    if let Some(todo) = endless {
        let name = todo.item.name.clone();
        let fields: Vec<String> = todo
            .item
            .changes
            .iter()
            .map(|change| format!("{} is {} and not {}", change.field, change.from, change.to))
            .collect();
        let message = format!("{name} was changed, and AWS did not keep it: {}.", fields.join(", "));
        board.fail(ctx, &name, &Error::new(ErrorKind::Internal, message));
    }
}
