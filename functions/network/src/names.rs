//! Between our names and EC2's ids.

use statemachine::resource::{Name, Names};

/// The id behind a name that was read back: the name of what is not the stack's is the id itself.
pub(crate) fn id_of(names: &Names, name: &Name) -> String {
    names.id(name).unwrap_or(name.as_str()).to_owned()
}

/// The ids behind names that were read back.
pub(crate) fn ids_of<'a>(names: &Names, all: impl IntoIterator<Item = &'a Name>) -> Vec<String> {
    all.into_iter().map(|name| id_of(names, name)).collect()
}

/// The names behind ids, sorted, so that two lists of the same compare as equal.
pub(crate) fn sorted<'a>(names: &Names, ids: impl IntoIterator<Item = &'a str>) -> Vec<Name> {
    let mut found: Vec<Name> = ids.into_iter().map(|id| names.name_of(id)).collect();
    found.sort();
    found
}
