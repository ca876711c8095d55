//! How the execution of a lock's holder stands.

use aws::failed;
use record::lock::HolderState;
use statemachine::error::Optional as _;
use statemachine::{ErrorKind, Result};

use crate::Control;

impl Control {
    /// Asks Step Functions about the execution with this ARN.
    pub(crate) async fn holder_state(&self, execution: String) -> Result<HolderState> {
        let describe = self.sfn.describe_execution().execution_arn(execution);
        let answer = describe.send().await.map_err(failed("states:DescribeExecution")).optional();
        Ok(match answer {
            Ok(None) => HolderState::Unknown,
            Ok(Some(execution)) => match execution.stop_date() {
                Some(end) => HolderState::Ended(end.secs()),
                None => HolderState::Running,
            },
            Err(error) if error.kind == ErrorKind::Invalid => HolderState::Unknown,
            Err(error) => return Err(error),
        })
    }
}
