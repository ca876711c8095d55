//! The running MiniStack: started detached, found again by its state file, stopped by its process id.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{LocalError, io, python};

/// The launcher with all mends; written beside the state, as the program may be anywhere.
const LAUNCHER: &str = include_str!("ministack.py");
/// Not `ministack.py`: Python would import the launcher in the package's place.
const LAUNCHER_NAME: &str = "stepstack_ministack.py";
/// Longest that it may take to answer; it takes 0.3 s warm, and some seconds the first time.
const START_WITHIN: Duration = Duration::from_secs(60);

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
    /// From the environment: `STEPSTACK_LOCAL_DIR` and `STEPSTACK_LOCAL_PORT`, else the user's cache and 4566.
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = variable("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
        let cache = variable("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from).join("stepstack");
        let directory = variable("STEPSTACK_LOCAL_DIR").map_or_else(|| cache.join("local"), PathBuf::from);
        let port = std::env::var("STEPSTACK_LOCAL_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(4566);
        Self { directory, cache, port }
    }

    /// The state directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The endpoint of our running MiniStack, if it answers.
    pub fn running(&self) -> Option<Endpoint> {
        let running = self.state()?;
        (is_ours(&running) && is_ready(running.port)).then(|| endpoint(running.port))
    }

    /// Starts MiniStack, or finds the one that runs. A running one with another launcher's mends is
    /// replaced.
    pub fn ensure_running(&self, progress: &dyn Fn(&str)) -> Result<Endpoint, LocalError> {
        if let Some(running) = self.running() {
            if self.state().is_some_and(|state| state.launcher == fingerprint()) {
                return Ok(running);
            }
            self.stop()?;
        }
        let python = python::environment(&self.cache, progress)?;
        if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            return Err(LocalError::PortTaken(self.port));
        }
        progress(&format!("Starting MiniStack on port {}", self.port));
        self.start(&python)
    }

    fn start(&self, python: &Path) -> Result<Endpoint, LocalError> {
        let write = |path: &Path, text: &str| std::fs::write(path, text).map_err(io(format!("writing {}", path.display())));
        std::fs::create_dir_all(&self.directory).map_err(io(format!("making {}", self.directory.display())))?;
        let (launcher, log) = (self.directory.join(LAUNCHER_NAME), self.directory.join("ministack.log"));
        write(&launcher, LAUNCHER)?;
        let file = std::fs::File::create(&log).map_err(io(format!("writing {}", log.display())))?;
        let errors = file.try_clone().map_err(io("sharing the log"))?;
        let mut command = Command::new(python);
        // The functions' processes inherit all of its environment: it gets a clean one.
        command.arg(&launcher).env_clear().stdin(Stdio::null()).stdout(file).stderr(errors);
        for name in ["PATH", "HOME", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("GATEWAY_PORT", self.port.to_string()).env("BIND_HOST", "127.0.0.1");
        command.env("SFTP_ENABLED", "0").env("IOT_MTLS_ENABLED", "0").env("LOG_LEVEL", "WARNING");
        detach(&mut command);
        let mut child = command.spawn().map_err(io("starting Python"))?;
        let running = Running { pid: child.id(), port: self.port, launcher: fingerprint() };
        write(&self.state_file(), &serde_json::to_string(&running).unwrap_or_default())?;
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
        let why = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing.").to_owned();
        Err(LocalError::NotStarted { port: self.port, why, log: log.display().to_string() })
    }

    /// Stops ours, if it runs. What it held is gone. Answers whether there was one.
    pub fn stop(&self) -> Result<bool, LocalError> {
        let Some(running) = self.state() else { return Ok(false) };
        let ours = is_ours(&running);
        if ours {
            signal(running.pid, "TERM");
            let begin = Instant::now();
            while is_ours(&running) && begin.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(30));
            }
            if is_ours(&running) {
                signal(running.pid, "KILL");
            }
        }
        let _ = std::fs::remove_file(self.state_file());
        Ok(ours)
    }

    /// Empties ours: nothing is left in it, the engine neither.
    pub fn reset(&self) -> Result<(), LocalError> {
        let Some(endpoint) = self.running() else {
            return Err(LocalError::Call("MiniStack does not run. Start it with `stepstack local start`.".to_owned()));
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

fn endpoint(port: u16) -> Endpoint {
    Endpoint { url: format!("http://127.0.0.1:{port}") }
}

fn fingerprint() -> String {
    statemachine::resource::short_hash(&LAUNCHER)
}

fn is_ready(port: u16) -> bool {
    let answer = ureq::get(&format!("http://127.0.0.1:{port}/_ministack/ready"))
        .config()
        .timeout_global(Some(Duration::from_secs(2)))
        .build()
        .call();
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// Whether the process is still the one that was started: a process id may have gone to another program.
fn is_ours(running: &Running) -> bool {
    let output = Command::new("ps").args(["-o", "stat=,args=", "-p", &running.pid.to_string()]).output();
    let Ok(output) = output else { return false };
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    line.contains(LAUNCHER_NAME) && !line.trim_start().starts_with('Z')
}

fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
}

/// Out of the terminal's process group: Ctrl-C in the program does not stop the emulator.
#[cfg(unix)]
fn detach(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(not(unix))]
fn detach(_: &mut Command) {}
