//! What comes back from the emulator, with the launcher's corrections and without them.
//!
//! `fields/` makes each resource as the product makes it, reads it back, and prints what differs; `upstream.py`
//! runs the reproductions in docs/ministack-upstream.md.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bootstrap::local::{Endpoint, Key, Server, has_images, push_sample};
use tempfile::TempDir;

/// An emulator with the corrections; stopped when dropped, also by a panic.
struct Corrected(Server);

impl Drop for Corrected {
    fn drop(&mut self) {
        let _ = self.0.stop();
    }
}

/// MiniStack as it comes; stopped when dropped, also by a panic.
struct Plain(Child);

impl Drop for Plain {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// What a Python program prints; it has to succeed.
fn printed(python: &Path, arguments: &[&OsStr], environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(python);
    command.arg("-B").args(arguments).envs(environment.iter().copied());
    let output = command.output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

fn beside(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The lines of `fields/`, each a field that does not come back.
fn lost(python: &Path, endpoint: &Endpoint) -> String {
    let arguments = [beside("tests/fields").into_os_string(), endpoint.url.clone().into()];
    printed(python, &arguments.each_ref().map(|one| one.as_os_str()), &key(endpoint))
}

/// The key as AWS's tools take it.
fn key(Endpoint { key, .. }: &Endpoint) -> [(&str, &str); 2] {
    [("AWS_ACCESS_KEY_ID", &key.access_key_id), ("AWS_SECRET_ACCESS_KEY", &key.secret_access_key)]
}

/// How each reproduction offered upstream ends: `passes`, `fails` (its why is in the key) or `untried`.
fn reproductions(python: &Path, endpoint: &Endpoint) -> BTreeMap<String, String> {
    let page = beside("../docs/ministack-upstream.md");
    let program = beside("tests/upstream.py");
    let arguments = [program.as_os_str(), endpoint.url.as_ref(), page.as_os_str()];
    let text = printed(python, &arguments, &key(endpoint));
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    lines.map(|(outcome, heading)| (heading.to_owned(), outcome.to_owned())).collect()
}

#[test]
fn with_the_corrections_every_field_comes_back() {
    let directory = TempDir::new().expect("a directory");
    let server = Corrected(Server::at(directory.path().to_owned(), free_port()));
    let endpoint = server.0.ensure_running(&|_| ()).expect("MiniStack starts");
    let python = server.0.python(&|_| ()).expect("it is there by now");
    assert_eq!(lost(&python, &endpoint), "");

    let hook = ureq::get(&format!("{}/_stepstack/calls", endpoint.url))
        .header("Authorization", format!("Bearer {}", endpoint.key.secret_access_key))
        .call();
    assert!(hook.is_err(), "hooks are there only for tests that ask for them");

    server.0.reset().expect("it is emptied");
    assert_eq!(lost(&python, &endpoint), "", "after a reset nothing of the first time is left");

    server.0.reset().expect("it is emptied");
    let listed = printed(&python, &[beside("src/local/ministack").as_os_str(), "--list".as_ref()], &[]);
    let offered = reproductions(&python, &endpoint);
    let failed = offered.iter().filter(|(_, outcome)| *outcome == "fails").collect::<Vec<_>>();
    assert!(failed.is_empty(), "{failed:#?}");
    let listed = listed.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(offered.into_keys().collect::<BTreeSet<_>>(), listed, "each correction is offered upstream");

    assert_eq!(server.0.running().as_ref(), Some(&endpoint));
    assert_eq!(server.0.ensure_running(&|_| ()).expect("it is found"), endpoint);
    assert!(server.0.stop().expect("it is stopped"));
    assert_eq!(server.0.running(), None);
    assert!(!server.0.stop().expect("there is nothing to stop"));
}

/// A line that vanishes here with another version of MiniStack names a correction that is no longer needed.
#[test]
fn without_the_corrections_these_do_not() {
    let directory = TempDir::new().expect("a directory");
    let port = free_port();
    let python =
        Server::at(directory.path().to_owned(), port).python(&|_| ()).expect("MiniStack is installed");
    let mut command = Command::new(&python);
    command.args(["-c", "from ministack import app; app.main()"]).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TMPDIR", directory.path());
    command.env("GATEWAY_PORT", port.to_string()).env("BIND_HOST", "127.0.0.1");
    command.env("SFTP_ENABLED", "0").env("IOT_MTLS_ENABLED", "0");
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let _plain = Plain(child.expect("Python runs"));
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < Duration::from_mins(1), "MiniStack starts");
        std::thread::sleep(Duration::from_millis(50));
    }
    // MiniStack as it comes takes any key.
    let any = Key { access_key_id: "test".to_owned(), secret_access_key: "test".to_owned() };
    let endpoint = Endpoint { url: format!("http://127.0.0.1:{port}"), key: any };
    let lost = lost(&python, &endpoint);
    // The values hold ids that differ each time.
    let fields = lost.lines().map(|line| line.split(": sent ").next().unwrap_or(line));
    let fields = fields.map(|line| line.split(": An error occurred").next().unwrap_or(line));
    let fields = fields.map(|line| line.split("/aws:arn").next().unwrap_or(line)).collect::<Vec<_>>();
    insta::assert_snapshot!(fields.join("\n"));

    let needless = reproductions(&python, &endpoint);
    let needless = needless.iter().filter(|(_, outcome)| *outcome == "passes").collect::<Vec<_>>();
    assert!(needless.is_empty(), "{needless:#?}");
}

#[tokio::test]
async fn the_sample_image_is_pushed_by_the_calls_of_docker_push() {
    let directory = TempDir::new().expect("a directory");
    let server = Corrected(Server::at(directory.path().to_owned(), free_port()));
    let endpoint = server.0.ensure_running(&|_| ()).expect("MiniStack starts");
    let Endpoint { url, key } = endpoint;
    let credentials = Credentials::new(key.access_key_id, key.secret_access_key, None, None, "test");
    let credentials = SharedCredentialsProvider::new(credentials);
    let ecr = aws_sdk_ecr::Client::new(&aws::config("us-east-1", Some(&url), credentials));

    assert!(!has_images(&ecr, "probe/one").await.expect("no repository is no error"));
    ecr.create_repository().repository_name("probe/one").send().await.expect("it is made");
    assert!(!has_images(&ecr, "probe/one").await.expect("an empty repository"));
    let first = push_sample(&ecr, "probe/one", "latest", "one").await.expect("it is pushed");
    assert!(has_images(&ecr, "probe/one").await.expect("a repository with an image"));
    let again =
        push_sample(&ecr, "probe/one", "latest", "one").await.expect("the same image again is no error");
    assert_eq!(again, first);
    let other = push_sample(&ecr, "probe/one", "latest", "two").await.expect("the tag moves");
    assert_ne!(other, first);

    let id = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag("latest").build();
    let images =
        ecr.batch_get_image().repository_name("probe/one").image_ids(id).send().await.expect("it is read");
    let image = images.images().first().expect("the tag names an image");
    assert_eq!(image.image_id().and_then(|id| id.image_digest()), Some(other.as_str()));
    let manifest =
        serde_json::from_str::<serde_json::Value>(image.image_manifest().expect("a manifest")).expect("JSON");
    let config = manifest["config"]["digest"].as_str().expect("a digest");
    let place =
        ecr.get_download_url_for_layer().repository_name("probe/one").layer_digest(config).send().await;
    let url = place.expect("the layer is there").download_url.expect("an address");
    let text = ureq::get(&url).call().expect("it answers").body_mut().read_to_string().expect("a text");
    assert!(text.contains("\"architecture\":\"arm64\""), "{text}");
}
