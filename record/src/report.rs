//! Reading a stage's report, from the document where it travels with it, else from the record.

use statemachine::Result;
use statemachine::message::{Document, Mode, StageReport};

use crate::Bucket;

impl Bucket {
    /// The last report of a stage's making or removing; `None` when it did neither.
    pub async fn work_report(&self, document: &Document, stage: &str) -> Result<Option<StageReport>> {
        let slot = document.stages.get(stage);
        if let Some(report) = slot.and_then(|slot| slot.work()) {
            return Ok(Some(report.clone()));
        }
        // Only a destroy looks again after it has written.
        if slot.is_some_and(|slot| slot.mode == Some(Mode::Plan)) && document.looks <= 1 {
            return Ok(None);
        }
        self.run(&document.run).report(stage).get().await
    }
}

#[cfg(test)]
mod tests {
    use statemachine::message::Operation;

    use super::*;
    use crate::testing::bucket;

    #[tokio::test]
    async fn a_report_that_travels_is_not_fetched_and_a_look_has_none() {
        let bucket = bucket(&[]);
        let mut document = Document::example(Operation::Apply, None);
        document.stages.network.mode = Some(Mode::Plan);
        assert_eq!(bucket.work_report(&document, "network").await.expect("no call"), None);

        let mut report = StageReport::of_quiet("network", &document.stages.network);
        report.mode = Mode::Make;
        document.stages.network.report = Some(Box::new(report.clone()));
        assert_eq!(bucket.work_report(&document, "network").await.expect("no call"), Some(report));
    }
}
