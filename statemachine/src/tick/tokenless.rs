//! Creates that AWS would repeat: no token and no unique name says that they are one.

use std::collections::{BTreeMap, BTreeSet};

use super::board::Board;
use super::todo::Position;
use super::{Link, now_ms};
use crate::plan::Action;
use crate::resource::Name;
use crate::{ErrorKind, Result};

/// For how long a noted token-less create is looked up before it is sent again: EC2's listings lag behind
/// (aws-facts.md section 1).
const LOOK_UP_MS: u64 = 15_000;

/// Notes token-less creates before they are sent. One that an earlier tick noted, and whose answer was lost,
/// is only looked up for a while: it may exist without being visible.
pub(super) async fn note_tokenless(
    board: &mut Board,
    link: &dyn Link,
    this_tick: &mut BTreeSet<Name>,
    due: &mut Vec<Position>,
) -> Result<()> {
    let is_tokenless = |board: &Board, at: Position| {
        board.kinds[at.kind].tokenless && board.todo(at).item.action == Action::Create
    };
    if !due.iter().any(|&at| is_tokenless(board, at)) {
        return Ok(());
    }
    let now = now_ms();
    let mut notes: BTreeMap<Name, u64> = link.notes().await?;
    due.retain(|&at| {
        let name = &board.todo(at).item.name;
        let lost = !this_tick.contains(name)
            && !board.made.contains(name)
            && notes.get(name).is_some_and(|noted_ms| now.saturating_sub(*noted_ms) < LOOK_UP_MS);
        if is_tokenless(board, at) && lost {
            let why = "an earlier call to create it was not answered; looking for what it may have made";
            let name = name.clone();
            board.not_ready.insert(name, why.to_owned());
            return false;
        }
        true
    });
    let new: BTreeSet<Name> = due
        .iter()
        .filter(|&&at| is_tokenless(board, at))
        .map(|&at| board.todo(at).item.name.clone())
        .filter(|name| !this_tick.contains(name))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    notes.extend(new.iter().map(|name| (name.clone(), now)));
    match link.note(notes).await {
        Ok(()) => this_tick.extend(new),
        // Another call of this function notes at the same moment: what it makes is not made here too.
        Err(error) if error.kind == ErrorKind::NotReady => {
            due.retain(|&at| !new.contains(&board.todo(at).item.name));
            board.not_ready.extend(new.into_iter().map(|name| (name, error.message.clone())));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}
