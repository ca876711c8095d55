//! The calls of listeners whose outcome matters.

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::operation::create_listener::CreateListenerError;
use aws_smithy_mocks::mock;
use ingress::listener::{Action, Listener};
use statemachine::resource::{Call, Made, Name, Names, Resource as _};
use statemachine::{ErrorKind, Result};
use testing::{client, context, in_order, said};

/// Creates the HTTP listener, where AWS answers with this error.
async fn create(code: &'static str) -> Result<Made> {
    let refused = mock!(Client::create_listener).then_error(move || CreateListenerError::generic(said(code)));
    let mut names = Names::default();
    names.insert(Name::new("load-balancer", "main"), "arn");
    let listener = Listener::http(Action::RedirectToHttps);
    listener
        .create(Call {
            ctx: context(statemachine::Stage::Ingress),
            client: client!(aws_sdk_elasticloadbalancingv2, in_order(&[&refused])),
            names,
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
