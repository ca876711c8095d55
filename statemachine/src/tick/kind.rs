//! A kind of a stage with all that is wanted of it, its type erased: one closure owns all that a step needs.

use std::any::type_name;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::todo::{Todo, todo};
use crate::plan::CreateCall;
use crate::resource::{Context, Found, Identity, Name, Names, Owner, Resource};
use crate::{Error, Result};

type Fetch = Arc<dyn Fn(Context, Names) -> BoxFuture<'static, Result<Raws>> + Send + Sync>;
/// What was fetched, still to be matched with names.
pub(super) type Raws = Box<dyn FnOnce(&Context, &Names) -> Identified + Send>;
type Decide = Box<dyn FnOnce(&Context, &Names, &dyn Fn(&Name) -> bool) -> Result<Vec<Todo>> + Send>;

/// A kind, its type erased.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// Of its Rust type: two kinds of a stage may have one name.
    pub(super) type_name: &'static str,
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

impl Kind {
    pub(super) fn new<R: Resource>(client: R::Client, wanted: Vec<R>, seen: Option<Vec<R::Raw>>) -> Self {
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
            type_name: type_name::<R>(),
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
        let key = |i: &Identity| (i.name.clone(), i.owner == Owner::Theirs, i.created, i.id.clone());
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
            let create = if made(&name) { CreateCall::Sent } else { CreateCall::NotSent };
            todos.push(todo(ctx, Some(want.clone()), first, create, &client));
        }
        for left_over in found {
            todos.push(todo::<R>(ctx, None, Some(left_over), CreateCall::NotSent, &client));
        }
        Ok(todos)
    });
    Identified { identities, decide }
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
