//! One resource of a stage: its line of the plan, and the call that would carry it out, its type erased.

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::Result;
use crate::plan::{Action, Change, CreateCall, Item, Step, changes, decide};
use crate::resource::{Call, Context, Found, Gone, Made, Names, Need, Owner, Resource, State};

type Act = Box<dyn FnOnce(Context, Names) -> BoxFuture<'static, Result<Acted>> + Send>;

/// Where a resource's line stands on the board.
#[derive(Clone, Copy)]
pub(super) struct Position {
    pub(super) kind: usize,
    pub(super) row: usize,
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

impl Todo {
    /// On its way out, wanted by nobody.
    pub(super) fn is_leaving(&self) -> bool {
        self.item.action == Action::Wait && !self.wanted
    }
}

/// Decides about one resource.
pub(super) fn todo<R: Resource>(
    ctx: &Context,
    want: Option<R>,
    found: Option<Found<R>>,
    create: CreateCall,
    client: &R::Client,
) -> Todo {
    let step = decide(want.as_ref(), found.as_ref(), create, &ctx.options);
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
            act = Some(Box::new(move |ctx, names| {
                Box::pin(async move { want.create(Call { ctx, client, names }).await.map(Acted::Made) })
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
            act = Some(Box::new(move |ctx, names| {
                Box::pin(async move {
                    let call = Call { ctx, client, names };
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
            act = Some(Box::new(move |ctx, names| {
                Box::pin(
                    async move { R::delete(id, now, Call { ctx, client, names }).await.map(Acted::Gone) },
                )
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
