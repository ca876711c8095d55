//! Clients that answer by rules, and reach nothing.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
pub use aws_smithy_mocks::create_mock_http_client as http_client;
use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode};
use aws_smithy_types::error::ErrorMetadata;
use aws_types::SdkConfig;

/// A client of this crate of the SDK, with the answers of [`in_order`] or [`any_order`].
#[macro_export]
macro_rules! client {
    ($sdk:ident, $answers:expr) => {
        $sdk::Client::from_conf(
            $sdk::config::Builder::from(&$crate::config())
                .http_client($crate::http_client())
                .interceptor($answers)
                .build(),
        )
    };
}

/// The configuration of a client that is nobody's.
pub fn config() -> SdkConfig {
    let nobody = SharedCredentialsProvider::new(Credentials::new("nobody", "nothing", None, None, "test"));
    aws::config("us-east-1", Some("http://127.0.0.1:1"), nobody)
}

/// Takes exactly these calls, in this order.
pub fn in_order(rules: &[&Rule]) -> MockResponseInterceptor {
    let answers = MockResponseInterceptor::new().rule_mode(RuleMode::Sequential);
    rules.iter().fold(answers, |answers, rule| answers.with_rule(rule))
}

/// Takes these calls, and each as often as it comes.
pub fn any_order(rules: &[Rule]) -> MockResponseInterceptor {
    let answers = MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny);
    rules.iter().fold(answers, MockResponseInterceptor::with_rule)
}

/// Asserts that each of these calls has come, and once.
pub fn all_called(rules: &[&Rule]) {
    assert!(rules.iter().all(|rule| rule.num_calls() == 1), "every call comes, and once");
}

/// What AWS says with this error code.
pub fn said(code: &str) -> ErrorMetadata {
    ErrorMetadata::builder().code(code).message("AWS says no").build()
}
