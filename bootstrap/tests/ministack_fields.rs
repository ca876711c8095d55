//! What comes back from the emulator, with the launcher's corrections and without them.
//!
//! `fields/` makes each resource as the product makes it, reads it back, and prints what differs.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bootstrap::local::{Server, has_images, push_sample};
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

/// The lines of `fields/`, each a field that does not come back.
fn lost(python: &Path, endpoint: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fields");
    let output = Command::new(python).arg("-B").arg(script).arg(endpoint).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

#[test]
fn with_the_corrections_every_field_comes_back() {
    let directory = TempDir::new().expect("a directory");
    let server = Corrected(Server::at(directory.path().to_owned(), free_port()));
    let endpoint = server.0.ensure_running(&|_| ()).expect("MiniStack starts");
    let python = server.0.python(&|_| ()).expect("it is there by now");
    assert_eq!(lost(&python, &endpoint.url), "");

    server.0.reset().expect("it is emptied");
    assert_eq!(lost(&python, &endpoint.url), "", "after a reset nothing of the first time is left");

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
    let lost = lost(&python, &format!("http://127.0.0.1:{port}"));
    // The values hold ids that differ each time.
    let fields = lost.lines().map(|line| line.split(": sent ").next().unwrap_or(line));
    let fields = fields.map(|line| line.split(": An error occurred").next().unwrap_or(line));
    let fields = fields.map(|line| line.split("/aws:arn").next().unwrap_or(line)).collect::<Vec<_>>();
    insta::assert_snapshot!(fields.join("\n"));
}

#[tokio::test]
async fn the_sample_image_is_pushed_by_the_calls_of_docker_push() {
    let directory = TempDir::new().expect("a directory");
    let server = Corrected(Server::at(directory.path().to_owned(), free_port()));
    let endpoint = server.0.ensure_running(&|_| ()).expect("MiniStack starts");
    let credentials = SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test"));
    let ecr = aws_sdk_ecr::Client::new(&aws::config("us-east-1", Some(&endpoint.url), credentials));

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
