//! Watching a run: the picture of it while it goes, until its end or Ctrl-C.

use statemachine::Stage;
use statemachine::naming::resource;

use super::outcome::detached;
use super::sample::push_if_empty;
use crate::error::Result;
use crate::follow::{Watcher, follow};
use crate::session::Session;
use crate::show::{self, Live, Page, View};

/// What a command watches a run for.
pub(super) struct Watching<'a> {
    session: &'a Session,
    live: Live,
    /// The plan is shown as soon as it is there.
    shows_plan: bool,
    /// A sample image is put into an empty repository.
    pushes_sample: bool,
    pushed: bool,
}

impl<'a> Watching<'a> {
    pub(super) fn new(session: &'a Session) -> Self {
        Self { session, live: Live::new(), shows_plan: false, pushes_sample: false, pushed: false }
    }

    /// A way to print above what it draws.
    pub(super) fn above(&self) -> show::Above {
        self.live.above()
    }

    /// Shows the plan as soon as there is one.
    #[must_use]
    pub(super) fn showing_plan(self, shows_plan: bool) -> Self {
        Self { shows_plan, ..self }
    }

    /// Puts a sample image into the repository as soon as there is one.
    #[must_use]
    pub(super) fn pushing_sample(self, pushes_sample: bool) -> Self {
        Self { pushes_sample, ..self }
    }
}

impl Watcher for Watching<'_> {
    async fn seen(&mut self, view: &View) -> Result<()> {
        if let Some(plan) = view.plan.as_ref().filter(|_| self.shows_plan) {
            self.live.print(&show::plan::plan(plan, Page::stderr()));
            self.shows_plan = false;
        }
        let repository = resource::repository();
        let has_repository =
            view.stages.get(&Stage::Foundation).is_some_and(|report| report.names.id(&repository).is_some());
        if self.pushes_sample && !self.pushed && has_repository {
            self.pushed = true;
            push_if_empty(self.session).await?;
        }
        self.live.seen(view);
        Ok(())
    }

    fn passed(&mut self, view: &View) {
        self.live.draw(view);
    }

    /// The services look for an image soon after the repository is made.
    fn hurries(&self, view: &View) -> bool {
        let repository = resource::repository();
        let plan = view.plan.as_ref().filter(|_| self.pushes_sample && !self.pushed);
        plan.is_some_and(|record| {
            record.plan.items().any(|(_, item)| item.name == repository && item.action.is_change())
        })
    }
}

/// Follows a run to its end, or until Ctrl-C: then says how to come back.
pub(super) async fn watch(session: &Session, run: &str, mut watching: Watching<'_>) -> Result<Option<View>> {
    let come_back = || session.come_back(run);
    tokio::select! {
        view = follow(session, run, &mut watching) => {
            watching.live.end(view.as_ref().ok());
            view.map(Some).map_err(|error| match error.kind {
                // A call failed, and not the run.
                Some(_) => error.help_too(&format!("The run goes on in AWS; come back with `{}`.", come_back())),
                None => error,
            })
        }
        _ = tokio::signal::ctrl_c() => {
            watching.live.end(None);
            detached(session, run);
            Ok(None)
        }
    }
}
