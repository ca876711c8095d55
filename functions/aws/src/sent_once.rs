//! Calls that must not be sent a second time by the SDK itself.

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};

/// Forbids the SDK to repeat a call that AWS may have carried out: where no answer came, or an internal error.
/// What was throttled was surely not carried out, and is repeated as ever.
///
/// For creates that neither a token nor a name makes repeatable (aws-facts.md section 1): the SDK repeats after
/// a lost answer by itself, and there are two. The tick looks for what was made before it asks again.
#[derive(Clone, Copy, Debug)]
pub struct SentOnce;

impl ClassifyRetry for SentOnce {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().map(|response| response.status().as_u16()) {
            // 503 is EC2's status for RequestLimitExceeded.
            Some(status) if status < 500 || status == 503 => RetryAction::NoActionIndicated,
            _ => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "sent once"
    }

    /// After all of the SDK's own, so that its word is the last.
    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}
