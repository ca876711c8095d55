//! Names, each made in one place: those that AWS knows of a stack ([`AwsNames`]) and of the engine
//! (`Scope`), and ours of what one stage makes and others use ([`resource`]).

mod engine;
pub mod resource;
mod stack;

use sha2::{Digest, Sha256};

use crate::resource::hex;

pub use engine::bucket_arn;
pub use stack::{AwsNames, of_event_rule, of_repository, role, service_log_group};

/// Joins the parts with hyphens. What is longer than `max` becomes a slug with a six-digit hash of the whole
/// at its end, so that two long names never meet.
pub(crate) fn fit(parts: &[&str], max: usize) -> String {
    let whole = parts.join("-");
    if whole.len() <= max {
        return whole;
    }
    let hash = &hex(&Sha256::digest(&whole))[..6];
    let slug: String = whole.chars().take(max - 7).collect();
    format!("{}-{hash}", slug.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn short_names_stay() {
        assert_eq!(fit(&["arive", "production", "api"], 32), "arive-production-api");
    }

    #[test]
    fn long_names_keep_their_begin_and_never_meet() {
        let one = fit(&["a-quite-long-app-nam", "production12", "service-number-one"], 32);
        let two = fit(&["a-quite-long-app-nam", "production12", "service-number-two"], 32);
        assert_eq!(one.len(), 32);
        assert!(one.starts_with("a-quite-long-app-nam-prod"));
        assert_ne!(one, two);
    }
}
