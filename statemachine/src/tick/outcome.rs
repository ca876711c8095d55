//! What the calls of a tick have led to, entered on its board.

use super::board::Board;
use super::kind::Raws;
use super::todo::{Acted, Todo};
use super::{is_temporary, now_ms};
use crate::plan::{Action, Item, Progress};
use crate::resource::{Context, Gone, Name};
use crate::{Error, ErrorKind, Result};

/// Takes in what a call about one resource has led to.
pub(super) fn acted(
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
        Err(error) if is_temporary(error.kind, now.saturating_sub(board.since_ms)) => {
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
pub(super) fn fetched_again(board: &mut Board, ctx: &Context, kind: usize, result: Result<Raws>) {
    let raws = match result {
        Ok(raws) => raws,
        Err(error) if is_temporary(error.kind, 0) => {
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
