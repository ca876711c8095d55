//! The strict AWS in front of a MiniStack (`tests/strict/`, in Python): started for a test, stopped with it.
//!
//! The product knows nothing of it. MiniStack is started on a port of its own, the proxy listens on another,
//! and the state file of local mode is made to name the proxy's: from there on the program and the functions
//! take it for the emulator.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::harness::Key;

/// Longest that the proxy may take to listen; it takes half a second.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running proxy.
pub(crate) struct Strict {
    process: Child,
    pub(crate) port: u16,
    /// What the emulator takes at paths that are not AWS's.
    bearer: String,
}

/// `POST /_strict/config`: what is left out stays as it is.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Settings {
    /// Seconds that things take, by kind (`SECONDS` in `world.py`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) seconds: BTreeMap<&'static str, f64>,
    /// Services whose next deployments fail, with what its tasks say.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) failing_services: BTreeMap<&'static str, FailedTask>,
    /// The faults that calls meet from now on, in place of the former ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) faults: Option<Vec<Fault>>,
}

/// What happens to the next calls of an operation (`faults.py`).
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fault {
    pub(crate) service: &'static str,
    pub(crate) operation: &'static str,
    /// `throttle`, `error500`, `reset`, `lost`, `denied`, `invisible`, `kill`, `stop` or `twice`.
    pub(crate) kind: &'static str,
    /// How many calls meet it.
    pub(crate) times: u32,
}

impl Fault {
    /// At the next call alone.
    pub(crate) fn new(service: &'static str, operation: &'static str, kind: &'static str) -> Self {
        Self { service, operation, kind, times: 1 }
    }
}

/// How the tasks of a failed deployment stopped, in ECS's words.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailedTask {
    pub(crate) stop_code: &'static str,
    pub(crate) stopped_reason: &'static str,
    /// None where the container never ran.
    pub(crate) exit_code: Option<i32>,
    pub(crate) log: Vec<&'static str>,
    /// How many deployments of the service fail.
    pub(crate) times: u32,
}

/// `GET /_strict/record`: all that happened since the start or the last reset. Times are in ms since then.
#[derive(Debug, Deserialize)]
pub(crate) struct Record {
    pub(crate) calls: Vec<Call>,
    pub(crate) phases: Vec<Phase>,
    /// Requests that their service's model refuses: `service:Operation` and why. It names places, never values.
    pub(crate) violations: Vec<String>,
    /// Signed requests that the proxy could not read.
    pub(crate) unread: Vec<String>,
    /// Faults of the layer itself.
    pub(crate) late_failures: Vec<String>,
}

/// One call of AWS.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Call {
    pub(crate) ms: u64,
    /// The function's name, or `program`; `unknown` where the system does not tell whose a connection is.
    pub(crate) caller: String,
    /// botocore's name of the service: `elbv2`, `stepfunctions`.
    pub(crate) service: String,
    pub(crate) operation: String,
    /// What it is about: the name in its tags, an id, a name.
    pub(crate) subject: String,
    /// `ok` or AWS's error code.
    pub(crate) outcome: String,
    /// `emulator` or `strict`: who gave the answer.
    pub(crate) by: String,
}

/// Something was in a status for a while.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Phase {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
}

impl Strict {
    /// Starts the proxy in front of the MiniStack on `backend`, whose key is in `state`, with its log in `directory`.
    pub(crate) fn start(backend: u16, directory: &Path, state: &Path) -> Self {
        let log = std::fs::File::create(directory.join("strict.log")).expect("the log is written");
        let mut process = Command::new(python())
            // No byte code beside the sources.
            .arg("-B")
            .arg(sources().join("proxy.py"))
            .args(["--backend", &backend.to_string(), "--key"])
            .arg(state.join("key.json"))
            // It ends when this pipe closes, so also when the test is killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the proxy starts");
        let output = process.stdout.take().expect("it is piped");
        let (told, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            // A proxy that says nothing ends this read when it is stopped.
            let _ = BufReader::new(output).read_line(&mut line);
            let _ = told.send(line);
        });
        let line = heard.recv_timeout(READY_WITHIN).unwrap_or_default();
        let port = line.trim().strip_prefix("ready ").and_then(|port| port.parse().ok());
        let Some(port) = port else {
            let _ = process.kill();
            let said = std::fs::read_to_string(directory.join("strict.log")).unwrap_or_default();
            panic!("the strict AWS does not start:\n{said}");
        };
        let bearer = Key::read(state).bearer();
        Self { process, port, bearer }
    }

    /// Makes local mode take the proxy for its MiniStack: the port in `server.json` is the proxy's.
    pub(crate) fn stand_in_front(&self, state: &Path) {
        let file = state.join("server.json");
        let text = std::fs::read_to_string(&file).expect("local mode's state file");
        let mut running: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&text).expect("JSON");
        running.insert("port".to_owned(), self.port.into());
        std::fs::write(&file, serde_json::to_string(&running).expect("JSON")).expect("it is written");
    }

    pub(crate) fn configure(&self, settings: &Settings) {
        self.post("/_strict/config", &serde_json::to_string(settings).expect("settings are JSON"));
    }

    pub(crate) fn record(&self) -> Record {
        let answer = ureq::get(&self.url("/_strict/record")).call();
        let text =
            answer.expect("the proxy answers").body_mut().with_config().limit(100 << 20).read_to_string();
        serde_json::from_str(&text.expect("a text")).expect("a record")
    }

    /// Everything that the emulator holds, by names that do not depend on chance, sorted.
    pub(crate) fn inventory(&self) -> Vec<String> {
        let answer = ureq::get(&self.url("/_strict/inventory")).call();
        let text = answer.expect("the proxy answers").body_mut().read_to_string().expect("a text");
        serde_json::from_str(&text).expect("names")
    }

    /// Makes a call by hand, as a person does in the console: under every rule, recorded nowhere. Answers AWS's
    /// refusal, if it is one.
    pub(crate) fn by_hand(
        &self,
        service: &str,
        operation: &str,
        params: &serde_json::Value,
    ) -> Option<String> {
        let call = serde_json::json!({ "service": service, "operation": operation, "params": params });
        let sent = ureq::post(&self.url("/_strict/do")).header("Content-Type", "application/json");
        let answer = sent.send(&call.to_string()).expect("the proxy answers").body_mut().read_to_string();
        let answer: serde_json::Value = serde_json::from_str(&answer.expect("a text")).expect("JSON");
        answer["error"].as_str().map(|error| format!("{error}: {}", answer["message"]))
    }

    /// How many functions Step Functions has called that have not answered yet, also for executions that have ended.
    pub(crate) fn functions_at_work(&self) -> usize {
        let asked = ureq::get(&self.url("/_stepstack/at-work")).header("Authorization", &self.bearer);
        let answer = asked.call();
        let text = answer.expect("the emulator answers").body_mut().read_to_string().expect("a text");
        serde_json::from_str(&text).expect("a number")
    }

    pub(crate) fn forget_record(&self) {
        self.post("/_strict/record/reset", "{}");
    }

    /// Sends JSON to a path of the proxy, or of the MiniStack behind it.
    pub(crate) fn post(&self, path: &str, json: &str) {
        let sent = ureq::post(&self.url(path))
            .header("Authorization", &self.bearer)
            .header("Content-Type", "application/json")
            .send(json);
        sent.unwrap_or_else(|error| panic!("POST {path} {json}: {error}"));
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Strict {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn sources() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("strict")
}

/// The Python of the proxy's virtual environment, in the user's cache beside MiniStack's; made once for each
/// text of `requirements.txt`. Of several tests at once, one makes it and the others wait.
fn python() -> PathBuf {
    let requirements = sources().join("requirements.txt");
    let text = std::fs::read_to_string(&requirements).expect("the requirements");
    let cache = cache();
    std::fs::create_dir_all(&cache).expect("the cache");
    let directory = cache.join(format!("strict-{}", statemachine::resource::short_hash(&text)));
    let python = directory.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    // Written last: an environment without it was cut off and is made again.
    let marker = directory.join("complete");
    if marker.exists() {
        return python;
    }
    let lock = std::fs::File::create(cache.join("strict.lock")).expect("the lock");
    lock.lock().expect("the lock is taken");
    if !marker.exists() {
        run(Command::new(system_python()).args(["-m", "venv", "--clear"]).arg(&directory));
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
        run(Command::new(&python).args(pip).arg("--requirement").arg(&requirements));
        std::fs::write(&marker, text).expect("the marker");
    }
    python
}

/// As the program chooses it (`bootstrap/src/local/directory.rs`).
fn cache() -> PathBuf {
    let set = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || std::env::home_dir().expect("a home directory").join(".cache");
    set.unwrap_or_else(home).join("stepstack")
}

fn system_python() -> &'static str {
    let is_new = |name: &&str| {
        let code = "import sys; sys.exit(sys.version_info < (3, 10))";
        Command::new(name).args(["-c", code]).output().is_ok_and(|output| output.status.success())
    };
    let names = ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];
    names.into_iter().find(|name| is_new(name)).expect("Python 3.10 or newer")
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("Python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{said}");
}
