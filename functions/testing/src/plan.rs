//! A look at a stage, and what it says in words.

use std::collections::BTreeMap;
use std::fmt;

use futures_util::future::BoxFuture;
use statemachine::Result;
use statemachine::message::{Mode, StageReport};
use statemachine::permission::Permission;
use statemachine::plan::{Action, Item};
use statemachine::resource::{Context, Name, Names};
use statemachine::tick::{Hold, Input, Link, Resources, tick};

/// A plan neither asks nor notes anything.
struct Unused;

impl Link for Unused {
    fn hold(&self) -> BoxFuture<'_, Result<Hold>> {
        unreachable!("a plan writes nothing")
    }
    fn notes(&self) -> BoxFuture<'_, Result<BTreeMap<Name, u64>>> {
        unreachable!("a plan writes nothing")
    }
    fn note(&self, _: BTreeMap<Name, u64>) -> BoxFuture<'_, Result<()>> {
        unreachable!("a plan writes nothing")
    }
}

/// Looks at the resources of a stage, which knows these names of the stages before it. Writes nothing.
pub async fn look<C>(resources: Resources<C>, ctx: &Context, names: Names) -> Result<StageReport> {
    tick(resources, ctx, Mode::Plan, Input { names, ..Input::default() }, &Unused).await
}

/// What would change, a line each.
pub fn plan(report: &StageReport) -> String {
    lines(report, Detail::Changes)
}

/// What would change, a line each, with all that is to be created.
pub fn whole(report: &StageReport) -> String {
    lines(report, Detail::Whole)
}

fn lines(report: &StageReport, detail: Detail) -> String {
    let changes = report.items.iter().filter(|item| item.action != Action::Keep);
    changes.map(|item| Line { item, detail }.to_string()).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Detail {
    Changes,
    Whole,
}

struct Line<'a> {
    item: &'a Item,
    detail: Detail,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.item.action {
            Action::Keep => ' ',
            Action::Kept => '=',
            Action::Wait => '.',
            Action::Create => '+',
            Action::Update => '~',
            Action::Remake => '±',
            Action::Delete => '-',
            Action::Refuse => '!',
        };
        write!(f, "{sign} {}", self.item.name)?;
        for change in &self.item.changes {
            write!(f, "  {}: {} -> {}", change.field, change.from, change.to)?;
        }
        if let Some(reason) = &self.item.reason {
            write!(f, "  {reason}")?;
        }
        if let (Some(to), Detail::Whole) = (&self.item.to, self.detail) {
            write!(f, "  {to}")?;
        }
        writeln!(f)
    }
}

/// Asserts that each permission names its actions in full, and gives a reason exactly where it holds for every
/// resource.
pub fn assert_narrow(permissions: &[Permission]) {
    for permission in permissions {
        assert!(permission.actions.iter().all(|action| !action.contains('*')), "{permission:?}");
        let everywhere = permission.resources.iter().any(|resource| resource == "*");
        assert_eq!(everywhere, permission.reason.is_some(), "{permission:?}");
    }
}
