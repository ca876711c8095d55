//! The record in the provisioner's bucket, as far as commands read it.

use std::num::NonZeroU32;

use record::Lock;
use statemachine::Stage;
use statemachine::config::{Stack, parse};
use statemachine::message::{Intent, PlanRecord, ReleaseRecord, RunRecord, RunResult, StageReport};

use super::Session;
use crate::error::Result;

impl Session {
    /// What a run was asked for; `None` until it has begun.
    pub(crate) async fn run_record(&self, run: &str) -> Result<Option<RunRecord>> {
        Ok(self.record.run(run).request().get().await?)
    }

    /// What a run plans; `None` where it has made no plan.
    pub(crate) async fn plan_record(&self, run: &str) -> Result<Option<PlanRecord>> {
        Ok(self.record.run(run).plan().get().await?)
    }

    /// How a run ended; `None` until it has.
    pub(crate) async fn run_result(&self, run: &str) -> Result<Option<RunResult>> {
        Ok(self.record.run(run).result().get().await?)
    }

    /// What a stage of a run says; `None` where the run has only looked at it.
    pub(crate) async fn report(&self, run: &str, stage: Stage) -> Result<Option<StageReport>> {
        Ok(self.record.run(run).report(stage).get().await?)
    }

    /// The stages' reports of a run, in order; those it only looked at are left out.
    pub(crate) async fn reports(&self, run: &str) -> Result<Vec<StageReport>> {
        let mut reports = Vec::new();
        for stage in Stage::ALL {
            reports.extend(self.report(run, stage).await?);
        }
        Ok(reports)
    }

    /// What was accepted last; `None` where there is no such environment.
    pub(crate) async fn intent(&self) -> Result<Option<Intent>> {
        Ok(self.record.intent().get().await?)
    }

    /// The lock; `None` where nobody ever took it.
    pub(crate) async fn lock(&self) -> Result<Option<Lock>> {
        Ok(self.record.lock().get().await?)
    }

    /// The release of this number.
    pub(crate) async fn release_record(&self, number: NonZeroU32) -> Result<Option<ReleaseRecord>> {
        Ok(self.record.release(number).get().await?)
    }

    /// The configuration that was accepted last; `None` where there is no such environment.
    pub(crate) async fn accepted_stack(&self) -> Result<Option<Stack>> {
        let Some(run) = self.intent().await?.and_then(|intent| intent.run) else { return Ok(None) };
        let text = self.record.run(&run).configuration().bytes(None).await?;
        let name = "the configuration that was accepted last";
        Ok(text.map(|text| parse(&text, name)).transpose()?)
    }

    /// The ids of the environment's runs, oldest first.
    pub(crate) async fn runs(&self) -> Result<Vec<String>> {
        Ok(self.record.runs().await?)
    }
}
