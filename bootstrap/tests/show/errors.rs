//! What a person sees when something is wrong.

use bootstrap::error::CliError;
use bootstrap::show::problems;
use insta::assert_snapshot;
use statemachine::config::{Errors, parse};
use statemachine::{Error, ErrorKind};

use crate::screens;

fn wrong(text: &str) -> Errors {
    parse(text.as_bytes(), "stepstack.toml").expect_err("the file is wrong")
}

#[test]
fn a_bad_file_is_shown_with_line_mark_and_near_miss() {
    let errors = wrong(
        r#"app = "arive"
environment = "production"

[services.api]
port = "8000"

[database]
min_acuu = 0.5
max_acu = 4
"#,
    );
    assert_snapshot!(screens(|page| problems(&errors, page)));
}

#[test]
fn the_mark_is_below_what_it_means_after_any_text() {
    let errors = wrong(
        "app = \"arive\"\nenvironment = \"production\"\nservices = { \"größe-ü\" = { port = 8000 }, \"api\" = { prot = 1 } } # né\n",
    );
    assert_snapshot!(screens(|page| problems(&errors, page)));
}

#[test]
fn a_value_that_may_be_secret_is_not_shown() {
    let errors = wrong(
        r#"app = "arive"
environment = "production"
[services.api]
port = 8000
[services.api.environment]
STRIPE_KEY = { value = "sk_live_hush" }
"#,
    );
    let screen = screens(|page| problems(&errors, page));
    assert!(!screen.contains("hush"), "{screen}");
    assert_snapshot!(screen);
}

#[test]
fn a_file_that_is_none_is_explained() {
    let all = [wrong(""), wrong("app = \n")];
    assert_snapshot!(screens(|page| all.iter().flat_map(|errors| problems(errors, page)).collect()));
}

#[test]
fn failed_calls_say_the_remedy() {
    let error = |kind, code: &str, said: &str| {
        let error = Error {
            kind,
            message: format!("GetCallerIdentity failed: {said} ({code})"),
            action: Some("sts:GetCallerIdentity"),
            code: Some(code.to_owned()),
        };
        CliError::from(error)
    };
    let all = [
        error(ErrorKind::Denied, "ExpiredToken", "The security token included in the request is expired"),
        error(
            ErrorKind::Denied,
            "InvalidClientTokenId",
            "The security token included in the request is invalid",
        ),
        error(ErrorKind::Transient, "NoConnection", "dns error: failed to lookup address information"),
        error(ErrorKind::Denied, "AccessDenied", "User ada is not authorized"),
        CliError::refused("Nothing was changed: that is not the environment's name."),
    ];
    assert_snapshot!(screens(|page| all.iter().flat_map(|error| error.screen(page)).collect()));
}
