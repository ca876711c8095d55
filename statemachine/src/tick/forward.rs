//! The writing half of a tick: pushes what is due, and on each completion what has become due.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use super::board::Board;
use super::kind::Raws;
use super::outcome::{acted, fetched_again};
use super::todo::{Acted, Position, Todo};
use super::tokenless::note_tokenless;
use super::{Hold, Input, Link, is_still_held, now_ms};
use crate::Result;
use crate::message::Mode;
use crate::plan::{Action, Progress};
use crate::resource::{Context, Name};

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
    held_ms: Option<u64>,
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
            Some(Event::Fetched { kind, result }) => fetched_again(board, ctx, kind, result),
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
    if !running.held_ms.is_some_and(|held_ms| is_still_held(held_ms, now_ms())) {
        let asked_ms = now_ms();
        match link.hold().await? {
            Hold::Yes => running.held_ms = Some(asked_ms),
            Hold::Stop(why) => {
                board.stopped = Some(why);
                return Ok(());
            }
        }
    }
    note_tokenless(board, link, &mut running.noted, &mut due).await?;
    for at in due {
        let (kind, todo) = (at.kind, board.todo_mut(at));
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

/// What can be started now.
fn due(board: &Board, mode: Mode, running: &Running<'_>) -> Vec<Position> {
    let mut due = Vec::new();
    match mode {
        Mode::Plan => {}
        Mode::Make => {
            for (kind, row) in board.rows.iter().enumerate() {
                for (row, todo) in row.iter().enumerate() {
                    let forward = match todo.item.action {
                        Action::Create | Action::Update | Action::Remake => true,
                        Action::Keep | Action::Wait | Action::Delete | Action::Refuse | Action::Kept => false,
                    };
                    if forward && todo.act.is_some() && todo.needs.iter().all(|need| board.is_met(need)) {
                        due.push(Position { kind, row });
                    }
                }
            }
        }
        Mode::Remove => {
            for (kind, row) in board.rows.iter().enumerate().rev() {
                let goes = |todo: &Todo| todo.item.action == Action::Delete;
                let can_go = row.iter().enumerate().filter(|(_, todo)| goes(todo) && todo.act.is_some());
                due.extend(can_go.map(|(row, _)| Position { kind, row }));
                // The kinds before it wait until these are gone, or at least asked to go.
                let is_open = |todo: &Todo| goes(todo) || (todo.is_leaving() && !board.kinds[kind].lingers);
                if row.iter().any(is_open) || running.acts[kind] > 0 || running.stale[kind] {
                    break;
                }
            }
        }
    }
    due
}
