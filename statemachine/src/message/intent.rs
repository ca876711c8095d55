//! What was asked for: the one thing that AWS cannot tell.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Operation, Run, Trigger};
use crate::config::Stack;

/// An image that services run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `sha256:…`
    pub digest: String,
    /// The tag that was pushed, where known.
    pub tag: Option<String>,
    /// `ARM64` or `X86_64`, once the services run it: then nobody has to ask ECR.
    #[serde(default)]
    pub architecture: Option<String>,
}

/// An image that the services have run, with the number that it was given then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The first is 1.
    pub number: NonZeroU32,
    /// Its image.
    #[serde(flatten)]
    pub image: Image,
}

/// The image that a run wants the services to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// The newest release: they go on with it.
    Released(Release),
    /// One that gets a number once they run it.
    New(Image),
}

impl Wanted {
    /// The image, however it came to be.
    pub fn image(&self) -> &Image {
        match self {
            Wanted::Released(release) => &release.image,
            Wanted::New(image) => image,
        }
    }
}

/// Who laid something over the file, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct By {
    pub run: String,
    /// When, RFC 3339.
    pub at: String,
    pub operation: Operation,
    pub trigger: Trigger,
    /// Who, where it is known.
    pub caller: Option<String>,
}

impl By {
    /// A run's own mark.
    pub fn of(run: &Run) -> Self {
        Self {
            run: run.id.clone(),
            at: run.started_at.clone(),
            operation: run.operation,
            trigger: run.trigger,
            caller: run.caller.clone(),
        }
    }

    /// `scale on 2026-11-23 (run 20261123-101500-00af)`
    pub fn words(&self) -> String {
        let day = self.at.get(..10).unwrap_or(&self.at);
        format!("{} on {day} (run {})", self.operation.name(), self.run)
    }
}

/// A count of tasks laid over the file's. It falls away when the file's count changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Tasks.
    pub count: u32,
    /// The file's count at that time.
    pub file: u32,
    /// By what.
    pub by: By,
}

/// The environment of an earlier release, laid over the file's. It falls away with the next configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Laid {
    /// SHA-256 of the configuration that it is laid over.
    pub config: Option<String>,
    /// By service: its plain environment.
    pub services: BTreeMap<String, BTreeMap<String, String>>,
    /// By what.
    pub by: By,
}

/// What was last asked for, and what operations have laid over it: `intent/{env}.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Intent {
    /// SHA-256 of the configuration last accepted.
    pub config: Option<String>,
    /// The run that accepted it.
    pub run: Option<String>,
    /// When, RFC 3339.
    pub at: Option<String>,
    /// The engine's version then.
    pub engine: Option<String>,
    /// Hosts of its public services: their records are found by them once the file no longer names them.
    pub hosts: Vec<String>,
    /// Names of its uploads buckets, likewise.
    pub buckets: Vec<String>,
    /// The newest good release: what `apply` keeps running.
    pub release: Option<Release>,
    /// How many releases were numbered so far.
    pub releases: u32,
    /// Counts of tasks that `scale` has set, by service.
    pub counts: BTreeMap<String, Count>,
    /// Set while the environment is paused.
    pub paused: Option<By>,
    /// The last restart of each service that was restarted.
    pub restarts: BTreeMap<String, By>,
    /// The environment that a rollback has brought back.
    pub environment: Option<Laid>,
    /// What operations have done to the database.
    pub database: DatabaseIntent,
    /// The newest image that was pushed while the environment was paused: a resume deploys it.
    pub pushed: Option<Image>,
}

/// What operations have asked of the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatabaseIntent {
    /// The live generation of the cluster, `{app}-{env}-{generation}`: each restore makes the next one.
    pub generation: u32,
    /// The snapshot that this generation was made from; absent for one that began empty.
    pub snapshot: Option<String>,
    /// The restore that made it.
    pub restored: Option<By>,
    /// The newest rotation: the password is to be one that this run has made.
    pub rotation: Option<By>,
}

impl Default for DatabaseIntent {
    fn default() -> Self {
        Self { generation: 1, snapshot: None, restored: None, rotation: None }
    }
}

impl Intent {
    /// How many tasks a service is to have, where the file says `file`.
    pub fn count(&self, service: &str, file: u32) -> u32 {
        if self.paused.is_some() {
            return 0;
        }
        self.counts.get(service).filter(|count| count.file == file).map_or(file, |count| count.count)
    }

    /// A service's plain environment, where the file of the given fingerprint says `file`.
    pub fn environment(
        &self,
        service: &str,
        file: &BTreeMap<String, String>,
        config: Option<&String>,
    ) -> BTreeMap<String, String> {
        let laid = self.environment.as_ref().filter(|laid| laid.config.as_ref() == config);
        laid.and_then(|laid| laid.services.get(service)).unwrap_or(file).clone()
    }

    /// Drops what no longer holds: counts of services whose count in the file has changed or that have left
    /// it, and an environment that was laid over another configuration.
    pub fn settle(&mut self, stack: &Stack, config: Option<&String>) {
        let file =
            |name: &str| stack.services.get(name).filter(|one| one.scale.is_none()).map(|one| one.count);
        self.counts.retain(|name, count| file(name) == Some(count.file));
        self.restarts.retain(|name, _| stack.services.contains_key(name));
        if self.environment.as_ref().is_some_and(|laid| laid.config.as_ref() != config) {
            self.environment = None;
        }
    }

    /// What a person should know of it beside a plan: one sentence each.
    pub fn notes(&self, stack: &Stack) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(by) = &self.paused {
            notes.push(format!("The environment is paused: set by {}.", by.words()));
        }
        for (name, count) in &self.counts {
            let file = stack.services.get(name).map(|service| service.count);
            if file == Some(count.file) && count.count != count.file {
                notes.push(format!(
                    "{name} runs {} instead of the file's {}: set by {}.",
                    tasks(count.count),
                    count.file,
                    count.by.words()
                ));
            }
        }
        if let Some(laid) = &self.environment {
            notes.push(format!(
                "The services have an earlier release's environment: set by {}.",
                laid.by.words()
            ));
        }
        notes
    }
}

fn tasks(count: u32) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_earlier_engines_have_written_is_read() {
        let written = json!({
            "config": "c0ffee",
            "run": "20261120-101500-0001",
            "at": "2026-11-20T10:15:00Z",
            "engine": "0.0.1",
            "hosts": ["api.tryarive.com"],
            "buckets": [],
            "release": {"number": 2, "digest": "sha256:aa", "tag": "v2", "architecture": "ARM64"},
            "releases": 2,
            "counts": {},
            "paused": null,
            "restarts": {},
            "environment": null,
            "database": {"generation": 1, "snapshot": null, "restored": null, "rotation": null},
            "pushed": {"number": 0, "digest": "sha256:bb", "tag": null, "architecture": null},
        });
        let intent: Intent = serde_json::from_value(written.clone()).expect("an intent");
        let release = intent.release.as_ref().expect("a release");
        assert_eq!((release.number.get(), release.image.tag.as_deref()), (2, Some("v2")));
        let pushed = Image { digest: "sha256:bb".to_owned(), tag: None, architecture: None };
        assert_eq!(intent.pushed.as_ref(), Some(&pushed));
        // And it is written as it was, but for the number of what is no release.
        let mut again = serde_json::to_value(&intent).expect("JSON");
        again["pushed"]["number"] = json!(0);
        assert_eq!(again, written);
    }
}
