//! The virtual environment with the pinned MiniStack.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::directory::make_private;
use super::{LocalError, MINISTACK, io};

/// Interpreters by falling likelihood; the first that is new enough is taken.
const CANDIDATES: [&str; 7] =
    ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];

/// The virtual environment's Python, made and filled when it is not there yet. `progress` hears what is done.
///
/// A marker is written last: an environment without it was cut off and is made again.
pub(super) fn environment(cache: &Path, progress: &dyn Fn(&str)) -> Result<PathBuf, LocalError> {
    make_private(cache)?;
    let directory = cache.join(format!("ministack-{MINISTACK}"));
    let python = directory.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let marker = directory.join("complete");
    if marker.exists() && python.exists() {
        return Ok(python);
    }
    let system = find()?;
    // Of two commands at once, one makes it and the other waits for it.
    let lock = cache.join("ministack.lock");
    let lock = std::fs::File::create(&lock).map_err(io(format!("writing {}", lock.display())))?;
    lock.lock().map_err(io("waiting for another command to install MiniStack"))?;
    if marker.exists() && python.exists() {
        return Ok(python);
    }
    progress(&format!("Making a virtual environment for MiniStack {MINISTACK} (once)"));
    let mut venv = Command::new(system);
    run(venv.args(["-m", "venv", "--clear"]).arg(&directory), &|_| ()).map_err(LocalError::NoVenv)?;
    progress(&format!("Installing MiniStack {MINISTACK} from PyPI"));
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]);
    run(pip.arg(format!("ministack=={MINISTACK}")), &|line| {
        // `Collecting hypercorn>=0.18.0 (from …)`, `Installing collected packages: …`
        if let Some(package) =
            line.strip_prefix("Collecting ").and_then(|rest| rest.split_whitespace().next())
        {
            progress(&format!("Installing MiniStack: {package}"));
        }
    })
    .map_err(LocalError::NotInstalled)?;
    std::fs::write(&marker, MINISTACK).map_err(io(format!("writing {}", marker.display())))?;
    Ok(python)
}

fn find() -> Result<&'static str, LocalError> {
    let mut found = Vec::new();
    for candidate in CANDIDATES {
        let code = "import sys; print('%d.%d' % sys.version_info[:2]); sys.exit(sys.version_info < (3, 10))";
        let Ok(output) = Command::new(candidate).args(["-c", code]).output() else { continue };
        if output.status.success() {
            return Ok(candidate);
        }
        found.push(format!("{candidate} is {}", String::from_utf8_lossy(&output.stdout).trim()));
    }
    Err(LocalError::NoPython(if found.is_empty() {
        "no `python3` on the PATH".to_owned()
    } else {
        found.join(", ")
    }))
}

/// Runs a command to its end; `hear` gets each line of its standard output. Fails with its last words.
fn run(command: &mut Command, hear: &dyn Fn(&str)) -> Result<(), String> {
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| error.to_string())?;
    let stderr = child.stderr.take().expect("it is piped");
    // Read beside the other, so that neither pipe fills up.
    let errors = std::thread::spawn(move || lines(stderr).collect::<Vec<_>>());
    let mut last = String::new();
    for line in lines(child.stdout.take().expect("it is piped")) {
        hear(&line);
        last = line;
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(());
    }
    let errors = errors.join().unwrap_or_default();
    // Pip ends with its error; venv says on standard output what failed.
    let said = errors.iter().rev().find(|line| line.contains("ERROR")).or(errors.last()).unwrap_or(&last);
    Err(said.trim().trim_start_matches("ERROR: ").trim_end_matches('.').to_owned())
}

fn lines(pipe: impl std::io::Read) -> impl Iterator<Item = String> {
    BufReader::new(pipe).lines().map_while(Result::ok).filter(|line| !line.trim().is_empty())
}
