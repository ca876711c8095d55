//! A bucket for unit tests.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode, create_mock_http_client};

use crate::Bucket;

/// S3's answers to a conditional write that another was faster than.
pub(crate) const REFUSALS: [&str; 2] = ["PreconditionFailed", "ConditionalRequestConflict"];

/// A bucket that takes exactly these calls, in this order.
pub(crate) fn bucket(rules: &[&Rule]) -> Bucket {
    let credentials = SharedCredentialsProvider::new(Credentials::new("nobody", "no", None, None, "test"));
    let config = aws::config("us-east-1", Some("http://127.0.0.1:1"), credentials);
    let answers = MockResponseInterceptor::new().rule_mode(RuleMode::Sequential);
    let answers = rules.iter().fold(answers, |answers, rule| answers.with_rule(rule));
    let s3 = aws_sdk_s3::config::Builder::from(&config)
        .http_client(create_mock_http_client())
        .interceptor(answers);
    Bucket { s3: Client::from_conf(s3.build()), name: "stepstack-arive".to_owned() }
}
