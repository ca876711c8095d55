//! The document that the state machine carries.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

use super::{Caught, Diagnosis, Failure, Intent, Operation, Parameters, Slot, Trigger, Wanted};
use crate::config::Stack;
use crate::resource::{Name, Options};
use crate::{Error, ErrorKind, Part, Stage};

/// The document that the state machine carries. Every slot is there from the start: a JSONPath that is
/// missing ends an execution on AWS without any Catch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The run.
    pub run: Run,
    /// What is wanted; absent for a destroy.
    pub stack: Option<Stack>,
    /// The image that the services are to run; none before the first.
    pub image: Option<Wanted>,
    /// Hosts that an earlier configuration named, so that their records are found when it no longer does.
    pub known_hosts: Vec<String>,
    /// Buckets that an earlier configuration named, likewise.
    pub known_buckets: Vec<String>,
    /// What is asked for: the environment's intent, with what this run lays over it.
    pub intent: Intent,
    /// The intent as it was, where this run lays something over it.
    #[serde(default)]
    pub before: Option<Box<Intent>>,
    /// Set once the run has failed and puts back what was there before.
    #[serde(default)]
    pub putting_back: Option<Box<PuttingBack>>,
    /// SHA-256 of the run's configuration.
    pub config: Option<String>,
    /// One slot per stage.
    pub stages: Stages,
    /// What control has decided last; the machine's choices read it.
    pub verdict: Verdict,
    /// [`crate::plan::Plan::id`] of the joined plan, once there is one.
    #[serde(default)]
    pub plan: Option<String>,
    /// How often the stages were looked at; a destroy looks again after it has removed.
    pub looks: u32,
    /// What the last Catch outside the stages caught.
    #[serde(default)]
    pub caught: Option<Caught>,
    /// What the Catch of diagnose caught.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undiagnosed: Option<Caught>,
}

impl Document {
    /// The document of a run that has not looked yet.
    pub fn new(run: Run, stack: Option<Stack>) -> Self {
        Self {
            run,
            stack,
            image: None,
            known_hosts: Vec::new(),
            known_buckets: Vec::new(),
            intent: Intent::default(),
            before: None,
            putting_back: None,
            config: None,
            stages: Stages::default(),
            verdict: Verdict { next: Next::Look, retry_after_s: 0, message: String::new() },
            plan: None,
            looks: 0,
            caught: None,
            undiagnosed: None,
        }
    }

    /// What failed where no report tells it: what a Catch caught, of a stage or of control.
    pub fn caught_failure(&self) -> Option<Failure> {
        let mut stages = self.stages.iter();
        let caught = stages.find_map(|(stage, slot)| Some((Part::Stage(stage), slot.caught.as_ref()?)));
        let (part, caught) = caught.or_else(|| Some((Part::Control, self.caught.as_ref()?)))?;
        let error = Error::new(caught.kind(), caught.to_string());
        let mut failure = Failure::of(part, &Name::from_tag("*"), &error);
        failure.action = caught.denied_action().map(str::to_owned);
        if error.kind == ErrorKind::Transient {
            let next = "AWS did not answer in time, several times. Run it again: it goes on from here.";
            next.clone_into(&mut failure.next);
        }
        Some(failure)
    }

    /// For tests: the document of a run of the app `arive`, environment `production`.
    pub fn example(operation: Operation, stack: Option<Stack>) -> Self {
        let run = Run {
            id: "20261123-101500-abcd".to_owned(),
            execution: "arn:aws:states:us-east-1:123456789012:execution:stepstack-arive:x".to_owned(),
            app: "arive".to_owned(),
            environment: "production".to_owned(),
            operation,
            trigger: Trigger::Cli,
            caller: None,
            started_at: "2026-11-23T10:15:00Z".to_owned(),
            plan: None,
            options: Options::default(),
            parameters: Parameters::default(),
            config_key: None,
            lock: Some(1),
            lock_ms: None,
            lock_etag: None,
        };
        Self::new(run, stack)
    }
}

/// Why a run puts back what was there before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct PuttingBack {
    pub failure: Failure,
    pub diagnosis: Option<Diagnosis>,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Run {
    /// `YYYYMMDD-HHMMSS-xxxx`.
    pub id: String,
    /// ARN of the execution.
    pub execution: String,
    pub app: String,
    pub environment: String,
    pub operation: Operation,
    pub trigger: Trigger,
    /// Who, where it is known.
    pub caller: Option<String>,
    /// RFC 3339.
    pub started_at: String,
    /// The plan's id that the joined plan must have.
    pub plan: Option<String>,
    pub options: Options,
    #[serde(default)]
    pub parameters: Parameters,
    /// Key of the configuration it works from.
    pub config_key: Option<String>,
    /// The lock's generation that the run holds; a run that only looks holds none.
    #[serde(with = "zero_is_none")]
    pub lock: Option<u64>,
    /// Milliseconds since the epoch when it took the lock, and nothing told it to stop yet.
    #[serde(default, with = "zero_is_none")]
    pub lock_ms: Option<u64>,
    /// The lock's ETag as the run took it: with it, the lock is given back by one call.
    #[serde(default)]
    pub lock_etag: Option<String>,
}

/// In JSON, 0 says that there is none: so it stands in the records of every run.
mod zero_is_none {
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
    pub(super) fn serialize<S: Serializer>(number: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(number.unwrap_or(0))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        Ok(Some(u64::deserialize(deserializer)?).filter(|number| *number > 0))
    }
}

/// The slots of all stages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the stages, each said at its variant of `Stage`")]
pub struct Stages {
    pub foundation: Slot,
    pub network: Slot,
    pub egress: Slot,
    pub certificate: Slot,
    pub database: Slot,
    pub ingress: Slot,
    pub services: Slot,
}

impl Stages {
    /// The slots with their stages, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Stage, &Slot)> {
        Stage::ALL.into_iter().map(|stage| (stage, &self[stage]))
    }
}

impl Index<Stage> for Stages {
    type Output = Slot;

    fn index(&self, stage: Stage) -> &Slot {
        match stage {
            Stage::Foundation => &self.foundation,
            Stage::Network => &self.network,
            Stage::Egress => &self.egress,
            Stage::Certificate => &self.certificate,
            Stage::Database => &self.database,
            Stage::Ingress => &self.ingress,
            Stage::Services => &self.services,
        }
    }
}

impl IndexMut<Stage> for Stages {
    fn index_mut(&mut self, stage: Stage) -> &mut Slot {
        match stage {
            Stage::Foundation => &mut self.foundation,
            Stage::Network => &mut self.network,
            Stage::Egress => &mut self.egress,
            Stage::Certificate => &mut self.certificate,
            Stage::Database => &mut self.database,
            Stage::Ingress => &mut self.ingress,
            Stage::Services => &mut self.services,
        }
    }
}

/// What control has decided; the machine's choices read `next`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Where to go.
    pub next: Next,
    /// When to call control again, for [`Next::Wait`].
    pub retry_after_s: u32,
    /// One sentence for the execution's error and for people.
    pub message: String,
}

/// Where the machine goes after control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// Another run holds the lock: wait and call `begin` again.
    Wait,
    /// Look at every stage.
    Look,
    /// Create and change, then remove.
    Make,
    /// Only remove.
    Remove,
    /// Nothing is left to do: finish.
    Finish,
    /// Something failed: gather the cause, then finish.
    Diagnose,
    /// The run is over, and well.
    Succeed,
    /// The run is over: failed, blocked or refused; its result says which.
    Fail,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_without_the_lock_is_written_as_it_always_was() {
        let looking = json!({
            "id": "20261123-101500-abcd", "execution": "arn", "app": "arive", "environment": "production",
            "operation": "plan", "trigger": "cli", "caller": null, "started_at": "2026-11-23T10:15:00Z",
            "plan": null, "options": {}, "parameters": {}, "config_key": null,
            "lock": 0, "lock_ms": 0, "lock_etag": null,
        });
        let run: Run = serde_json::from_value(looking.clone()).expect("a run");
        assert_eq!((run.lock, run.lock_ms), (None, None));
        let written = serde_json::to_value(&run).expect("JSON");
        assert_eq!((&written["lock"], &written["lock_ms"]), (&json!(0), &json!(0)));

        let mut holding = looking;
        (holding["lock"], holding["lock_ms"]) = (json!(7), json!(1_795_428_900_000_u64));
        let run: Run = serde_json::from_value(holding.clone()).expect("a run");
        assert_eq!((run.lock, run.lock_ms), (Some(7), Some(1_795_428_900_000)));
        let written = serde_json::to_value(&run).expect("JSON");
        assert_eq!((&written["lock"], &written["lock_ms"]), (&holding["lock"], &holding["lock_ms"]));

        // Written before a run said when it took the lock.
        holding.as_object_mut().expect("an object").remove("lock_ms");
        assert_eq!(serde_json::from_value::<Run>(holding).expect("a run").lock_ms, None);
    }

    #[test]
    fn what_a_catch_caught_is_told_by_its_kind() {
        let failure = |error: &str, cause: &str| {
            let caught = Caught { error: error.to_owned(), cause: cause.to_owned() };
            let document = Document { caught: Some(caught), ..Document::example(Operation::Apply, None) };
            document.caught_failure().expect("a failure")
        };
        let denied = failure(
            "Denied",
            r#"{"errorType":"Denied","errorMessage":"PutObject failed: User: arn:aws:sts::1:assumed-role/a-control/b is not authorized to perform: s3:PutObject on resource: \"arn\" (AccessDenied)"}"#,
        );
        assert_eq!((denied.kind, denied.action.as_deref()), (ErrorKind::Denied, Some("s3:PutObject")));
        assert!(denied.message.starts_with("The function ended with Denied: PutObject failed: User"));
        assert!(denied.next.contains("stepstack bootstrap"), "{}", denied.next);

        let slow = failure("Transient", "{}");
        assert_eq!(slow.kind, ErrorKind::Transient);
        assert!(slow.next.starts_with("AWS did not answer in time"), "{}", slow.next);

        let late = failure("States.Timeout", "");
        assert_eq!((late.kind, late.action), (ErrorKind::Internal, None));
        assert!(late.next.contains("please report"), "{}", late.next);
    }
}
