//! What can be wrong with a machine: one sentence each, with its remedy.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use crate::fake::Fake;
use crate::{Done, Place, world};

/// One sentence of what is wrong, and what to do.
#[track_caller]
fn says(done: &Done, code: i32, wrong: &str, remedy: &str) {
    assert_eq!(done.code, code, "{done:?}");
    assert!(done.stdout.is_empty(), "{done:?}");
    let said = done.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(wrong), "{wrong}: {said}");
    assert!(said.contains(remedy), "{remedy}: {said}");
    let lines = done.stderr.lines().filter(|line| line.starts_with("Error:")).count();
    assert_eq!(lines, 1, "one error: {done:?}");
}

#[test]
fn no_region() {
    says(&Place::new().run(&["plan"]), 2, "No AWS region is set.", "set AWS_REGION or --region");
}

#[test]
fn no_credentials() {
    let done = Place::new().run(&["plan", "--region", "us-east-1"]);
    says(&done, 1, "There are no AWS credentials on this machine.", "aws sso login");
    assert_eq!(done.stderr.lines().count(), 2, "no chain of providers: {done:?}");
}

#[test]
fn expired_credentials() {
    let mut world = world();
    world.stranger = Some(("ExpiredToken", "The security token included in the request is expired"));
    let fake = Fake::start(world);
    let done = Place::with(&fake).run(&["status"]);
    says(&done, 1, "The AWS credentials have expired.", "Sign in again (`aws sso login`)");
}

#[test]
fn wrong_credentials() {
    let mut world = world();
    world.stranger = Some(("InvalidClientTokenId", "The security token included in the request is invalid."));
    let fake = Fake::start(world);
    let done = Place::with(&fake).run(&["status"]);
    says(&done, 1, "AWS does not accept these credentials (InvalidClientTokenId).", "set AWS_PROFILE");
}

#[test]
fn a_profile_that_is_not_there() {
    let fake = Fake::start(world());
    let mut place = Place::with(&fake);
    place.environment.retain(|(name, _)| !name.starts_with("AWS_ACCESS") && !name.starts_with("AWS_SECRET"));
    let done = place.run(&["status", "--profile", "nobody"]);
    says(&done, 1, "AWS credentials", "AWS_PROFILE");
}

#[test]
fn no_network() {
    // Nobody listens on a port that was given back.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr()).expect("a port").port();
    let fake = Fake::start(world());
    let place = Place::with(&fake).set("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
    says(&place.run(&["status"]), 1, "AWS cannot be reached", "Check the network");
}

#[test]
fn no_python() {
    let done = Place::new().set("PATH", "/nowhere").run(&["local", "start"]);
    says(&done, 1, "Local mode needs Python 3.10 or newer, and none was found", "Install it");
}

#[test]
fn an_old_python() {
    let place = Place::new();
    let python = place.path().join("python3");
    std::fs::write(&python, "#!/bin/sh\necho 3.8\nexit 1\n").expect("a file");
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    let path = place.path().display().to_string();
    let done = place.set("PATH", path).run(&["local", "start"]);
    says(&done, 1, "(python3 is 3.8)", "Install it");
}

#[test]
fn no_network_for_python() {
    let place = Place::new().set("PIP_INDEX_URL", "http://127.0.0.1:9/simple").set("PIP_RETRIES", "0");
    let done = place.run(&["local", "start"]);
    says(&done, 1, "MiniStack could not be installed", "Check the network");
}

#[test]
fn a_port_that_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    // The virtual environment of the other tests, so that it is made once.
    let home = std::env::var("HOME").expect("a home");
    let cache = std::env::var("XDG_CACHE_HOME").unwrap_or_else(|_| format!("{home}/.cache"));
    let place = Place::new().set("XDG_CACHE_HOME", cache).set("STEPSTACK_LOCAL_PORT", port.to_string());
    let done = place.run(&["local", "start"]);
    says(&done, 1, &format!("Port {port} is taken"), "STEPSTACK_LOCAL_PORT");
}
