//! The id of a run.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use statemachine::resource::hex;

/// `YYYYMMDD-HHMMSS-xxxx`: the execution's name where it is one already (the command line chooses such
/// names), else from its start and a hash of its name (EventBridge chooses names of its own).
pub(crate) fn run_id(name: &str, started_at: &str) -> String {
    if is_run_id(name) {
        return name.to_owned();
    }
    let started = started_at.parse::<Timestamp>().unwrap_or_default();
    let hash = hex(&Sha256::digest(name));
    format!("{}-{}", started.strftime("%Y%m%d-%H%M%S"), &hash[..4])
}

fn is_run_id(name: &str) -> bool {
    let shape = "dddddddd-dddddd-xxxx";
    name.len() == shape.len()
        && name.bytes().zip(shape.bytes()).all(|(byte, shape)| match shape {
            b'd' => byte.is_ascii_digit(),
            b'x' => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            other => byte == other,
        })
}

#[cfg(test)]
mod tests {
    use super::run_id;

    #[test]
    fn a_run_id_is_the_executions_name_or_made_of_its_start() {
        assert_eq!(run_id("20261123-101500-00af", "2026-11-23T10:15:03.1Z"), "20261123-101500-00af");
        let made = run_id("4b8f1c1e_ab12-long-name-of-eventbridge", "2026-11-23T10:15:03.123Z");
        assert!(made.starts_with("20261123-101503-"), "{made}");
        assert_eq!(made.len(), 20);
    }
}
