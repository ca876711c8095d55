//! The running MiniStack: started detached, found again by its state file, stopped by its process id.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::directory::{cache, make_private};
use super::{LocalError, io, launcher, process, python};

/// Longest that it may take to answer; it takes 0.3 s warm, and some seconds the first time.
const START_WITHIN: Duration = Duration::from_mins(1);

/// Where a running MiniStack answers, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `http://127.0.0.1:4566`
    pub url: String,
    /// What it takes requests by.
    pub key: Key,
}

/// The key of one start of MiniStack: requests of another are answered 403. `key.json` in the state directory,
/// which the launcher writes for the user alone.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Key {
    /// Random, like the secret: no page in a browser can guess even it.
    pub access_key_id: String,
    /// What AWS's requests are signed with, and the bearer's token at MiniStack's own paths.
    pub secret_access_key: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Where a MiniStack's state stands, and on which port it is to run.
#[derive(Clone, Debug)]
pub struct Server {
    directory: PathBuf,
    cache: Option<PathBuf>,
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
    ///
    /// Fails where the user has no directory for its state.
    pub fn from_environment() -> Result<Self, LocalError> {
        let set = std::env::var_os("STEPSTACK_LOCAL_DIR").filter(|value| !value.is_empty());
        let directory = set.map(PathBuf::from).or_else(|| cache().map(|cache| cache.join("local")));
        let port =
            std::env::var("STEPSTACK_LOCAL_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(4566);
        Ok(Self::at(directory.ok_or(LocalError::NoHome)?, port))
    }

    /// The Python of the virtual environment with MiniStack, made where it is not there yet. `botocore` is in
    /// it too.
    pub fn python(&self, progress: &dyn Fn(&str)) -> Result<PathBuf, LocalError> {
        python::environment(self.cache.as_ref().ok_or(LocalError::NoHome)?, progress)
    }

    /// The state directory: log, process id, key, launcher.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The endpoint of our running MiniStack, if it answers. One that an older program has started has no key,
    /// and is none.
    pub fn running(&self) -> Option<Endpoint> {
        self.endpoint(self.answering()?.port)
    }

    /// What runs and answers, whichever program has started it.
    fn answering(&self) -> Option<Running> {
        self.state().filter(|running| process::lives(running.pid, launcher::NAME) && is_ready(running.port))
    }

    /// Starts MiniStack, or finds the one that runs. A running one with another launcher is replaced, and what
    /// it held is gone. `progress` hears what is done.
    ///
    /// Fails without Python 3.10, without a network on first use, and where something else has the port.
    pub fn ensure_running(&self, progress: &dyn Fn(&str)) -> Result<Endpoint, LocalError> {
        if let Some(cache) = &self.cache {
            make_private(cache)?;
        }
        make_private(&self.directory)?;
        // Of two commands at once, one starts it and the other finds it.
        let lock = self.directory.join("server.lock");
        let lock = std::fs::File::create(&lock).map_err(io(format!("writing {}", lock.display())))?;
        lock.lock().map_err(io("waiting for another command to start MiniStack"))?;
        if let Some(running) = self.answering() {
            let is_ours = running.launcher == launcher::fingerprint();
            if let Some(endpoint) = self.endpoint(running.port).filter(|_| is_ours) {
                return Ok(endpoint);
            }
            progress("Stopping MiniStack: another version of Stepstack has started it");
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
        // Of this start alone: the launcher writes it before it listens.
        let _ = std::fs::remove_file(self.key_file());
        let mut child = self.spawn(python, &log)?;
        let running = Running { pid: child.id(), port: self.port, launcher: launcher::fingerprint() };
        write(&self.state_file(), &serde_json::to_string(&running).expect("numbers and text are JSON"))?;
        let begin = Instant::now();
        while begin.elapsed() < START_WITHIN {
            if is_ready(self.port)
                && let Some(endpoint) = self.endpoint(self.port)
            {
                return Ok(endpoint);
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
        command.arg(&launcher).arg("--key").arg(self.key_file());
        command.env_clear().stdin(Stdio::null()).stdout(file).stderr(errors);
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        // MiniStack would keep some of its files in `/tmp`, which is everybody's.
        command.env("STATE_DIR", scratch.join("state")).env("S3_DATA_DIR", scratch.join("s3"));
        command.env("TMPDIR", scratch);
        command.env("GATEWAY_PORT", self.port.to_string()).env("BIND_HOST", "127.0.0.1");
        command.env("SFTP_ENABLED", "0").env("IOT_MTLS_ENABLED", "0").env("LOG_LEVEL", "WARNING");
        if std::env::var_os("STEPSTACK_LOCAL_AUTH").is_some() {
            // IAM enforced: each function has its role's leave and no more. Our own key is root's.
            command.env("AUTH", "true");
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
        let _ = std::fs::remove_file(self.key_file());
        // The functions' code of the emulator that is gone.
        let _ = std::fs::remove_dir_all(self.directory.join("tmp"));
        Ok(lived)
    }

    /// Empties ours: nothing is left in it, the engine neither.
    pub fn reset(&self) -> Result<(), LocalError> {
        let Some(running) = self.answering() else {
            return Err(LocalError::Call(
                "MiniStack does not run. Start it with `stepstack local start`.".to_owned(),
            ));
        };
        let Some(endpoint) = self.endpoint(running.port) else {
            return Err(LocalError::Call(
                "MiniStack was started by another version of Stepstack. `stepstack local start` replaces it."
                    .to_owned(),
            ));
        };
        let answer = ureq::post(&format!("{}/_ministack/reset", endpoint.url))
            .header("Authorization", format!("Bearer {}", endpoint.key.secret_access_key))
            .send_empty();
        answer.map(|_| ()).map_err(|error| LocalError::Call(format!("MiniStack did not reset: {error}")))
    }

    fn endpoint(&self, port: u16) -> Option<Endpoint> {
        let key = serde_json::from_str(&std::fs::read_to_string(self.key_file()).ok()?).ok()?;
        Some(Endpoint { url: format!("http://127.0.0.1:{port}"), key })
    }

    fn key_file(&self) -> PathBuf {
        self.directory.join("key.json")
    }

    fn state_file(&self) -> PathBuf {
        self.directory.join("server.json")
    }

    fn state(&self) -> Option<Running> {
        serde_json::from_str(&std::fs::read_to_string(self.state_file()).ok()?).ok()
    }
}

fn write(path: &Path, text: &str) -> Result<(), LocalError> {
    std::fs::write(path, text).map_err(io(format!("writing {}", path.display())))
}

fn is_ready(port: u16) -> bool {
    let answer = ureq::get(&format!("http://127.0.0.1:{port}/_ministack/ready"))
        .config()
        .timeout_global(Some(Duration::from_secs(2)))
        .build()
        .call();
    answer.is_ok_and(|answer| answer.status().is_success())
}
