//! What stands on a user's own machine: docker, and a repository for GitHub.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use statemachine::message::Operation;

use crate::fake::{Fake, World};
use crate::operate::operated;
use crate::{Done, Place, document};

/// What the token of the registry says: `AWS:` and this.
const PASSWORD: &str = "a-password-of-ecr";
const DIGEST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

/// A program of this name on the PATH. It notes its arguments and its input, and then does as `script` says.
pub(crate) fn tool(place: Place, name: &str, script: &str) -> Place {
    let directory = place.path().join("bin");
    std::fs::create_dir_all(&directory).expect("a directory");
    let (program, notes) = (directory.join(name), place.path().join("calls"));
    // A shell's own words alone: there is nothing else on the PATH that a test should depend on.
    let text = format!(
        "#!/bin/sh\n{{ printf '%s' {name}; for word; do printf ' [%s]' \"$word\"; done; echo; }} >> {notes}\n\
         case \"$*\" in *--password-stdin*) read -r line || true; echo \"  < $line\" >> {notes};; esac\n{script}\n",
        notes = notes.display(),
    );
    std::fs::write(&program, text).expect("a file");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    place.set("PATH", format!("{}:/usr/bin:/bin", directory.display()))
}

/// What was noted, with the times in tags made the same.
pub(crate) fn calls(place: &Place) -> String {
    let calls = std::fs::read_to_string(place.path().join("calls")).unwrap_or_default();
    let calls = calls.replace(&place.path().display().to_string(), "DIRECTORY");
    let mut parts = calls.split("build-20").map(str::to_owned);
    let first = parts.next().unwrap_or_default();
    let rest =
        parts.map(|part| format!("build-TIME{}", part.get("261123-101500".len()..).unwrap_or_default()));
    std::iter::once(first).chain(rest).collect()
}

/// An environment whose repository can be pushed to.
fn with_repository() -> World {
    let mut world = operated();
    let token = aws_smithy_types::base64::encode(format!("AWS:{PASSWORD}"));
    let uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/arive/production";
    world.answers.extend([
        ("GetAuthorizationToken", json!({ "authorizationData": [{ "authorizationToken": token }] })),
        ("DescribeRepositories", json!({ "repositories": [{ "repositoryUri": uri }] })),
        ("DescribeImages", json!({ "imageDetails": [{ "imageDigest": DIGEST }] })),
    ]);
    world
}

/// A docker of this architecture, that fails where the arguments begin like this.
fn docker(place: Place, architecture: &str, fails: &str) -> Place {
    std::fs::create_dir_all(place.path().join("app")).expect("a directory");
    std::fs::write(place.path().join("app/Dockerfile"), "FROM scratch\n").expect("a file");
    let script = format!(
        "case \"$1\" in version) echo linux/{architecture};; {fails}) echo said by docker >&2; exit 9;; *) echo a line of docker;; esac"
    );
    tool(place, "docker", &script)
}

fn build(fake: &Fake, architecture: &str, fails: &str, more: &[&str]) -> (Place, Done) {
    let place = docker(Place::with(fake), architecture, fails);
    let line = [&["deploy", "--build", "app", "--detach"], more].concat();
    let done = place.run(&line);
    (place, done)
}

#[test]
fn an_image_is_built_for_docker_s_own_platform_pushed_and_its_digest_deployed() {
    let fake = Fake::start(with_repository());
    let (place, done) = build(&fake, "amd64", "never", &["--json"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(document(&done)["run"].is_string(), "what docker says goes elsewhere: {done:?}");
    assert!(done.stderr.contains("a line of docker"), "{done:?}");
    let calls = calls(&place);
    insta::assert_snapshot!(calls);
    let arguments: Vec<&str> = calls.lines().filter(|line| !line.starts_with("  <")).collect();
    assert!(!arguments.concat().contains(PASSWORD), "the password is no argument: {calls}");
    assert!(!done.stderr.contains(PASSWORD) && !done.stdout.contains(PASSWORD));
    let world = fake.world();
    let [(_, request)] = world.started.as_slice() else { panic!("{:?}", world.started) };
    assert_eq!((request.operation, request.parameters.image.as_deref()), (Operation::Deploy, Some(DIGEST)));
    assert!(request.parameters.tag.as_ref().is_some_and(|tag| tag.starts_with("build-2")), "{request:?}");
}

#[test]
fn a_platform_that_is_said_is_built_for() {
    let fake = Fake::start(with_repository());
    let (place, done) = build(&fake, "amd64", "never", &["--platform", "linux/arm64"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(calls(&place).contains("[build] [--platform] [linux/arm64]"), "{}", calls(&place));
    assert!(!calls(&place).contains("[version]"));
}

#[test]
fn what_docker_cannot_do_deploys_nothing() {
    let cases = [
        ("riscv64", "never", "Fargate runs no image of the platform \"linux/riscv64\".", 2),
        ("amd64", "login", "`docker login` failed", 1),
        ("amd64", "build", "`docker build` failed", 1),
        ("amd64", "push", "`docker push` failed", 1),
    ];
    for (architecture, fails, says, code) in cases {
        let fake = Fake::start(with_repository());
        let (_, done) = build(&fake, architecture, fails, &[]);
        assert_eq!(done.code, code, "{done:?}");
        assert!(done.stderr.contains(says), "{says}: {done:?}");
        assert!(fake.world().started.is_empty(), "{says}");
    }
}

#[test]
fn without_docker_or_a_dockerfile_it_says_what_is_missing() {
    let fake = Fake::start(with_repository());
    let place = docker(Place::with(&fake), "amd64", "never").set("PATH", "/nowhere");
    let done = place.run(&["deploy", "--build", "app"]);
    assert!(done.code == 1 && done.stderr.contains("docker does not start"), "{done:?}");
    let done = place.run(&["deploy", "--build", "."]);
    assert!(done.code == 2 && done.stderr.contains("There is no Dockerfile in ."), "{done:?}");
}

#[test]
fn workflows_are_written_once_and_what_is_there_is_left() {
    let fake = Fake::start(operated());
    let place = Place::with(&fake);
    let directory = place.path().join(".github/workflows");
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("stepstack.yml"), "mine").expect("a file");
    let done = place.run(&["init", "--github", "--json"]);
    let wrote = document(&done);
    assert_eq!((done.code, wrote["wrote"].as_array().map(Vec::len)), (0, Some(2)), "{done:?}");
    assert_eq!(std::fs::read_to_string(directory.join("stepstack.yml")).expect("it"), "mine");
    let application = std::fs::read_to_string(directory.join("stepstack-application.yml")).expect("it");
    assert!(application.contains("role-to-assume: arn:aws:iam::123456789012:role/"), "{application}");
    assert!(application.contains("/arive/production:latest"), "{application}");
    let infrastructure = std::fs::read_to_string(directory.join("stepstack-infrastructure.yml")).expect("it");
    let upload = "aws s3 cp \"stepstack.toml\" \"s3://stepstack-arive-123456789012-us-east-1/environments/production.toml\"";
    assert!(infrastructure.contains(upload), "{infrastructure}");
}
