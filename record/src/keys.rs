//! The keys of the provisioner's bucket (design.md section 6).

use std::num::NonZeroU32;

use statemachine::Stage;

/// All configurations.
pub const ENVIRONMENTS: &str = "environments/";
/// All intents, and what was described of each.
pub const INTENTS: &str = "intent/";
/// All locks.
pub const LOCKS: &str = "locks/";

/// The environment that the object of such a key is of: `production` of `intent/production.asked.json`.
pub fn environment_of(key: &str) -> &str {
    let file = key.split_once('/').map_or(key, |(_, file)| file);
    file.split('.').next().unwrap_or(file)
}

/// The configuration last uploaded or accepted.
pub fn environment(environment: &str) -> String {
    format!("environments/{environment}.toml")
}

/// What was last accepted, and what operations have laid over it.
pub fn intent(environment: &str) -> String {
    format!("intent/{environment}.json")
}

/// What the last good run described, by resource: tells a changed file from a change outside.
pub fn asked(environment: &str) -> String {
    format!("intent/{environment}.asked.json")
}

/// The lock.
pub fn lock(environment: &str) -> String {
    format!("locks/{environment}.json")
}

/// Everything of an environment's runs.
pub fn runs(environment: &str) -> String {
    format!("runs/{environment}/")
}

/// Everything of a run.
pub fn run(environment: &str, run: &str) -> String {
    format!("runs/{environment}/{run}/")
}

/// One object of a run: `request.json`, `config.toml`, `plan.json`, `diagnosis.json`, `result.json`.
pub fn of_run(environment: &str, run: &str, object: &str) -> String {
    format!("runs/{environment}/{run}/{object}")
}

/// A stage's look.
pub fn look(environment: &str, run: &str, stage: Stage) -> String {
    format!("runs/{environment}/{run}/look/{stage}.json")
}

/// A stage's report, while the run makes and removes.
pub fn report(environment: &str, run: &str, stage: Stage) -> String {
    format!("runs/{environment}/{run}/stages/{stage}.json")
}

/// A stage's note of token-less creates.
pub fn notes(environment: &str, run: &str, stage: Stage) -> String {
    format!("runs/{environment}/{run}/notes/{stage}.json")
}

/// All releases of an environment.
pub fn releases(environment: &str) -> String {
    format!("releases/{environment}/")
}

/// A release, its number padded so that keys sort.
pub fn release(environment: &str, number: NonZeroU32) -> String {
    format!("releases/{environment}/{number:06}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_their_environment() {
        assert_eq!(environment_of("environments/production.toml"), "production");
        assert_eq!(environment_of("intent/production.asked.json"), "production");
        assert_eq!(environment_of("locks/staging.json"), "staging");
    }
}
