//! The running MiniStack: started detached, found again by its state file, stopped by its process id.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{LocalError, io, launcher, process, python};

/// Longest that it may take to answer; it takes 0.3 s warm, and some seconds the first time.
const START_WITHIN: Duration = Duration::from_mins(1);

/// Where a running MiniStack answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `http://127.0.0.1:4566`
    pub url: String,
}

/// Where a MiniStack's state stands, and on which port it is to run.
#[derive(Clone, Debug)]
pub struct Server {
    directory: PathBuf,
    cache: PathBuf,
    port: u16,
}

/// `server.json` in the state directory.
#[derive(Debug, Serialize, Deserialize)]
struct Running {
    pid: u32,
    port: u16,
    launcher: String,
}

impl Server {
    /// With its state in `directory`, on `port` of this machine.
    pub fn at(directory: PathBuf, port: u16) -> Self {
        Self { directory, cache: cache(), port }
    }

    /// From the environment: `STEPSTACK_LOCAL_DIR` and `STEPSTACK_LOCAL_PORT`, else the user's cache and 4566.
    /// With `STEPSTACK_LOCAL_AUTH` set, one that is started enforces IAM; with `STEPSTACK_LOCAL_TEST_HOOKS`, it
    /// tells tests what happened in it.
    /// The virtual environment is in the user's cache (`XDG_CACHE_HOME`, else `~/.cache`) in any case, so that
    /// it is made once.
    pub fn from_environment() -> Self {
        let directory = variable("STEPSTACK_LOCAL_DIR").unwrap_or_else(|| cache().join("local"));
        let port =
            std::env::var("STEPSTACK_LOCAL_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(4566);
        Self::at(directory, port)
    }

    /// The Python of the virtual environment with MiniStack, made where it is not there yet. `botocore` is in
    /// it too.
    pub fn python(&self, progress: &dyn Fn(&str)) -> Result<PathBuf, LocalError> {
        python::environment(&self.cache, progress)
    }

    /// The state directory: log, process id, launcher.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The endpoint of our running MiniStack, if it answers.
    pub fn running(&self) -> Option<Endpoint> {
        let running = self.state()?;
        (process::lives(running.pid, launcher::NAME) && is_ready(running.port))
            .then(|| endpoint(running.port))
    }

    /// Starts MiniStack, or finds the one that runs. A running one with another launcher's corrections is
    /// replaced, and what it held is gone. `progress` hears what is done.
    ///
    /// Fails without Python 3.10, without a network on first use, and where something else has the port.
    pub fn ensure_running(&self, progress: &dyn Fn(&str)) -> Result<Endpoint, LocalError> {
        std::fs::create_dir_all(&self.directory)
            .map_err(io(format!("making {}", self.directory.display())))?;
        // Of two commands at once, one starts it and the other finds it.
        let lock = self.directory.join("server.lock");
        let lock = std::fs::File::create(&lock).map_err(io(format!("writing {}", lock.display())))?;
        lock.lock().map_err(io("waiting for another command to start MiniStack"))?;
        if let Some(running) = self.running() {
            if self.state().is_some_and(|state| state.launcher == launcher::fingerprint()) {
                return Ok(running);
            }
            progress("Stopping MiniStack: this version of Stepstack mends more of it");
            self.stop()?;
        }
        let python = self.python(progress)?;
        if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            return Err(LocalError::PortTaken(self.port));
        }
        progress(&format!("Starting MiniStack on port {}", self.port));
        self.start(&python)
    }

    fn start(&self, python: &Path) -> Result<Endpoint, LocalError> {
        let log = self.directory.join("ministack.log");
        let mut child = self.spawn(python, &log)?;
        let running = Running { pid: child.id(), port: self.port, launcher: launcher::fingerprint() };
        write(&self.state_file(), &serde_json::to_string(&running).expect("numbers and text are JSON"))?;
        let begin = Instant::now();
        while begin.elapsed() < START_WITHIN {
            if is_ready(self.port) {
                return Ok(endpoint(self.port));
            }
            if child.try_wait().ok().flatten().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let why =
            said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing.").to_owned();
        Err(LocalError::NotStarted { port: self.port, why, log: log.display().to_string() })
    }

    fn spawn(&self, python: &Path, log: &Path) -> Result<Child, LocalError> {
        let scratch = self.directory.join("tmp");
        let launcher = launcher::write(&self.directory)?;
        // The functions' code is unpacked here, and not left behind in the system's directory. What a former
        // one left is of no use.
        let _ = std::fs::remove_dir_all(&scratch);
        std::fs::create_dir_all(&scratch).map_err(io(format!("making {}", scratch.display())))?;
        let file = std::fs::File::create(log).map_err(io(format!("writing {}", log.display())))?;
        let errors = file.try_clone().map_err(io("sharing the log"))?;
        let mut command = Command::new(python);
        // The functions' processes inherit all of its environment: it gets a clean one.
        command.arg(&launcher).env_clear().stdin(Stdio::null()).stdout(file).stderr(errors);
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("TMPDIR", scratch);
        command.env("GATEWAY_PORT", self.port.to_string()).env("BIND_HOST", "127.0.0.1");
        command.env("SFTP_ENABLED", "0").env("IOT_MTLS_ENABLED", "0").env("LOG_LEVEL", "WARNING");
        if std::env::var_os("STEPSTACK_LOCAL_AUTH").is_some() {
            // IAM enforced: each function has its role's leave and no more. Our own key is root's.
            command.env("AUTH", "true").env("AWS_ACCESS_KEY_ID", "root").env("AWS_SECRET_ACCESS_KEY", "root");
        }
        if std::env::var_os("STEPSTACK_LOCAL_TEST_HOOKS").is_some() {
            command.arg("--test-hooks");
        }
        process::detach(&mut command);
        command.spawn().map_err(io("starting Python"))
    }

    /// Stops ours, if it runs. What it held is gone. Answers whether there was one.
    pub fn stop(&self) -> Result<bool, LocalError> {
        let Some(running) = self.state() else { return Ok(false) };
        let lived = process::lives(running.pid, launcher::NAME);
        process::end(running.pid, launcher::NAME);
        let file = self.state_file();
        std::fs::remove_file(&file).map_err(io(format!("removing {}", file.display())))?;
        // The functions' code of the emulator that is gone.
        let _ = std::fs::remove_dir_all(self.directory.join("tmp"));
        Ok(lived)
    }

    /// Empties ours: nothing is left in it, the engine neither.
    pub fn reset(&self) -> Result<(), LocalError> {
        let Some(endpoint) = self.running() else {
            return Err(LocalError::Call(
                "MiniStack does not run. Start it with `stepstack local start`.".to_owned(),
            ));
        };
        let answer = ureq::post(&format!("{}/_ministack/reset", endpoint.url)).send_empty();
        answer.map(|_| ()).map_err(|error| LocalError::Call(format!("MiniStack did not reset: {error}")))
    }

    fn state_file(&self) -> PathBuf {
        self.directory.join("server.json")
    }

    fn state(&self) -> Option<Running> {
        serde_json::from_str(&std::fs::read_to_string(self.state_file()).ok()?).ok()
    }
}

/// Where the virtual environment stands, and the state of the usual emulator.
fn cache() -> PathBuf {
    let home = || variable("HOME").unwrap_or_else(std::env::temp_dir).join(".cache");
    variable("XDG_CACHE_HOME").unwrap_or_else(home).join("stepstack")
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn write(path: &Path, text: &str) -> Result<(), LocalError> {
    std::fs::write(path, text).map_err(io(format!("writing {}", path.display())))
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint { url: format!("http://127.0.0.1:{port}") }
}

fn is_ready(port: u16) -> bool {
    let answer = ureq::get(&format!("http://127.0.0.1:{port}/_ministack/ready"))
        .config()
        .timeout_global(Some(Duration::from_secs(2)))
        .build()
        .call();
    answer.is_ok_and(|answer| answer.status().is_success())
}
