//! The calls of listeners whose outcome matters.

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::config::{Builder, Credentials, SharedCredentialsProvider};
use aws_sdk_elasticloadbalancingv2::error::ErrorMetadata;
use aws_sdk_elasticloadbalancingv2::operation::create_listener::CreateListenerError;
use aws_smithy_mocks::{MockResponseInterceptor, RuleMode, create_mock_http_client, mock};
use ingress::listener::{Action, Listener};
use statemachine::resource::{Call, Context, Made, Name, Names, Resource as _};
use statemachine::{ErrorKind, Result};

/// Creates the HTTP listener, where AWS answers with this error.
async fn create(code: &'static str) -> Result<Made> {
    let refused = mock!(Client::create_listener).then_error(move || {
        CreateListenerError::generic(ErrorMetadata::builder().code(code).message("refused").build())
    });
    let credentials =
        SharedCredentialsProvider::new(Credentials::new("nobody", "nothing", None, None, "test"));
    let config = aws::config("us-east-1", Some("http://127.0.0.1:1"), credentials);
    let answers = MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny).with_rule(&refused);
    let config = Builder::from(&config).http_client(create_mock_http_client()).interceptor(answers);
    let mut names = Names::default();
    names.insert(Name::new("load-balancer", "main"), "arn");
    let listener = Listener::http(Action::RedirectToHttps);
    listener
        .create(Call {
            ctx: Context::example(statemachine::Stage::Ingress),
            client: Client::from_conf(config.build()),
            ids: names,
        })
        .await
}

#[tokio::test]
async fn a_listener_that_an_unanswered_call_has_made_is_looked_for_again() {
    assert_eq!(create("DuplicateListener").await.expect_err("refused").kind, ErrorKind::NotReady);
}

#[tokio::test]
async fn any_other_refusal_is_a_failure() {
    assert_eq!(create("TooManyListeners").await.expect_err("refused").kind, ErrorKind::Quota);
}
