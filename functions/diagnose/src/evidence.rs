//! What is known about a failure, apart from AWS's clients: plain data, so that the cause is told by a pure
//! function.

/// Facts gathered about a failed run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The services' latest events, newest first, in ECS's words.
    pub events: Vec<String>,
    /// Tasks that stopped lately.
    pub stopped_tasks: Vec<StoppedTask>,
    /// Targets that are not healthy.
    pub targets: Vec<Target>,
    /// What could not be looked at, and why.
    pub not_seen: Vec<String>,
}

/// A task that stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoppedTask {
    /// The service it belonged to, or whose task definition it had.
    pub service: String,
    /// `release` or `run`, for a task of its own.
    pub own: Option<String>,
    /// ECS's `stopCode`.
    pub stop_code: String,
    /// ECS's `stoppedReason`.
    pub stopped_reason: String,
    /// The container's own reason.
    pub container_reason: String,
    /// The container's exit code, if it ever ran.
    pub exit_code: Option<i32>,
    /// Its last lines, oldest first.
    pub log: Vec<String>,
}

/// A target that is not healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Target {
    pub service: String,
    /// `Target.FailedHealthChecks`, `Target.ResponseCodeMismatch`, `Target.Timeout`.
    pub reason: String,
    /// Elastic Load Balancing's words.
    pub description: String,
    pub path: String,
}

/// The most log lines that are kept.
const LINES: usize = 20;
/// And the most characters of each.
const WIDTH: usize = 300;

/// The last lines of a log, as a record may hold them: short, and without passwords in URLs.
pub fn tail(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    let all: Vec<String> = lines.into_iter().collect();
    let from = all.len().saturating_sub(LINES);
    all[from..].iter().map(|line| mask(line).chars().take(WIDTH).collect()).collect()
}

/// `scheme://user:***@host` for `scheme://user:secret@host`.
fn mask(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        masked.push_str(before);
        // The login ends at the last `@` before the address does.
        let end =
            after.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'')).unwrap_or(after.len());
        match (after[..end].rfind('@'), after[..end].find(':')) {
            (Some(login), Some(colon)) if colon < login => {
                masked.push_str(&after[..colon]);
                masked.push_str(":***");
                rest = &after[login..];
            }
            _ => rest = after,
        }
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_masked() {
        let line = "could not connect to postgresql://postgres:s3cr:et@db.example:5432/arive, nor to https://example.com/a:b@c";
        assert_eq!(
            mask(line),
            "could not connect to postgresql://postgres:***@db.example:5432/arive, nor to https://example.com/a:b@c"
        );
    }

    #[test]
    fn the_tail_is_short() {
        let lines = (0..100).map(|number| format!("{number} {}", "x".repeat(1000)));
        let tail = tail(lines);
        assert_eq!(tail.len(), 20);
        assert!(tail[0].starts_with("80 ") && tail[0].len() == 300);
    }
}
