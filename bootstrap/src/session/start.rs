//! Starting a run.

use aws::failed;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use statemachine::message::{Operation, Parameters, Request};
use statemachine::resource::{Options, hex};

use super::{Session, no_engine};
use crate::error::{CliError, Result};

/// How many names are tried for a run. A name is taken when another run began in the same second, and then in
/// one of 65,536 cases.
const NAMES: u32 = 5;

impl Session {
    /// What is asked of the engine: an operation on this environment, without parameters.
    pub(crate) fn request(&self, operation: Operation, options: Options) -> Request {
        Request {
            app: self.scope.app.clone(),
            environment: self.environment.clone(),
            operation,
            config_key: None,
            plan: None,
            parameters: Parameters::default(),
            wait: false,
            options,
            caller: self.caller.clone(),
        }
    }

    /// Starts an execution, with the configuration in its place. Answers the run's id.
    ///
    /// Refused, for what changes anything, where the engine is newer than this program.
    pub(crate) async fn start(&self, mut request: Request) -> Result<String> {
        if !request.operation.only_looks() {
            self.refuse_when_older().await?;
        }
        for _ in 0..NAMES {
            let run = new_run_id();
            if let Some(file) = self.file.as_ref().filter(|_| request.operation.reads_configuration()) {
                let own = self.record.run(&run).configuration();
                let put = own.put_new_text(&file.text).await;
                if !put.map_err(|error| self.without_engine(error))? {
                    continue;
                }
                request.config_key = Some(own.key().to_owned());
            }
            if self.start_as(&run, &request).await? {
                return Ok(run);
            }
        }
        Err(CliError::failed("No name was free for the run.").help("Run the command again."))
    }

    /// Starts the execution under this name. `false`: the name belongs to another request.
    async fn start_as(&self, run: &str, request: &Request) -> Result<bool> {
        let input = serde_json::to_string(request).map_err(|error| CliError::failed(error.to_string()))?;
        let start = self.sfn.start_execution().state_machine_arn(self.scope.state_machine());
        let started = start.name(run).input(input).send().await.map_err(failed("states:StartExecution"));
        let Err(error) = started else { return Ok(true) };
        match error.code.as_deref() {
            Some("StateMachineDoesNotExist") => Err(no_engine(&self.scope.app)),
            // A call that was repeated because its answer was lost, or somebody else's run.
            Some("ExecutionAlreadyExists") => {
                let described = self.describe(&self.execution(run)).await?;
                let input = described.as_ref().and_then(|execution| execution.input());
                let theirs: Option<Request> = input.and_then(|input| serde_json::from_str(input).ok());
                Ok(theirs.as_ref() == Some(request))
            }
            _ => Err(error.into()),
        }
    }

    /// An execution; `None` where AWS does not know it.
    pub(crate) async fn describe(
        &self,
        execution: &str,
    ) -> statemachine::Result<Option<DescribeExecutionOutput>> {
        let described = self.sfn.describe_execution().execution_arn(execution).send().await;
        match described.map_err(failed("states:DescribeExecution")) {
            Ok(described) => Ok(Some(described)),
            Err(error) if error.code.as_deref() == Some("ExecutionDoesNotExist") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An error of the bucket, which comes with the engine.
    fn without_engine(&self, error: statemachine::Error) -> CliError {
        match error.code.as_deref() {
            Some("NoSuchBucket") => no_engine(&self.scope.app),
            _ => error.into(),
        }
    }
}

/// `YYYYMMDD-HHMMSS-xxxx`: the name of an execution, and so the id of its run.
fn new_run_id() -> String {
    let now = Timestamp::now();
    let seed = format!("{}-{}", now.as_nanosecond(), std::process::id());
    format!("{}-{}", now.strftime("%Y%m%d-%H%M%S"), &hex(&Sha256::digest(seed))[..4])
}
