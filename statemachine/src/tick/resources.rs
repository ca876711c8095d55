//! What a stage owns: its kinds with what it wants of each. Types are erased here, with one closure per
//! thing to do that owns all it needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::message::Waiting;
use crate::plan::{Action, Change, Item, Progress, Step, changes, decide};
use crate::resource::{
    Call, Context, Found, Gone, Identity, Made, Name, Names, Need, Owner, Resource, State,
};
use crate::{Error, Result};

/// The resources of a stage: its kinds in the order in which they are made, with what is wanted of each.
pub struct Resources {
    pub(super) kinds: Vec<Kind>,
    pub(super) parked: BTreeMap<Name, String>,
    pub(super) refused: Vec<(Name, String)>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) outputs: Vec<(Name, String)>,
}

impl Resources {
    /// No kinds yet.
    #[expect(clippy::new_without_default, reason = "a stage without kinds is only a beginning")]
    pub fn new() -> Self {
        Self {
            kinds: Vec::new(),
            parked: BTreeMap::new(),
            refused: Vec::new(),
            waiting: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// A kind and all that is wanted of it. An empty list says: whatever is found of it is left over.
    #[must_use]
    pub fn owns<R: Resource>(self, client: &R::Client, wanted: Vec<R>) -> Self {
        self.owns_seen(client, wanted, None)
    }

    /// As [`Resources::owns`], where the function may have fetched the kind already, to find out what is wanted:
    /// then `seen` is what the tick first looks at, and spares it that fetch. Later ones ask AWS.
    #[must_use]
    pub fn owns_seen<R: Resource>(
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

type Fetch = Arc<dyn Fn(Context, Names) -> BoxFuture<'static, Result<Raws>> + Send + Sync>;
/// What was fetched, still to be matched with names.
pub(super) type Raws = Box<dyn FnOnce(&Context, &Names) -> Identified + Send>;
type Decide = Box<dyn FnOnce(&Context, &Names, &dyn Fn(&Name) -> bool) -> Result<Vec<Todo>> + Send>;
type Act = Box<dyn FnOnce(Context, Names) -> BoxFuture<'static, Result<Acted>> + Send>;

/// A kind, its type erased.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) late: bool,
    pub(super) lingers: bool,
    pub(super) tokenless: bool,
    pub(super) fetch: Fetch,
    /// What the function has fetched of it already.
    pub(super) seen: Option<Raws>,
    /// As if it had been fetched, and nothing been there.
    pub(super) nothing: Arc<dyn Fn() -> Raws + Send + Sync>,
}

/// What was found of a kind, matched with names, still to be read and decided about.
pub(super) struct Identified {
    pub(super) identities: Vec<Identity>,
    decide: Decide,
}

/// What an act led to.
pub(super) enum Acted {
    Made(Made),
    Gone(Gone),
}

/// One resource: its line of the plan, and the act that would carry it out.
pub(super) struct Todo {
    pub(super) item: Item,
    pub(super) needs: Vec<Need>,
    pub(super) act: Option<Act>,
    /// It is as described, and AWS has finished with it.
    pub(super) settled: bool,
    /// It is described; otherwise it is left over.
    pub(super) wanted: bool,
}

impl Kind {
    fn new<R: Resource>(client: R::Client, wanted: Vec<R>, seen: Option<Vec<R::Raw>>) -> Self {
        let wanted = Arc::new(wanted);
        let seen = seen.map(|raws| fetched::<R>(raws, client.clone(), Arc::clone(&wanted)));
        let nothing = {
            let (client, wanted) = (client.clone(), Arc::clone(&wanted));
            Arc::new(move || fetched::<R>(Vec::new(), client.clone(), Arc::clone(&wanted)))
        };
        let fetch: Fetch = Arc::new(move |ctx, names| {
            let (client, wanted) = (client.clone(), Arc::clone(&wanted));
            Box::pin(async move {
                let raws = R::fetch(&ctx, &client, &names).await?;
                Ok(fetched::<R>(raws, client, wanted))
            })
        });
        Self {
            name: R::KIND,
            late: R::LATE,
            lingers: R::LINGERS,
            tokenless: R::TOKENLESS,
            fetch,
            seen,
            nothing,
        }
    }
}

fn fetched<R: Resource>(raws: Vec<R::Raw>, client: R::Client, wanted: Arc<Vec<R>>) -> Raws {
    Box::new(move |ctx, names| identify::<R>(ctx, names, raws, client, wanted))
}

fn identify<R: Resource>(
    ctx: &Context,
    names: &Names,
    raws: Vec<R::Raw>,
    client: R::Client,
    wanted: Arc<Vec<R>>,
) -> Identified {
    let mut seen: Vec<(Identity, R::Raw)> = raws
        .into_iter()
        .filter_map(|raw| R::identify(ctx, &raw, names).map(|identity| (identity, raw)))
        .collect();
    // Ours before theirs, older before younger: the first of a name is the one.
    seen.sort_by(|(a, _), (b, _)| {
        let key = |i: &Identity| (i.name.clone(), i.owner == Owner::Theirs, i.created.clone(), i.id.clone());
        key(a).cmp(&key(b))
    });
    let mut identities: Vec<Identity> = seen.iter().map(|(identity, _)| identity.clone()).collect();
    identities.dedup_by(|later, first| later.name == first.name);
    let decide: Decide = Box::new(move |ctx, names, made| {
        let mut todos = Vec::new();
        let mut found: Vec<Found<R>> = Vec::with_capacity(seen.len());
        for (identity, raw) in seen {
            // A stranger's nobody asks for is not ours to read.
            if identity.owner == Owner::Theirs && !wanted.iter().any(|want| want.name() == identity.name) {
                continue;
            }
            found.push(Found { state: R::read(raw, names)?, identity });
        }
        for want in wanted.iter() {
            let name = want.name();
            let first = found.iter().position(|found| found.identity.name == name).map(|at| found.remove(at));
            todos.push(todo(ctx, Some(want.clone()), first, made(&name), &client));
        }
        for left_over in found {
            todos.push(todo::<R>(ctx, None, Some(left_over), false, &client));
        }
        Ok(todos)
    });
    Identified { identities, decide }
}

fn todo<R: Resource>(
    ctx: &Context,
    want: Option<R>,
    found: Option<Found<R>>,
    made: bool,
    client: &R::Client,
) -> Todo {
    let step = decide(want.as_ref(), found.as_ref(), made, &ctx.options);
    let name = match (&want, &found) {
        (Some(want), _) => want.name(),
        (None, Some(found)) => found.identity.name.clone(),
        (None, None) => unreachable!("a line of a plan is about something wanted or something found"),
    };
    let client = client.clone();
    let needs = want.as_ref().map(Resource::needs).unwrap_or_default();
    let mut item = Item::new(name, Action::Keep);
    let mut act: Option<Act> = None;
    let (settled, wanted) = (step == Step::Keep, want.is_some());
    match (step, want, found) {
        (Step::Keep, want, found) => {
            if let (None, Some(found)) = (&want, &found) {
                item.action = Action::Kept;
                item.reason = Some(format!("kept on purpose: {}", found.identity.id));
            }
        }
        (Step::Refuse(reason), _, _) => {
            item.action = Action::Refuse;
            item.reason = Some(reason);
        }
        (Step::Wait, want, found) => {
            item.action = Action::Wait;
            item.reason = Some(match found.map(|found| found.state) {
                None => "made, and not visible in AWS's listing yet".to_owned(),
                Some(State::Deleting) => "on its way out".to_owned(),
                Some(State::Changing(Some(now))) => match want.map(|want| changes(&now, &want)) {
                    Some(differ) if !differ.is_empty() => {
                        item.changes = differ;
                        "AWS is still at work on it; the change follows".to_owned()
                    }
                    _ => "AWS is still at work on it".to_owned(),
                },
                Some(State::Changing(None) | State::Settled(_) | State::Failed(_)) => {
                    "AWS is still at work on it".to_owned()
                }
            });
        }
        (Step::Create, Some(want), _) => {
            item.action = Action::Create;
            item.to = Some(description(&want));
            act = Some(Box::new(move |ctx, ids| {
                Box::pin(async move { want.create(Call { ctx, client, ids }).await.map(Acted::Made) })
            }));
        }
        (Step::Update, Some(want), Some(found)) => {
            let (State::Settled(now) | State::Changing(Some(now))) = found.state else {
                unreachable!("decide updates only what it could read");
            };
            item.action = Action::Update;
            item.changes = changes(&now, &want);
            let id = found.identity.id;
            let adopts = found.identity.owner == Owner::Theirs;
            if adopts {
                item.changes.insert(0, Change::adoption());
            }
            act = Some(Box::new(move |ctx, ids| {
                Box::pin(async move {
                    let call = Call { ctx, client, ids };
                    if adopts {
                        want.adopt(id.clone(), call.clone()).await?;
                        if now == want {
                            return Ok(Acted::Made(Made::started(id)));
                        }
                    }
                    want.update(now, id, call).await.map(Acted::Made)
                })
            }));
        }
        (Step::Remake | Step::Delete, want, Some(found)) => {
            item.action = if want.is_some() { Action::Remake } else { Action::Delete };
            let now = match found.state {
                State::Settled(now) | State::Changing(Some(now)) => Some(now),
                State::Failed(reason) => {
                    item.reason = Some(format!("it failed: {reason}"));
                    None
                }
                State::Changing(None) | State::Deleting => None,
            };
            let id = found.identity.id;
            act = Some(Box::new(move |ctx, ids| {
                Box::pin(async move { R::delete(id, now, Call { ctx, client, ids }).await.map(Acted::Gone) })
            }));
        }
        (Step::Create | Step::Update | Step::Remake | Step::Delete, _, _) => {
            unreachable!("decide creates what is wanted, and changes or deletes what is found")
        }
    }
    Todo { item, needs, act, settled, wanted }
}

fn description<R: Resource>(want: &R) -> Value {
    serde_json::to_value(want).expect("descriptions serialize")
}

impl Item {
    /// A line about `name`, with nothing else to say yet.
    pub fn new(name: Name, action: Action) -> Self {
        let progress = Progress::default();
        Self {
            name,
            action,
            changes: Vec::<Change>::new(),
            reason: None,
            to: None,
            progress,
            started_ms: None,
            ended_ms: None,
        }
    }
}

impl Kind {
    /// Fetches, without anything else known to be running.
    pub(super) fn start_fetch(&self, ctx: &Context, names: &Names) -> BoxFuture<'static, Result<Raws>> {
        (self.fetch)(ctx.clone(), names.clone())
    }
}

impl Identified {
    /// Reads and decides about everything of a kind. An unreadable one ends the look.
    pub(super) fn decide(
        self,
        ctx: &Context,
        names: &Names,
        made: &dyn Fn(&Name) -> bool,
        kind: &str,
    ) -> Result<Vec<Todo>> {
        (self.decide)(ctx, names, made)
            .map_err(|error| Error { message: format!("{kind}: {}", error.message), ..error })
    }
}

impl Todo {
    /// On its way out, wanted by nobody.
    pub(super) fn is_leaving(&self) -> bool {
        self.item.action == Action::Wait && !self.wanted
    }
}
