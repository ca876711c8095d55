//! Ids by name, and names by id.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::{Identity, Name};
use crate::{Error, Result};

/// The ids (and attributes) of resources by name, and back. Own and of earlier stages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    #[serde(default)]
    ids: BTreeMap<Name, String>,
    /// Those that exist but are not settled.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    unsettled: BTreeSet<Name>,
    #[serde(skip)]
    back: HashMap<String, Name>,
}

impl Names {
    /// Adds or changes one.
    pub fn insert(&mut self, name: Name, id: impl Into<String>) {
        let id = id.into();
        if !name.as_str().contains('#') {
            self.back.insert(id.clone(), name.clone());
        }
        self.ids.insert(name, id);
    }

    /// Adds what a fetch found.
    pub fn insert_identity(&mut self, identity: &Identity) {
        self.insert_with(&identity.name, &identity.id, &identity.attributes);
    }

    /// Adds a name, its id and its attributes.
    pub fn insert_with(&mut self, name: &Name, id: &str, attributes: &[(&'static str, String)]) {
        self.insert(name.clone(), id);
        for (attribute, value) in attributes {
            self.insert(name.attribute(attribute), value);
        }
    }

    /// Takes one out, with its attributes.
    pub fn remove(&mut self, name: &Name) {
        if let Some(id) = self.ids.remove(name) {
            self.back.remove(&id);
        }
        let attributes = format!("{name}#");
        self.ids.retain(|other, _| !other.as_str().starts_with(&attributes));
        self.unsettled.remove(name);
    }

    /// Takes in all of another.
    pub fn extend(&mut self, other: &Names) {
        for (name, id) in &other.ids {
            self.insert(name.clone(), id.clone());
        }
        self.unsettled.extend(other.unsettled.iter().cloned());
    }

    /// Says whether AWS has finished with it.
    pub fn mark(&mut self, name: &Name, settled: bool) {
        if settled {
            self.unsettled.remove(name);
        } else {
            self.unsettled.insert(name.clone());
        }
    }

    /// Its id, if it exists.
    pub fn id(&self, name: &Name) -> Option<&str> {
        self.ids.get(name).map(String::as_str)
    }

    /// Its id, for a call that needs it.
    pub fn need(&self, name: &Name) -> Result<String> {
        self.id(name).map(str::to_owned).ok_or_else(|| Error::internal(format!("{name} has no id yet")))
    }

    /// An attribute of it, if known.
    pub fn attribute(&self, name: &Name, attribute: &str) -> Option<&str> {
        self.id(&name.attribute(attribute))
    }

    /// An attribute of it, for a call that needs it.
    pub fn need_attribute(&self, name: &Name, attribute: &str) -> Result<String> {
        self.need(&name.attribute(attribute))
    }

    /// The name behind an id; the id of what is not the stack's stands for itself.
    pub fn name_of(&self, id: &str) -> Name {
        self.back.get(id).cloned().unwrap_or_else(|| Name::foreign(id))
    }

    /// Whether it exists and AWS has finished with it.
    pub fn is_settled(&self, name: &Name) -> bool {
        self.ids.contains_key(name) && !self.unsettled.contains(name)
    }

    /// All names with their ids, attributes among them.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &str)> {
        self.ids.iter().map(|(name, id)| (name, id.as_str()))
    }

    /// The names of one kind with their ids, attributes left out.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a Name, &'a str)> {
        self.iter().filter(move |(name, _)| name.kind() == kind && !name.as_str().contains('#'))
    }

    /// After deserializing, the way back from ids has to be built anew.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        self.back = self
            .ids
            .iter()
            .filter(|(name, _)| !name.as_str().contains('#'))
            .map(|(name, id)| (id.clone(), name.clone()))
            .collect();
        self
    }
}
