//! A kind of AWS resource: one struct that is its own description, and the six things that can be done.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Debug};
use std::future::Future;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::permission::{Permission, Scope};
use crate::plan::changes;
use crate::{Error, Part, Result};

/// Tag with `{app}/{environment}`: which stack a resource belongs to.
pub const STACK_TAG: &str = "stepstack:stack";
/// Tag with the stage that owns it.
pub const STAGE_TAG: &str = "stepstack:stage";
/// Tag with its [`Name`].
pub const NAME_TAG: &str = "stepstack:name";

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
pub struct Call<C> {
    /// Where and for whom.
    pub ctx: Context,
    /// The kind's client.
    pub client: C,
    /// The ids of all that exists, by name.
    pub ids: Names,
}

/// A resource's name inside its stack: `kind/what`, with `@hash` behind it where its identity holds
/// settings that AWS cannot change in place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// `Name::new("subnet", "public-a")` is `subnet/public-a`.
    pub fn new(kind: &str, what: impl fmt::Display) -> Self {
        Self(format!("{kind}/{what}"))
    }

    /// A name whose end is a short hash of what AWS cannot change in place.
    pub fn hashed(kind: &str, what: impl fmt::Display, identity: &impl Serialize) -> Self {
        Self(format!("{kind}/{what}@{}", short_hash(identity)))
    }

    /// From a tag or a message.
    pub fn from_tag(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Stands for a resource that is none of ours: its id.
    pub fn foreign(id: &str) -> Self {
        Self(id.to_owned())
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `subnet` of `subnet/public-a`.
    pub fn kind(&self) -> &str {
        self.0.split('/').next().unwrap_or("")
    }

    /// `public-a` of `subnet/public-a`, the hash included.
    pub fn what(&self) -> &str {
        self.0.split_once('/').map_or(self.0.as_str(), |(_, what)| what)
    }

    /// The name without its hash: both halves of a replacement share it.
    pub fn base(&self) -> &str {
        self.0.split('@').next().unwrap_or(&self.0)
    }

    /// The hash alone, where it has one.
    pub fn hash(&self) -> Option<&str> {
        self.0.split_once('@').map(|(_, hash)| hash)
    }

    /// The name under which an attribute of it (`dns_name`) stands in [`Names`].
    #[must_use]
    pub fn attribute(&self, attribute: &str) -> Name {
        Name(format!("{}#{attribute}", self.0))
    }

    /// The resource that an attribute belongs to; itself for a resource.
    #[must_use]
    pub fn whole(&self) -> Name {
        Name(self.0.split('#').next().unwrap_or_default().to_owned())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Six hex digits of the SHA-256 of a value's JSON.
pub fn short_hash(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).expect("descriptions serialize");
    hex(&Sha256::digest(json))[..6].to_owned()
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string");
        text
    })
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
    /// Of two with one name the older is ours; the text only has to sort by age.
    pub created: String,
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
            created: String::new(),
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
pub struct Found<R> {
    /// Which one and whose.
    pub identity: Identity,
    /// How it is.
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

    /// The name behind an id; an id that is none of ours stands for itself.
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

/// Where and for whom a stage runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// The app's name.
    pub app: String,
    /// The environment's name.
    pub environment: String,
    /// The stage that runs, or what else owns resources.
    pub stage: Part,
    /// Twelve digits.
    pub account: String,
    /// `us-east-1`.
    pub region: String,
    /// The run's id.
    pub run: String,
    /// What the caller allows.
    pub options: Options,
    /// No call is started after it.
    pub deadline: Instant,
}

impl Context {
    /// `{app}-{env}`: begins every AWS name.
    pub fn prefix(&self) -> String {
        format!("{}-{}", self.app, self.environment)
    }

    /// `{app}/{env}`: the value of [`STACK_TAG`].
    pub fn stack(&self) -> String {
        format!("{}/{}", self.app, self.environment)
    }

    /// The tags of a resource: ours, and `Name` for people.
    pub fn tags(&self, name: &Name) -> Vec<(String, String)> {
        vec![
            (STACK_TAG.to_owned(), self.stack()),
            (STAGE_TAG.to_owned(), self.stage.name().to_owned()),
            (NAME_TAG.to_owned(), name.to_string()),
            ("Name".to_owned(), format!("{}-{}", self.prefix(), name.what().replace('@', "-"))),
        ]
    }

    /// The name that tags give a resource, if they are this stack's and this stage's.
    pub fn owned<'a>(&self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Name> {
        let (mut stack, mut stage, mut name) = (false, false, None);
        for (key, value) in tags {
            match key {
                STACK_TAG => stack = value == self.stack(),
                STAGE_TAG => stage = value == self.stage.name(),
                NAME_TAG => name = Some(Name::from_tag(value)),
                _ => {}
            }
        }
        name.filter(|_| stack && stage)
    }

    /// A client token: the same for the same resource in the same run, 32 characters.
    pub fn token(&self, name: &Name) -> String {
        let text = format!("{}/{}/{}/{name}", self.stack(), self.stage, self.run);
        hex(&Sha256::digest(text))[..32].to_owned()
    }

    /// For names of the engine's parts and ARNs.
    pub fn scope(&self) -> Scope {
        Scope { app: self.app.clone(), account: self.account.clone(), region: self.region.clone() }
    }

    /// Whether a new call may still be started.
    pub fn has_time(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// For tests: a context of the app `arive`, environment `production`.
    pub fn example(stage: impl Into<Part>) -> Self {
        Self {
            app: "arive".to_owned(),
            environment: "production".to_owned(),
            stage: stage.into(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            run: "20261123-101500-abcd".to_owned(),
            options: Options::default(),
            deadline: Instant::now() + Duration::from_secs(50),
        }
    }
}

/// What the caller of a run allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// What happens to data that would go.
    pub data: DataPolicy,
    /// Take over what stands in our place and is not ours.
    pub adopt: bool,
    /// Changes that interrupt service (a database's major upgrade).
    pub allow_downtime: bool,
    /// Skip the final snapshot of the database.
    pub skip_final_snapshot: bool,
}

/// What happens to data that a removal would lose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataPolicy {
    /// Nothing with data is removed: the run is refused before it changes anything.
    #[default]
    Refuse,
    /// As `Refuse`, but what a final snapshot keeps may go: a destroy.
    Snapshot,
    /// What holds data is kept and listed.
    Keep,
    /// Data goes.
    Delete,
}
