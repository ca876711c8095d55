//! AWS names made of ours: within AWS's lengths, and still readable.

use sha2::{Digest, Sha256};

use crate::resource::hex;

/// Joins the parts with hyphens. What is longer than `max` becomes a slug with a six-digit hash of the whole
/// at its end, so that two long names never meet.
pub fn fit(parts: &[&str], max: usize) -> String {
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
