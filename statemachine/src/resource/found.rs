//! What a fetch has found, and what the calls about it answer.

use super::Name;

/// Which resource something fetched is, and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name in the stack.
    pub name: Name,
    /// AWS's id or ARN: whatever the calls about it take.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
    /// What it holds that deleting it would lose.
    pub data: Data,
    /// Of two with one name the older is ours; the number only has to grow with time. None where age cannot matter.
    pub created: Option<i64>,
    /// What others need to know of it beside its id: `dns_name`, `endpoint`.
    pub attributes: Vec<(&'static str, String)>,
}

impl Identity {
    /// One of ours, without data and attributes.
    pub fn ours(name: Name, id: impl Into<String>) -> Self {
        Self {
            name,
            id: id.into(),
            owner: Owner::Ours,
            data: Data::None,
            created: None,
            attributes: Vec::new(),
        }
    }

    /// A stranger's, standing in the place of `name`.
    pub fn theirs(name: Name, id: impl Into<String>) -> Self {
        Self { owner: Owner::Theirs, ..Self::ours(name, id) }
    }

    /// With an attribute for [`Names`].
    #[must_use]
    pub fn with(mut self, attribute: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((attribute, value.into()));
        self
    }
}

/// Whose a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It carries our tags (and our name, where the name is ours to give).
    Ours,
    /// It stands in our place and is not ours.
    Theirs,
    /// Ours, but kept on purpose: a paused life, a database that a restore replaced.
    Kept,
}

/// What deleting a resource would lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Data {
    /// Nothing: it can be made again.
    None,
    /// Data that a final snapshot keeps (the database cluster).
    Snapshot,
    /// Data that goes for good (objects, images, foreign records).
    Held,
}

/// A resource as read back.
#[derive(Clone, Debug, PartialEq)]
pub enum State<R> {
    /// AWS is still at work on it; its settings, where they can be read already.
    Changing(Option<R>),
    /// It is on its way out.
    Deleting,
    /// AWS has finished; this is what it is.
    Settled(R),
    /// AWS gave up on it, in AWS's words.
    Failed(String),
}

/// A resource that was found.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Found<R> {
    pub identity: Identity,
    pub state: State<R>,
}

/// What a create or update returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// AWS's id or ARN.
    pub id: String,
    /// AWS's answer already means that it is done, as described. Otherwise the kind is fetched once more.
    pub settled: bool,
    /// As in [`Identity::attributes`].
    pub attributes: Vec<(&'static str, String)>,
}

impl Made {
    /// The call's answer means that it is done.
    pub fn settled(id: impl Into<String>) -> Self {
        Self { id: id.into(), settled: true, attributes: Vec::new() }
    }

    /// AWS has only begun: look.
    pub fn started(id: impl Into<String>) -> Self {
        Self { settled: false, ..Self::settled(id) }
    }

    /// With an attribute for [`Names`].
    #[must_use]
    pub fn with(mut self, attribute: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((attribute, value.into()));
        self
    }
}

/// What a delete returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It is gone.
    Now,
    /// AWS has only begun: look.
    Going,
}
