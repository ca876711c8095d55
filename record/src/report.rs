//! Reading a stage's report, from the document where it travels with it, else from the record.

use statemachine::message::{Document, Mode, Report, StageReport};
use statemachine::{Result, Stage};

use crate::Bucket;

impl Bucket {
    /// A stage's last report; `None` when it was not called.
    pub async fn last_report(&self, document: &Document, stage: Stage) -> Result<Option<StageReport>> {
        let (run, slot) = (self.run(&document.run), &document.stages[stage]);
        match (&slot.report, slot.mode) {
            (Report::None | Report::Quiet | Report::Carried(_), _) => Ok(slot.report(stage)),
            (Report::Recorded, Some(Mode::Plan) | None) => run.look(stage).get().await,
            (Report::Recorded, Some(Mode::Make | Mode::Remove)) => run.report(stage).get().await,
        }
    }

    /// The last report of a stage's making or removing; `None` when it did neither.
    pub async fn work_report(&self, document: &Document, stage: Stage) -> Result<Option<StageReport>> {
        match document.stages[stage].mode {
            Some(Mode::Make | Mode::Remove) => self.last_report(document, stage).await,
            // Only a destroy looks again after it has written.
            Some(Mode::Plan) if document.looks > 1 => self.run(&document.run).report(stage).get().await,
            Some(Mode::Plan) | None => Ok(None),
        }
    }

    /// What a stage has to tell at a run's end: of its making or removing, else of a look that found anything. A look
    /// that failed comes after everything that was done.
    pub async fn end_report(&self, document: &Document, stage: Stage) -> Result<Option<StageReport>> {
        let slot = &document.stages[stage];
        if let Some(report) = slot.report(stage).filter(|report| report.failure.is_some()) {
            return Ok(Some(report));
        }
        if let Some(report) = self.work_report(document, stage).await? {
            return Ok(Some(report));
        }
        match slot.report {
            Report::None | Report::Quiet => Ok(None),
            Report::Carried(_) | Report::Recorded => self.last_report(document, stage).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use statemachine::message::{Operation, Told};

    use super::*;
    use crate::testing::bucket;

    #[tokio::test]
    async fn a_report_that_travels_is_not_fetched_and_a_look_has_none() {
        let bucket = bucket(&[]);
        let mut document = Document::example(Operation::Apply, None);
        document.stages.network.mode = Some(Mode::Plan);
        assert_eq!(bucket.work_report(&document, Stage::Network).await.expect("no call"), None);

        let mut report = document.stages.network.with(Stage::Network, Told::default());
        report.mode = Mode::Make;
        document.stages.network = document.stages.network.after(report.clone(), 1);
        assert_eq!(bucket.work_report(&document, Stage::Network).await.expect("no call"), Some(report));
    }
}
