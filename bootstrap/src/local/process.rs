//! A process that outlives the program: started apart from the terminal, known again, asked to end.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest that a process may take to end by itself before it is ended by force.
const END_WITHIN: Duration = Duration::from_secs(10);

/// Out of the terminal's process group: Ctrl-C in the program does not stop it.
#[cfg(unix)]
pub(super) fn detach(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

/// There are no process groups to leave here.
#[cfg(not(unix))]
pub(super) fn detach(_: &mut Command) {}

/// Whether the process lives and its command line contains `mark`: a process id may have gone to another
/// program since it was written down.
pub(super) fn lives(pid: u32, mark: &str) -> bool {
    let line = from_proc(pid).or_else(|| from_ps(pid));
    line.is_some_and(|line| line.contains(mark))
}

/// Asks the process to end, waits until it has, and ends it by force where it does not. Does nothing to a
/// process that is not the marked one.
pub(super) fn end(pid: u32, mark: &str) {
    if !lives(pid, mark) {
        return;
    }
    signal(pid, "TERM");
    let begin = Instant::now();
    while lives(pid, mark) && begin.elapsed() < END_WITHIN {
        std::thread::sleep(Duration::from_millis(20));
    }
    if lives(pid, mark) {
        signal(pid, "KILL");
    }
}

/// The command line of a living process, from Linux's `/proc`: there without any package. A zombie has an
/// empty one. Nothing where there is no `/proc`.
fn from_proc(pid: u32) -> Option<String> {
    if !std::path::Path::new("/proc/self/cmdline").exists() {
        return None;
    }
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
}

/// The same from `ps`, for macOS.
fn from_ps(pid: u32) -> Option<String> {
    let output = Command::new("ps").args(["-o", "stat=,args=", "-p", &pid.to_string()]).output().ok()?;
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    (!line.trim_start().starts_with('Z')).then_some(line)
}

/// By the shell's own `kill`: the program of that name is not on every machine.
fn signal(pid: u32, name: &str) {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("kill -{name} {pid}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // A process that ended in between is what was wanted.
    let _ = command.status();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_command_line_and_ended() {
        let mut child = Command::new("sleep").arg("61.25").spawn().expect("sleep is on every machine");
        // Its command line is its own only once it has begun.
        let begun = std::iter::repeat_with(|| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            lives(child.id(), "61.25")
        });
        assert!(begun.take(250).any(|lives| lives));
        assert!(!lives(child.id(), "another mark"));
        end(child.id(), "another mark");
        assert!(lives(child.id(), "61.25"), "what is not ours is left alone");
        end(child.id(), "61.25");
        assert!(!lives(child.id(), "61.25"), "a zombie does not live");
        child.wait().expect("it has ended");
    }
}
