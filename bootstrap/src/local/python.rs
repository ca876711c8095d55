//! The virtual environment with the pinned MiniStack.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{LocalError, MINISTACK, io};

/// Interpreters by falling likelihood; the first that is new enough is taken.
const CANDIDATES: [&str; 7] = ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];

/// The virtual environment's Python, made and filled when it is not there yet. `progress` hears what is done.
///
/// A marker is written last: an environment without it was cut off and is made again.
pub(super) fn environment(cache: &Path, progress: &dyn Fn(&str)) -> Result<PathBuf, LocalError> {
    let directory = cache.join(format!("ministack-{MINISTACK}"));
    let python = directory.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let marker = directory.join("complete");
    if marker.exists() && python.exists() {
        return Ok(python);
    }
    let system = find()?;
    std::fs::create_dir_all(cache).map_err(io(format!("making {}", cache.display())))?;
    // Of two commands at once, one makes it and the other waits for it.
    let lock = cache.join("ministack.lock");
    let lock = std::fs::File::create(&lock).map_err(io(format!("writing {}", lock.display())))?;
    lock.lock().map_err(io("waiting for another command to install MiniStack"))?;
    if marker.exists() && python.exists() {
        return Ok(python);
    }
    progress(&format!("Making a virtual environment for MiniStack {MINISTACK} (once)"));
    run(Command::new(system).args(["-m", "venv", "--clear"]).arg(&directory))?;
    progress(&format!("Installing MiniStack {MINISTACK} from PyPI"));
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(Command::new(&python).args(pip).arg(format!("ministack=={MINISTACK}")))?;
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
    Err(LocalError::NoPython(if found.is_empty() { "no `python3` on the PATH".to_owned() } else { found.join(", ") }))
}

fn run(command: &mut Command) -> Result<(), LocalError> {
    let output = command.output().map_err(|error| LocalError::NotInstalled(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    Err(LocalError::NotInstalled(last.trim().trim_end_matches('.').to_owned()))
}
