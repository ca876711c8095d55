//! A MiniStack of one's own, and the program run against it as a person would.
//!
//! Each [`Emulator`] has its own port and state directory, so tests can run side by side; the virtual
//! environment is the user's own cache, so it is made once. It is stopped when dropped, also by a panic.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;
use serde_json::Value;
use tempfile::TempDir;

use crate::strict::Strict;

/// A running MiniStack.
pub(crate) struct Emulator {
    directory: TempDir,
    port: u16,
    /// More of the environment that the program is started with.
    environment: &'static [(&'static str, &'static str)],
    strict: Option<Strict>,
}

/// `key.json` of local mode: what the emulator takes requests by.
#[derive(serde::Deserialize)]
pub(crate) struct Key {
    access_key_id: String,
    secret_access_key: String,
}

impl Key {
    pub(crate) fn read(state: &Path) -> Self {
        let text = std::fs::read_to_string(state.join("key.json")).expect("the key of the emulator's start");
        serde_json::from_str(&text).expect("a key")
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.secret_access_key)
    }
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// The one JSON document on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("standard output is one JSON document: {error}\n{self}"))
    }

    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

/// The program, built once per test run.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // What the outer cargo says about this package would make build scripts (ring's) run again.
        for (name, _) in std::env::vars_os() {
            let own = ["CARGO_PKG_", "CARGO_MANIFEST_"]
                .iter()
                .any(|prefix| name.to_string_lossy().starts_with(prefix));
            if own {
                cargo.env_remove(name);
            }
        }
        let built = cargo.args(["build", "--quiet", "--package", "bootstrap"]).status().expect("cargo runs");
        assert!(built.success(), "the program builds");
        let test = std::env::current_exe().expect("the test's own path");
        test.parent().and_then(Path::parent).expect("target/debug").join("stepstack")
    })
}

impl Emulator {
    /// One behind the strict AWS of `tests/strict`: things take a while, and what AWS refuses is refused. The
    /// waits of the state machine are shortened as the things are.
    pub(crate) fn start() -> Self {
        let mut emulator = Self::start_with(&[]);
        let strict = Strict::start(emulator.port, emulator.directory.path(), &emulator.state_directory());
        strict.stand_in_front(&emulator.state_directory());
        strict.post("/_ministack/config", r#"{"stepfunctions._SFN_WAIT_SCALE": 0.1}"#);
        emulator.port = strict.port;
        emulator.strict = Some(strict);
        emulator
    }

    /// One that enforces IAM: each function may do what its role's policy names, and no more. Without the
    /// strict AWS, which answers some calls before IAM sees them.
    pub(crate) fn start_enforcing_iam() -> Self {
        Self::start_with(&[("STEPSTACK_LOCAL_AUTH", "1")])
    }

    /// The strict AWS in front of it.
    pub(crate) fn strict(&self) -> &Strict {
        self.strict.as_ref().expect("this emulator has the strict AWS in front")
    }

    fn state_directory(&self) -> PathBuf {
        self.directory.path().join("local")
    }

    fn start_with(environment: &'static [(&'static str, &'static str)]) -> Self {
        // Built first: what cannot be built cannot be stopped either.
        program();
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let emulator =
            Self { directory: TempDir::new().expect("a directory"), port, environment, strict: None };
        emulator.run(&["local", "start"]).expect(0);
        emulator
    }

    /// Runs the program off a terminal.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        self.command(arguments).output().expect("the program runs").into()
    }

    /// Its program, to be run by another thread while this one looks.
    pub(crate) fn clone_for_thread(&self) -> Program {
        Program {
            directory: self.directory.path().to_owned(),
            port: self.port,
            environment: self.environment,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.clone_for_thread().command(arguments)
    }

    /// `stepstack --local -c FILE …`
    pub(crate) fn stepstack(&self, file: &Path, arguments: &[&str]) -> Done {
        let mut all = vec!["--local", "-c", file.to_str().expect("a plain path")];
        all.extend(arguments);
        self.run(&all)
    }

    /// Writes a configuration beside the emulator's state.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).expect("the file is written");
        path
    }

    /// Clients' configuration, as a user's own tools would have it.
    pub(crate) fn config(&self) -> SdkConfig {
        let Key { access_key_id, secret_access_key } = Key::read(&self.state_directory());
        let credentials = Credentials::new(access_key_id, secret_access_key, None, None, "test");
        aws::config("us-east-1", Some(&self.endpoint()), SharedCredentialsProvider::new(credentials))
    }

    /// What paths that are not AWS's take for the key.
    pub(crate) fn bearer(&self) -> String {
        Key::read(&self.state_directory()).bearer()
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config()).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// An object of the provisioner's bucket, as JSON.
    pub(crate) async fn object(&self, key: &str) -> Option<Value> {
        let object = self.s3().get_object().bucket(BUCKET).key(key).send().await.ok()?;
        let bytes = object.body.collect().await.expect("the whole object").into_bytes();
        Some(serde_json::from_slice(&bytes).expect("JSON"))
    }

    /// Every object of the run records, of any environment; none when there is no bucket yet.
    pub(crate) async fn runs_exist(&self) -> Vec<String> {
        let list = self.s3().list_objects_v2().bucket(BUCKET).prefix("runs/").send().await;
        let objects = list.map(|list| list.contents().to_vec()).unwrap_or_default();
        objects.iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }

    /// The ids of an environment's runs, oldest first.
    pub(crate) async fn runs(&self, environment: &str) -> Vec<String> {
        let prefix = format!("runs/{environment}/");
        let list = self
            .s3()
            .list_objects_v2()
            .bucket(BUCKET)
            .prefix(&prefix)
            .delimiter("/")
            .send()
            .await
            .expect("a listing");
        let one = |prefix: Option<&str>| {
            prefix.and_then(|p| p.trim_end_matches('/').rsplit('/').next()).map(str::to_owned)
        };
        list.common_prefixes().iter().filter_map(|common| one(common.prefix())).collect()
    }

    /// The run that started last, once there are `count`. Ids alone do not tell: two may be of one second.
    async fn newest(&self, environment: &str, count: usize) -> Option<String> {
        let mut started = Vec::new();
        for run in self.runs(environment).await {
            let request = self.object(&format!("runs/{environment}/{run}/request.json")).await?;
            started.push((request["run"]["started_at"].as_str()?.parse::<jiff::Timestamp>().ok()?, run));
        }
        (started.len() >= count).then(|| started.into_iter().max().map(|(_, run)| run)).flatten()
    }

    /// Waits until an environment has `count` runs and the newest has ended; answers its id and result.
    pub(crate) async fn run_ended(&self, environment: &str, count: usize) -> (String, Value) {
        for _ in 0..600 {
            if let Some(newest) = self.newest(environment, count).await
                && let Some(result) = self.object(&format!("runs/{environment}/{newest}/result.json")).await
            {
                return (newest, result);
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!(
            "no run number {count} of {environment} ended within a minute: {:?}",
            self.runs(environment).await
        );
    }
}

/// The provisioner's bucket of the app `arive` on the emulator.
pub(crate) const BUCKET: &str = "stepstack-arive-000000000000-us-east-1";

/// The program, told where the emulator is.
pub(crate) struct Program {
    directory: PathBuf,
    port: u16,
    environment: &'static [(&'static str, &'static str)],
}

impl Program {
    /// Runs it off a terminal.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        self.command(arguments).output().expect("the program runs").into()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env("STEPSTACK_LOCAL_DIR", self.directory.join("local"))
            .env("STEPSTACK_LOCAL_PORT", self.port.to_string())
            .env("STEPSTACK_LOCAL_TEST_HOOKS", "1")
            .env("NO_COLOR", "1")
            .envs(self.environment.iter().copied())
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let stopped = self.command(&["local", "stop"]).output();
        if let Err(error) = stopped {
            eprintln!("the emulator on port {} may still run: {error}", self.port);
        }
    }
}
