//! The lock: one object per environment in the provisioner's bucket, which names the execution that holds it.

use serde::{Deserialize, Serialize};

/// What stands in `locks/{env}.json`. The object is never deleted; its generation only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Grows by one each time somebody takes it.
    pub generation: u64,
    /// Who holds it; nobody when absent.
    pub holder: Option<Holder>,
    /// Set to make the holder stop at its next wave of writes.
    #[serde(default)]
    pub stop: Option<String>,
}

/// The run that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its id.
    pub run: String,
    /// ARN of its execution: whether that still runs decides whether the lock is alive.
    pub execution: String,
    /// What it does: `apply`, `destroy`.
    pub operation: String,
    /// RFC 3339.
    pub since: String,
}

impl Lock {
    /// Whether the execution holds it and nobody asked it to stop. Otherwise: why it must stop.
    pub fn held_by(&self, execution: &str) -> Result<(), String> {
        match &self.holder {
            Some(holder) if holder.execution == execution => self.stop.clone().map_or(Ok(()), Err),
            Some(holder) => Err(format!("run {} holds the lock now", holder.run)),
            None => Err("the lock was released".to_owned()),
        }
    }
}
