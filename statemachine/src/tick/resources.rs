//! What a stage owns: its kinds with what it wants of each.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use super::kind::Kind;
use crate::message::Waiting;
use crate::owner::{Anybody, OwnedBy};
use crate::resource::Name;

/// The resources of a stage: its kinds in the order in which they are made, with what is wanted of each. `O` is the
/// function that owns them.
pub struct Resources<O = Anybody> {
    pub(super) kinds: Vec<Kind>,
    pub(super) parked: BTreeMap<Name, String>,
    pub(super) refused: Vec<(Name, String)>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) outputs: Vec<(Name, String)>,
    owner: PhantomData<fn() -> O>,
}

impl<O> Resources<O> {
    /// No kinds yet.
    #[expect(clippy::new_without_default, reason = "a stage without kinds is only a beginning")]
    pub fn new() -> Self {
        Self {
            kinds: Vec::new(),
            parked: BTreeMap::new(),
            refused: Vec::new(),
            waiting: Vec::new(),
            outputs: Vec::new(),
            owner: PhantomData,
        }
    }

    /// The kinds that are owned, as [`Owner::kinds`](crate::owner::Owner::kinds) names them.
    pub fn kinds(&self) -> BTreeSet<&'static str> {
        self.kinds.iter().map(|kind| kind.type_name).collect()
    }

    /// A kind and all that is wanted of it. An empty list says: whatever is found of it is left over.
    #[must_use]
    pub fn owns<R: OwnedBy<O>>(self, client: &R::Client, wanted: Vec<R>) -> Self {
        self.owns_seen(client, wanted, None)
    }

    /// As [`Resources::owns`], where the function may have fetched the kind already, to find out what is wanted:
    /// then `seen` is what the tick first looks at, and spares it that fetch. Later ones ask AWS.
    #[must_use]
    pub fn owns_seen<R: OwnedBy<O>>(
        mut self,
        client: &R::Client,
        wanted: Vec<R>,
        seen: Option<Vec<R::Raw>>,
    ) -> Self {
        self.kinds.push(Kind::new(client.clone(), wanted, seen));
        self
    }

    /// Does not wait for this resource to settle, nor for what needs it settled: only the user can bring
    /// it about. `why` says how.
    #[must_use]
    pub fn park(mut self, name: Name, why: impl Into<String>) -> Self {
        self.parked.insert(name, why.into());
        self
    }

    /// Something that a look at AWS has shown to be impossible (a retired engine version).
    #[must_use]
    pub fn refuse(mut self, name: Name, why: impl Into<String>) -> Self {
        self.refused.push((name, why.into()));
        self
    }

    /// Something that only the user can bring about, and that nothing here has to wait for.
    #[must_use]
    pub fn waits_for_you(mut self, waiting: Waiting) -> Self {
        self.waiting.push(waiting);
        self
    }

    /// A fact for later stages and for people that is no resource: `image/current#digest`.
    #[must_use]
    pub fn output(mut self, name: Name, value: impl Into<String>) -> Self {
        self.outputs.push((name, value.into()));
        self
    }
}
