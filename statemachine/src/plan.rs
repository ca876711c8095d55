//! The only lifecycle logic of the product: what to do about one resource. Pure and total.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Stage;
pub use crate::difference::{Change, Why, changes};
use crate::resource::{Data, DataPolicy, Found, Name, Names, Options, Owner, Resource, State, hex};

/// What is to be done about one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Keep,
    /// AWS is at work; look again.
    Wait,
    /// Make it.
    Create,
    /// Change it in place.
    Update,
    /// It failed and holds nothing: delete it and make it again.
    Remake,
    /// It is ours and no longer described: a left-over.
    Delete,
    /// It cannot be done, with the reason and what to do. Ends the run before it changes anything.
    Refuse(String),
}

/// Whether this run has asked AWS to create a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateCall {
    /// It has not.
    NotSent,
    /// It has: a slow read is never answered by a second create.
    Sent,
}

/// Decides about one resource.
pub fn decide<R: Resource>(
    want: Option<&R>,
    found: Option<&Found<R>>,
    create: CreateCall,
    options: &Options,
) -> Step {
    match (want, found) {
        (None, None) => Step::Keep,
        (Some(_), None) => match create {
            CreateCall::NotSent => Step::Create,
            CreateCall::Sent => Step::Wait,
        },
        (None, Some(found)) => match found.identity.owner {
            Owner::Theirs | Owner::Kept => Step::Keep,
            Owner::Ours => decide_removal(found, options),
        },
        (Some(want), Some(found)) => match found.identity.owner {
            Owner::Ours => decide_change(want, found),
            Owner::Theirs if R::USES_THEIRS => Step::Keep,
            Owner::Theirs if R::ADOPTABLE && options.adopt => match decide_change(want, found) {
                // As described or not: it is to become ours.
                Step::Keep => Step::Update,
                step @ (Step::Wait
                | Step::Create
                | Step::Update
                | Step::Remake
                | Step::Delete
                | Step::Refuse(_)) => step,
            },
            Owner::Theirs => Step::Refuse(format!(
                "{} exists already as {} and is not this stack's. Rename one of them, or {}.",
                found.identity.name,
                found.identity.id,
                if R::ADOPTABLE && !options.never_adopts { "take it over with --adopt" } else { "delete it" }
            )),
            Owner::Kept => Step::Refuse(format!(
                "{} is kept from an earlier life of the stack. Let go of it first with `stepstack snapshot forget`.",
                found.identity.name
            )),
        },
    }
}

fn decide_change<R: Resource>(want: &R, found: &Found<R>) -> Step {
    match &found.state {
        State::Settled(now) if now == want => Step::Keep,
        State::Settled(now) => match want.immutable(now) {
            Some(reason) => Step::Refuse(reason),
            None => Step::Update,
        },
        State::Changing(Some(now)) if R::INTERRUPTIBLE && now != want && want.immutable(now).is_none() => {
            Step::Update
        }
        State::Changing(_) | State::Deleting => Step::Wait,
        State::Failed(_) if found.identity.data == Data::None => Step::Remake,
        State::Failed(reason) => Step::Refuse(format!(
            "{} failed and holds data, so it is not made again by itself. AWS says: {reason}",
            found.identity.name
        )),
    }
}

fn decide_removal<R: Resource>(found: &Found<R>, options: &Options) -> Step {
    if found.state == State::Deleting {
        return Step::Wait;
    }
    let name = &found.identity.name;
    match (found.identity.data, options.data) {
        // What a final snapshot keeps is kept, and what it stood in need not stay.
        (Data::None, _)
        | (_, DataPolicy::Delete)
        | (Data::Snapshot, DataPolicy::Snapshot | DataPolicy::Keep) => Step::Delete,
        (Data::Held, DataPolicy::Keep) => Step::Keep,
        (Data::Snapshot, DataPolicy::Refuse) => Step::Refuse(format!(
            "{name} is no longer in the file, and its data would leave. Put it back, or say --delete-data (a final snapshot is taken)."
        )),
        (Data::Held, DataPolicy::Refuse | DataPolicy::Snapshot) => Step::Refuse(format!(
            "{name} is not empty. Say --delete-data to delete what it holds, or --keep-data to leave it in place."
        )),
    }
}

/// One line of a plan: a resource, and what happens to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Item {
    pub name: Name,
    pub action: Action,
    /// The fields that differ, for updates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Why, where it needs saying: the reason of a refusal, what a wait is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The description, for creates: what it will be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
    /// How far it has come, once a run works on it.
    #[serde(default)]
    pub progress: Progress,
    /// Milliseconds since the epoch when work on it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<u64>,
    /// And when it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
}

impl Item {
    /// A line about `name`, with nothing else to say yet.
    pub fn new(name: Name, action: Action) -> Self {
        Self {
            name,
            action,
            changes: Vec::new(),
            reason: None,
            to: None,
            progress: Progress::default(),
            started_ms: None,
            ended_ms: None,
        }
    }
}

/// What a plan says about a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is as described.
    Keep,
    /// AWS is still at work on it.
    Wait,
    /// `+`
    Create,
    /// `~`
    Update,
    /// Failed; deleted and made again.
    Remake,
    /// `-`
    Delete,
    /// `!`
    Refuse,
    /// Ours, no longer described, and kept on purpose.
    Kept,
}

impl Action {
    /// Whether a run would change anything for it.
    pub fn is_change(self) -> bool {
        match self {
            Action::Create | Action::Update | Action::Remake | Action::Delete => true,
            Action::Keep | Action::Wait | Action::Refuse | Action::Kept => false,
        }
    }
}

/// How far a resource has come in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Nothing was asked of AWS yet.
    #[default]
    Pending,
    /// AWS is at work.
    Working,
    /// It is as asked.
    Done,
    /// It waits for the user: see [`Item::reason`].
    Parked,
    /// It failed: see [`Item::reason`].
    Failed,
}

/// The plan of one stage, as its part of the joined plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StagePlan {
    /// The stage.
    pub stage: Stage,
    /// Its resources, in the order in which they are made.
    pub items: Vec<Item>,
    /// Ids and attributes of what is there.
    #[serde(default)]
    pub names: Names,
}

/// The joined plan of all stages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// In the order of design.md section 4.
    pub stages: Vec<StagePlan>,
}

/// How many resources a plan touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// To be created.
    pub create: usize,
    /// To be changed in place, or made again.
    pub update: usize,
    /// To be deleted.
    pub delete: usize,
    /// Refused.
    pub refuse: usize,
    /// As described.
    pub keep: usize,
}

impl Plan {
    /// Every item with its stage.
    pub fn items(&self) -> impl Iterator<Item = (Stage, &Item)> {
        self.stages.iter().flat_map(|stage| stage.items.iter().map(|item| (stage.stage, item)))
    }

    /// How many of each.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (_, item) in self.items() {
            match item.action {
                Action::Create => counts.create += 1,
                Action::Update | Action::Remake => counts.update += 1,
                Action::Delete => counts.delete += 1,
                Action::Refuse => counts.refuse += 1,
                Action::Keep | Action::Wait | Action::Kept => counts.keep += 1,
            }
        }
        counts
    }

    /// The plan's id: twelve hex digits over everything that the run would do, and nothing else, so that
    /// the same changes always have the same id.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        for (stage, item) in
            self.items().filter(|(_, item)| item.action.is_change() || item.action == Action::Refuse)
        {
            let changes: Vec<_> =
                item.changes.iter().map(|change| (&change.field, &change.from, &change.to)).collect();
            let line = serde_json::to_vec(&(stage, &item.name, item.action, changes, &item.to))
                .expect("a plan serializes");
            hash.update((line.len() as u64).to_be_bytes());
            hash.update(line);
        }
        hex(&hash.finalize())[..12].to_owned()
    }
}
