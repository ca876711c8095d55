//! A kind of AWS resource: one struct that is its own description, and the six things that can be done.

mod context;
mod found;
mod name;
mod names;

use std::fmt::Debug;
use std::future::Future;

use serde::Serialize;

pub use context::{Context, DataPolicy, NAME_TAG, Options, STACK_TAG, STAGE_TAG};
pub use found::{Data, Found, Gone, Identity, Made, Owner, State};
pub use name::{Name, hex, short_hash};
pub use names::Names;

use crate::difference::changes;
use crate::permission::{Permission, Scope};
use crate::{Error, Result};

/// One kind of AWS resource. The value is the description: what is wanted, and what is found, are the same
/// type, and drift is `!=`.
///
/// # Guarantees asked of an implementation
///
/// `fetch` only reads. `identify` and `read` are pure. `create`, `update` and `delete` do not wait for AWS to
/// finish, and each may be repeated. References to other resources are [`Name`]s, never ids, so that a
/// description can be compared before anything exists. A secret value is never a field.
pub trait Resource: Clone + Debug + PartialEq + Serialize + Send + Sync + 'static {
    /// The SDK client, or a small struct of several.
    type Client: Clone + Send + Sync + 'static;
    /// What AWS returned for one of them, as fetched.
    type Raw: Send + 'static;

    /// The first half of each [`Name`]: `subnet`.
    const KIND: &'static str;
    /// Fetched after the stage's other kinds, and after the late ones listed before it, with their ids in hand.
    const LATE: bool = false;
    /// Its create call takes no token and no unique name, so a lost answer could lead to a second one
    /// (aws-facts.md section 1).
    const TOKENLESS: bool = false;
    /// A change may be sent while AWS still works on the last one (an ECS service that never gets healthy).
    const INTERRUPTIBLE: bool = false;
    /// A stranger's in our place is used as it is, and never changed (a hosted zone).
    const USES_THEIRS: bool = false;
    /// A stranger's in our place can be taken over, see [`Resource::adopt`].
    const ADOPTABLE: bool = false;
    /// In a removal, the kinds before it need not wait until it is gone, only until its deletion is asked
    /// for (a DB instance: its cluster can be deleted as soon as the instance is *deleting*).
    const LINGERS: bool = false;

    /// The permissions that the functions below need, scoped as far as AWS allows.
    fn permissions(scope: &Scope) -> Vec<Permission>;

    /// `subnet/public-a`.
    fn name(&self) -> Name;

    /// What must be there before it can be created or changed.
    fn needs(&self) -> Vec<Need>;

    /// Everything of this kind that may be ours, described or not: one listing, all its pages. `names` holds
    /// the ids of earlier stages (and, for [`Resource::LATE`] kinds, of this stage's other kinds).
    fn fetch(
        ctx: &Context,
        client: &Self::Client,
        names: &Names,
    ) -> impl Future<Output = Result<Vec<Self::Raw>>> + Send;

    /// Which one it is and whose. `None`: nothing to us. `names` also holds the stage's kinds listed before.
    fn identify(ctx: &Context, raw: &Self::Raw, names: &Names) -> Option<Identity>;

    /// The same struct back, ids turned into names. An unlisted status is an error.
    fn read(raw: Self::Raw, names: &Names) -> Result<State<Self>>;

    /// Why AWS (or care for data) does not allow to change `now` into `self` in place. `None`: it can.
    fn immutable(&self, now: &Self) -> Option<String> {
        let _ = now;
        None
    }

    /// Asks AWS to make it, tags included.
    fn create(self, call: Call<Self::Client>) -> impl Future<Output = Result<Made>> + Send;

    /// Makes a stranger's that stands in our place ours, as far as tags say so: the caller has said `--adopt`.
    /// Other tags of it stay. What differs otherwise is changed by [`Resource::update`] right after. Where no
    /// tag can be put on (a record is ours by what it points to), that alone does it.
    fn adopt(&self, id: String, call: Call<Self::Client>) -> impl Future<Output = Result<()>> + Send {
        let _ = (id, call);
        async { Ok(()) }
    }

    /// Asks AWS to change `now`, whose id is `id`, into `self`. Left out by kinds whose every field is part of
    /// the name or immutable: nothing of them is ever changed in place.
    fn update(
        self,
        now: Self,
        id: String,
        call: Call<Self::Client>,
    ) -> impl Future<Output = Result<Made>> + Send {
        let _ = (id, call);
        let fields: Vec<String> = changes(&now, &self).into_iter().map(|change| change.field).collect();
        let message = format!("{} never changes in place, and {} differs", self.name(), fields.join(", "));
        async move { Err(Error::internal(message)) }
    }

    /// Asks AWS to delete it. One that does not exist any more is [`Gone::Now`]. `now` is `None` when its
    /// settings could not be read (it is changing or failed).
    fn delete(
        id: String,
        now: Option<Self>,
        call: Call<Self::Client>,
    ) -> impl Future<Output = Result<Gone>> + Send;
}

/// What the calls about one resource are given besides the resource.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Call<C> {
    pub ctx: Context,
    pub client: C,
    /// The ids of all that exists, by name.
    pub names: Names,
}

/// What must be there before a resource can be created or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// It exists, maybe still changing.
    Exists(Name),
    /// It exists and AWS has finished with it.
    Settled(Name),
}

impl Need {
    /// Whom it is about.
    pub fn name(&self) -> &Name {
        match self {
            Need::Exists(name) | Need::Settled(name) => name,
        }
    }
}
