//! The installer's clients.

use std::time::Duration;

use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

/// For this long an upload of a function's code may take.
pub(super) const UPLOAD_WITHIN: Duration = Duration::from_mins(5);

/// The installer's clients.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each client is named after its service")]
pub struct Clients {
    /// S3, by path where AWS is an emulator.
    pub s3: aws_sdk_s3::Client,
    pub iam: aws_sdk_iam::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// Lambda, with time for uploads.
    pub lambda: aws_sdk_lambda::Client,
    pub sfn: aws_sdk_sfn::Client,
    pub events: aws_sdk_eventbridge::Client,
}

impl Clients {
    /// For the account, region and endpoint of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(config.endpoint_url().is_some());
        let patient = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(UPLOAD_WITHIN)
            .operation_timeout(2 * UPLOAD_WITHIN)
            .build();
        let lambda = aws_sdk_lambda::config::Builder::from(config).timeout_config(patient);
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            iam: aws_sdk_iam::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            lambda: aws_sdk_lambda::Client::from_conf(lambda.build()),
            sfn: aws_sdk_sfn::Client::new(config),
            events: aws_sdk_eventbridge::Client::new(config),
        }
    }
}
