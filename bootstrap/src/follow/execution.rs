//! What a run's execution says of a run that has no result: decided here, and asked elsewhere.

use std::time::Duration;

use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::ExecutionStatus;
use statemachine::message::Caught;

use crate::error::CliError;

/// How often the execution itself is asked whether it still runs.
const CHECK_AFTER: Duration = Duration::from_secs(10);
/// An execution that was started is known to AWS everywhere after this.
const KNOWN_AFTER_S: i64 = 60;

/// Whether the execution is to be asked now. Of a run that began long ago it is asked at once: it may be over for
/// long. `age_s` is the time since the run's begin, where its record says it; `followed` the time since we look,
/// and `checked` since it was asked last.
pub(super) fn is_due(age_s: Option<i64>, followed: Duration, checked: Option<Duration>) -> bool {
    match checked {
        Some(checked) => checked > CHECK_AFTER,
        None => age_s.is_some_and(|age_s| age_s >= KNOWN_AFTER_S) || followed > CHECK_AFTER,
    }
}

/// Whether a run without a result can still have one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It can.
    GoesOn,
    /// It cannot, and so ended.
    Over(End),
}

/// How an execution ended that left no result; no status: AWS does not know it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    status: Option<ExecutionStatus>,
    error: Option<String>,
    cause: Option<String>,
}

/// Decides by the execution as Step Functions describes it; `None` where AWS does not know it, which says little
/// of a young one.
pub(super) fn verdict(
    execution: Option<&DescribeExecutionOutput>,
    age_s: Option<i64>,
    followed: Duration,
) -> Verdict {
    let is_young = age_s.unwrap_or(0) < KNOWN_AFTER_S && followed < 3 * CHECK_AFTER;
    match execution {
        None if is_young => Verdict::GoesOn,
        None => Verdict::Over(End { status: None, error: None, cause: None }),
        Some(execution) if execution.stop_date().is_none() => Verdict::GoesOn,
        Some(execution) => Verdict::Over(End {
            status: Some(execution.status().clone()),
            error: execution.error().map(str::to_owned),
            cause: execution.cause().map(str::to_owned),
        }),
    }
}

impl End {
    /// The end as the error that it is.
    pub(super) fn error(self, run: &str) -> CliError {
        let is_denied = self.error.as_deref() == Some("Denied");
        let why = match (self.error, self.cause) {
            (Some(error), Some(cause)) => {
                let caught = Caught { error, cause };
                // It is control's: the machine catches every other.
                match caught.raised() {
                    Some(message) => format!(". The function control ended with {}: {message}", caught.error),
                    None => format!(": {}: {}", caught.error, caught.cause),
                }
            }
            (Some(one), None) | (None, Some(one)) => format!(": {one}"),
            (None, None) => String::new(),
        };
        let what = match self.status {
            None => format!("AWS knows no execution of the run {run}, and its record has no result"),
            Some(ExecutionStatus::Aborted) => format!("The run {run} was stopped from outside{why}"),
            Some(ExecutionStatus::TimedOut) => format!("The run {run} ran out of time{why}"),
            Some(_) => format!("The run {run} ended without a result{why}"),
        };
        let what = if what.ends_with('.') { what } else { format!("{what}.") };
        let first = if is_denied {
            "Run `stepstack bootstrap`: it brings the engine's roles up to date. If it is a policy of your organization, ask whoever owns that. "
        } else {
            ""
        };
        CliError::failed(what).help(format!(
            "{first}What it made stays. Run the command again: it goes on from there. The lock frees itself a minute after the run's end."
        ))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sfn::primitives::DateTime;

    use super::*;

    #[test]
    fn an_execution_is_asked_about_when_its_run_is_old_or_silent() {
        let s = Duration::from_secs;
        // (age of the run, followed for, asked before) -> asked now
        for (age_s, followed, checked, due) in [
            (None, s(0), None, false),
            (None, s(10), None, false),
            (None, s(11), None, true),
            (Some(59), s(0), None, false),
            (Some(60), s(0), None, true),
            (Some(3_600), s(60), Some(s(10)), false),
            (Some(0), s(60), Some(s(11)), true),
        ] {
            assert_eq!(is_due(age_s, followed, checked), due, "{age_s:?} {followed:?} {checked:?}");
        }
    }

    #[test]
    fn a_run_is_over_when_its_execution_ended_or_was_never_known() {
        let s = Duration::from_secs;
        let described = |status: ExecutionStatus, ended: Option<i64>| {
            DescribeExecutionOutput::builder()
                .execution_arn("arn")
                .state_machine_arn("arn")
                .start_date(DateTime::from_secs(0))
                .status(status)
                .set_stop_date(ended.map(DateTime::from_secs))
                .build()
                .expect("an execution")
        };
        let running = described(ExecutionStatus::Running, None);
        let aborted = described(ExecutionStatus::Aborted, Some(1));
        let over = |status: Option<ExecutionStatus>| Verdict::Over(End { status, error: None, cause: None });
        for (execution, age_s, followed, expected) in [
            (Some(&running), Some(86_400), s(3_600), Verdict::GoesOn),
            (Some(&aborted), Some(0), s(0), over(Some(ExecutionStatus::Aborted))),
            (None, None, s(29), Verdict::GoesOn),
            (None, None, s(30), over(None)),
            (None, Some(59), s(29), Verdict::GoesOn),
            (None, Some(60), s(0), over(None)),
        ] {
            assert_eq!(verdict(execution, age_s, followed), expected, "{age_s:?} {followed:?}");
        }
    }

    fn message(status: Option<ExecutionStatus>, error: Option<&str>, cause: Option<&str>) -> String {
        let end = End { status, error: error.map(str::to_owned), cause: cause.map(str::to_owned) };
        end.error("R").message
    }

    #[test]
    fn an_end_without_a_result_says_which_end_it_was() {
        assert_eq!(
            message(Some(ExecutionStatus::Aborted), None, Some("by hand")),
            "The run R was stopped from outside: by hand."
        );
        assert_eq!(message(Some(ExecutionStatus::TimedOut), None, None), "The run R ran out of time.");
        assert_eq!(
            message(Some(ExecutionStatus::Failed), Some("Internal"), Some("No bucket.")),
            "The run R ended without a result: Internal: No bucket."
        );
        let denied = r#"{"errorType":"Denied","errorMessage":"PutObject failed: no (AccessDenied)"}"#;
        assert_eq!(
            message(Some(ExecutionStatus::Failed), Some("Denied"), Some(denied)),
            "The run R ended without a result. The function control ended with Denied: PutObject failed: no (AccessDenied)."
        );
        let unknown = message(None, None, None);
        assert!(unknown.starts_with("AWS knows no execution of the run R"), "{unknown}");
    }
}
