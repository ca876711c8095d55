//! Operations on the database: a new password, snapshots, the next generation.

use statemachine::message::{By, Document};

use super::{NotLaid, refused};

pub(super) fn rotate(document: &mut Document, by: By) {
    document.intent.database.rotation = Some(by);
}

/// Making or forgetting a snapshot changes no intent.
pub(super) fn snapshot(document: &Document) -> Result<(), NotLaid> {
    snapshot_named(document).map(|_| ())
}

/// An earlier rotation was of the earlier generation: a restored one gets a new password by itself.
pub(super) fn restore(document: &mut Document, by: By) -> Result<(), NotLaid> {
    let snapshot = snapshot_named(document)?;
    let database = &mut document.intent.database;
    database.generation += 1;
    database.snapshot = Some(snapshot);
    database.restored = Some(by);
    Ok(())
}

fn snapshot_named(document: &Document) -> Result<String, NotLaid> {
    document.run.parameters.snapshot.clone().ok_or_else(|| refused("No snapshot is named."))
}
