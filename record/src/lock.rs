//! The lock: one object per environment, which names the execution that holds it.
//!
//! It is changed by nothing but conditional writes ([`Object::put_over`]). What is to be written is decided by pure
//! functions over what was read (`decide_…`): the same that the model in `tests/` explores over every interleaving.

use std::future::Future;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use statemachine::message::Run;
use statemachine::tick::now_ms;
use statemachine::{Error, ErrorKind, Result, Stage};

use crate::Object;

/// A dead holder's functions may still be writing for this long: their own time limit.
pub const DEAD_FOR_S: i64 = 60;

/// How often the lock is read again where somebody else was faster in writing it.
const TRIES: u32 = 5;

/// What stands in `locks/{env}.json`. The object is never deleted; its generation only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lock {
    /// Grows by one each time somebody takes it.
    pub generation: u64,
    /// Who holds it; nobody when absent.
    pub holder: Option<Holder>,
    /// Set by whoever cancels the holder: it stops before its next wave of writes, and why.
    #[serde(default)]
    pub stop: Option<String>,
    /// The holder's stage that has failed: its siblings stop before their next wave of writes. Apart from `stop`,
    /// because a run that puts back what was there before goes on after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Stage>,
}

/// The run that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
        let failed = || self.failed.map(|stage| format!("the stage {stage} failed"));
        match &self.holder {
            Some(holder) if holder.execution == execution => {
                self.stop.clone().or_else(failed).map_or(Ok(()), Err)
            }
            Some(holder) => Err(format!("run {} holds the lock now", holder.run)),
            None => Err("the lock was released".to_owned()),
        }
    }

    /// Whether the execution holds it, asked to stop or not.
    pub fn is_of(&self, execution: &str) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.execution == execution)
    }

    /// The holder, where that is another execution.
    fn other_holder(&self, execution: &str) -> Option<&Holder> {
        self.holder.as_ref().filter(|holder| holder.execution != execution)
    }
}

/// The outcome of asking for the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is ours, with this generation and ETag.
    Taken {
        /// [`Lock::generation`]
        generation: u64,
        /// With it, the lock is given back by one call.
        etag: Option<String>,
        /// Milliseconds since the epoch when nothing told it to stop yet; none where it was ours already, and may have
        /// been told.
        held_ms: Option<u64>,
    },
    /// Another run holds it.
    Busy(Holder),
}

/// How the execution of a lock's holder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolderState {
    /// It runs.
    Running,
    /// It ended at this second since the epoch.
    Ended(i64),
    /// Nobody knows it.
    Unknown,
}

/// What is to be done about the lock as it was found, to take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claiming {
    /// Nothing: it is ours, with this generation.
    Ours(u64),
    /// Nothing: another holds it, and is not dead.
    Theirs(Holder),
    /// This is to be written over it.
    Write(Lock),
}

/// What `holder` has to do to take the lock. `state` says how the execution of another holder stands; a holder of
/// which nobody was asked is not dead.
pub fn decide_claim(
    found: Option<&Lock>,
    holder: &Holder,
    state: Option<HolderState>,
    now_s: i64,
) -> Claiming {
    let generation = found.map_or(0, |lock| lock.generation);
    match found.and_then(|lock| lock.holder.as_ref()) {
        Some(present) if present.execution == holder.execution => Claiming::Ours(generation),
        Some(present) if !is_dead(present, state.unwrap_or(HolderState::Running), now_s) => {
            Claiming::Theirs(present.clone())
        }
        Some(_) | None => Claiming::Write(Lock { holder: Some(holder.clone()), ..free(generation + 1) }),
    }
}

/// Whether no function of the holder's execution can be writing any more.
fn is_dead(holder: &Holder, state: HolderState, now_s: i64) -> bool {
    let ended_s = match state {
        HolderState::Running => return false,
        HolderState::Ended(at_s) => at_s,
        // Without an end to count from, count from its begin: it was alive then.
        HolderState::Unknown => holder.since.parse::<Timestamp>().map_or(0, Timestamp::as_second),
    };
    now_s - ended_s >= DEAD_FOR_S
}

/// The lock that makes its holder stop for good; `None` where that is not this execution, or is told already.
pub fn decide_stop(found: &Lock, execution: &str, why: &str) -> Option<Lock> {
    let is_to_be_told = found.is_of(execution) && found.stop.is_none();
    is_to_be_told.then(|| Lock { stop: Some(why.to_owned()), ..found.clone() })
}

/// The lock that makes the siblings of a failed stage stop; `None` where they have to stop already.
pub fn decide_fail(found: &Lock, execution: &str, stage: Stage) -> Option<Lock> {
    found.held_by(execution).ok().map(|()| Lock { failed: Some(stage), ..found.clone() })
}

/// The lock whose holder goes on after one of its stages has failed; `None` where it is another's, or none has. Who was
/// cancelled does not go on.
pub fn decide_resume(found: &Lock, execution: &str) -> Option<Lock> {
    let has_failed = found.is_of(execution) && found.failed.is_some();
    has_failed.then(|| Lock { failed: None, ..found.clone() })
}

/// The lock that nobody holds any more; `None` where it is not this execution's to give.
pub fn decide_give_back(found: &Lock, execution: &str) -> Option<Lock> {
    found.is_of(execution).then(|| free(found.generation))
}

fn free(generation: u64) -> Lock {
    Lock { generation, ..Lock::default() }
}

impl Object<Lock> {
    /// Takes the lock for `holder`, if nobody has it or its holder is dead. Taking it twice is taking it once.
    /// `state_of` asks how the execution with this ARN stands.
    ///
    /// `Transient` where somebody was faster and has given it back already: Step Functions asks again.
    pub async fn claim<F>(&self, holder: &Holder, state_of: impl FnOnce(String) -> F) -> Result<Claim>
    where
        F: Future<Output = Result<HolderState>>,
    {
        let asked_ms = now_ms();
        let (found, etag) = self.get_with_etag().await?.unzip();
        let state = match found.as_ref().and_then(|lock| lock.other_holder(&holder.execution)) {
            Some(present) => Some(state_of(present.execution.clone()).await?),
            None => None,
        };
        match decide_claim(found.as_ref(), holder, state, Timestamp::now().as_second()) {
            Claiming::Ours(generation) => Ok(ours(generation, etag)),
            Claiming::Theirs(present) => Ok(Claim::Busy(present)),
            Claiming::Write(lock) => match self.put_over(&lock, etag.as_deref()).await? {
                Some(etag) => Ok(Claim::Taken {
                    generation: lock.generation,
                    etag: Some(etag),
                    held_ms: Some(asked_ms),
                }),
                None => self.whose(holder).await,
            },
        }
    }

    /// Whose the lock is after a write that S3 refused: ours, where the answer to an earlier try of this write was
    /// lost; else whoever was faster.
    async fn whose(&self, holder: &Holder) -> Result<Claim> {
        let (found, etag) = self.get_with_etag().await?.unzip();
        match decide_claim(found.as_ref(), holder, None, Timestamp::now().as_second()) {
            Claiming::Ours(generation) => Ok(ours(generation, etag)),
            Claiming::Theirs(present) => Ok(Claim::Busy(present)),
            Claiming::Write(_) => {
                Err(Error::new(ErrorKind::Transient, "the lock was taken and given back meanwhile"))
            }
        }
    }

    /// Tells the execution to stop before its next wave of writes, for good; `false` where it does not hold the lock.
    pub async fn stop(&self, execution: &str, why: &str) -> Result<bool> {
        self.tell(execution, |found| decide_stop(found, execution, why)).await
    }

    /// Tells the other stages of the execution to stop before their next wave of writes: this one has failed. Where the
    /// lock is no longer the execution's, there is nobody to tell.
    pub async fn fail(&self, execution: &str, stage: Stage) -> Result<()> {
        self.tell(execution, |found| decide_fail(found, execution, stage)).await?;
        Ok(())
    }

    async fn tell(&self, execution: &str, decide: impl Fn(&Lock) -> Option<Lock>) -> Result<bool> {
        for _ in 0..TRIES {
            let Some((found, etag)) = self.get_with_etag().await? else { return Ok(false) };
            let Some(told) = decide(&found) else { return Ok(found.is_of(execution)) };
            if self.put_over(&told, Some(&etag)).await?.is_some() {
                return Ok(true);
            }
        }
        Err(Error::new(ErrorKind::Transient, "The lock changes all the time."))
    }

    /// Lets the execution go on after a stage of it has failed. Answers the lock's ETag, where it can still be given
    /// back with it.
    pub async fn resume(&self, execution: &str) -> Result<Option<String>> {
        let Some((found, etag)) = self.get_with_etag().await? else { return Ok(None) };
        match decide_resume(&found, execution) {
            Some(going_on) => self.put_over(&going_on, Some(&etag)).await,
            None => Ok(found.is_of(execution).then_some(etag)),
        }
    }

    /// Gives the lock back, if the run's execution holds it. Repeating it does nothing.
    pub async fn give_back(&self, run: &Run) -> Result<()> {
        if let (Some(generation), Some(etag)) = (run.lock, &run.lock_etag)
            && self.put_over(&free(generation), Some(etag)).await?.is_some()
        {
            return Ok(());
        }
        // Somebody wrote into it since, such as a stage that told the others to stop.
        let Some((found, etag)) = self.get_with_etag().await? else { return Ok(()) };
        let Some(free) = decide_give_back(&found, &run.execution) else { return Ok(()) };
        if self.put_over(&free, Some(&etag)).await?.is_some() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Transient, "the lock changed while it was released"))
    }
}

/// A lock that was found to be ours. Whoever took it for us may have done so long ago.
fn ours(generation: u64, etag: Option<String>) -> Claim {
    Claim::Taken { generation, etag, held_ms: None }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::Client as S3;
    use aws_sdk_s3::error::ErrorMetadata;
    use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
    use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
    use aws_sdk_s3::primitives::ByteStream;
    use aws_smithy_mocks::{Rule, mock};
    use statemachine::message::{Document, Operation};

    use super::*;
    use crate::testing::{REFUSALS, bucket};

    const WHY: &str = "cancelled by arn:aws:iam::123456789012:user/ada";

    /// The lock of a bucket that takes exactly these calls, in this order.
    fn lock(rules: &[&Rule]) -> Object<Lock> {
        bucket(rules).record("production").lock()
    }

    fn there(lock: &Lock, etag: &'static str) -> Rule {
        let body = serde_json::to_vec(lock).expect("JSON");
        mock!(S3::get_object)
            .match_requests(|request| request.key() == Some("locks/production.json"))
            .then_output(move || {
                GetObjectOutput::builder().e_tag(etag).body(ByteStream::from(body.clone())).build()
            })
    }

    fn unread(code: &'static str) -> Rule {
        mock!(S3::get_object).then_error(move || {
            GetObjectError::generic(ErrorMetadata::builder().code(code).message("No").build())
        })
    }

    fn absent() -> Rule {
        unread("NoSuchKey")
    }

    /// A write over the lock with this ETag, or none; refused with a code, or taken.
    fn put(over: Option<&'static str>, refused: Option<&'static str>) -> Rule {
        let put = mock!(S3::put_object).match_requests(move |request| {
            (request.if_match(), request.if_none_match()) == (over, over.is_none().then_some("*"))
        });
        match refused {
            Some(code) => put.then_error(move || {
                PutObjectError::generic(ErrorMetadata::builder().code(code).message("No").build())
            }),
            None => put.then_output(|| PutObjectOutput::builder().e_tag("e2").build()),
        }
    }

    async fn claim(rules: &[&Rule]) -> Result<Claim> {
        lock(rules).claim(&holder(), async |_| unreachable!("no other holds it when it is read first")).await
    }

    fn run() -> Run {
        let run = Document::example(Operation::Apply, None).run;
        Run { execution: "arn".to_owned(), lock: Some(4), lock_etag: Some("e1".to_owned()), ..run }
    }

    fn held_by(execution: &str) -> Lock {
        let holder = Holder { execution: execution.to_owned(), ..holder() };
        Lock { holder: Some(holder), ..free(4) }
    }

    fn holder() -> Holder {
        Holder {
            run: "20261123-101500-abcd".to_owned(),
            execution: "arn".to_owned(),
            operation: "apply".to_owned(),
            since: "2026-11-23T10:15:00Z".to_owned(),
        }
    }

    #[tokio::test]
    async fn who_is_too_late_for_the_lock_waits_its_turn() {
        let free = free(3);
        for code in REFUSALS {
            for over in [None, Some("e1")] {
                let found = || over.map_or_else(absent, |etag| there(&free, etag));
                let (late, theirs) = (put(over, Some(code)), there(&held_by("another"), "e3"));
                let claimed = claim(&[&found(), &late, &theirs]).await;
                assert!(
                    matches!(&claimed, Ok(Claim::Busy(other)) if other.execution == "another"),
                    "{code}: {claimed:?}"
                );
                // What refuses the second try of a write whose answer was lost is the first.
                let (late, ours) = (put(over, Some(code)), there(&held_by(&holder().execution), "e3"));
                let claimed = claim(&[&found(), &late, &ours]).await;
                let taken = Claim::Taken { generation: 4, etag: Some("e3".to_owned()), held_ms: None };
                assert_eq!(claimed.ok(), Some(taken), "{code}");
                // Whoever was faster has given it back already.
                let (late, freed) = (put(over, Some(code)), there(&free, "e3"));
                let claimed = claim(&[&found(), &late, &freed]).await;
                assert_eq!(claimed.map_err(|error| error.kind), Err(ErrorKind::Transient), "{code}");
            }
        }
        let (found, taken) = (there(&free, "e1"), put(Some("e1"), None));
        let claimed = claim(&[&found, &taken]).await;
        assert!(
            matches!(&claimed, Ok(Claim::Taken { generation: 4, etag: Some(etag), held_ms: Some(1..) }) if etag == "e2"),
            "{claimed:?}"
        );
    }

    #[tokio::test]
    async fn a_lock_that_was_written_into_meanwhile_is_read_again_before_it_is_given_back() {
        for code in REFUSALS {
            // A stage told the others to stop: still ours.
            let (late, ours, freed) =
                (put(Some("e1"), Some(code)), there(&held_by("arn"), "e2"), put(Some("e2"), None));
            lock(&[&late, &ours, &freed]).give_back(&run()).await.expect("it is given back");
            assert_eq!(freed.num_calls(), 1, "{code}");
            // Another run has taken it over: not ours to give.
            let (late, theirs) = (put(Some("e1"), Some(code)), there(&held_by("another"), "e2"));
            lock(&[&late, &theirs]).give_back(&run()).await.expect("nothing is left to do");
        }
    }

    #[tokio::test]
    async fn a_lock_that_changed_while_its_holder_was_to_go_on_is_left_as_it_is() {
        let stopped = Lock { failed: Some(Stage::Database), ..held_by("arn") };
        for code in REFUSALS {
            let (found, late) = (there(&stopped, "e1"), put(Some("e1"), Some(code)));
            assert_eq!(lock(&[&found, &late]).resume("arn").await.ok(), Some(None), "{code}");
        }
        let (found, denied) = (there(&stopped, "e1"), put(Some("e1"), Some("AccessDenied")));
        let resumed = lock(&[&found, &denied]).resume("arn").await;
        assert_eq!(resumed.map_err(|error| error.kind), Err(ErrorKind::Denied));
    }

    #[test]
    fn who_was_cancelled_does_not_go_on_after_a_stage_has_failed() {
        let failed = decide_fail(&held_by("arn"), "arn", Stage::Database).expect("the siblings are told");
        assert_eq!(failed.held_by("arn"), Err("the stage database failed".to_owned()));
        let cancelled = decide_stop(&failed, "arn", WHY).expect("the run is told");
        let going_on = decide_resume(&cancelled, "arn").expect("the failure is over");
        assert_eq!(going_on.held_by("arn"), Err(WHY.to_owned()));
        assert_eq!(decide_resume(&failed, "arn"), Some(held_by("arn")));
    }

    #[tokio::test]
    async fn the_holder_is_told_to_stop_over_the_lock_as_it_was_read_and_once_more_when_it_changed() {
        let (first, second, third) =
            (there(&held_by("arn"), "e1"), there(&held_by("arn"), "e2"), there(&held_by("arn"), "e3"));
        let (precondition, conflict) = (
            put(Some("e1"), Some("PreconditionFailed")),
            put(Some("e2"), Some("ConditionalRequestConflict")),
        );
        let told = mock!(S3::put_object)
            .match_requests(|request| {
                request.if_match() == Some("e3")
                    && request.body().bytes().is_some_and(|bytes| {
                        let told: Lock = serde_json::from_slice(bytes).expect("a lock");
                        told == Lock { stop: Some(WHY.to_owned()), ..held_by("arn") }
                    })
            })
            .then_output(|| PutObjectOutput::builder().build());
        let rules = [&first, &precondition, &second, &conflict, &third, &told];
        assert!(lock(&rules).stop("arn", WHY).await.expect("it is told"));
        assert_eq!(told.num_calls(), 1);
    }

    #[tokio::test]
    async fn a_lock_that_another_holds_or_nobody_is_left_alone() {
        let others = there(&held_by("theirs"), "e1");
        assert!(!lock(&[&others]).stop("arn", WHY).await.expect("it is read"));
        let nobodys = there(&free(4), "e1");
        assert!(!lock(&[&nobodys]).stop("arn", WHY).await.expect("it is read"));
        assert!(!lock(&[&absent()]).stop("arn", WHY).await.expect("there is none"));
    }

    #[tokio::test]
    async fn a_lock_that_cannot_be_read_is_no_lock_that_nobody_holds() {
        // Else the execution would be stopped in the middle of its writes.
        let error = lock(&[&unread("AccessDenied")]).stop("arn", WHY).await.expect_err("it is not read");
        assert!(error.message.contains("GetObject"), "{}", error.message);
    }

    #[tokio::test]
    async fn a_lock_that_always_changes_ends_after_some_tries() {
        let reads: Vec<Rule> = (0..TRIES).map(|_| there(&held_by("arn"), "e1")).collect();
        let puts: Vec<Rule> = (0..TRIES).map(|_| put(Some("e1"), Some("PreconditionFailed"))).collect();
        let rules: Vec<&Rule> = reads.iter().zip(&puts).flat_map(|(read, put)| [read, put]).collect();
        let error = lock(&rules).stop("arn", WHY).await.expect_err("it gives up");
        assert_eq!(error.message, "The lock changes all the time.");
    }

    #[test]
    fn a_dead_holder_is_replaced_when_its_functions_can_no_longer_write_and_not_before() {
        let since = "2026-11-23T10:15:00Z".parse::<Timestamp>().expect("a timestamp").as_second();
        assert!(!is_dead(&holder(), HolderState::Running, since + 9_999));
        assert!(!is_dead(&holder(), HolderState::Ended(since + 100), since + 159));
        assert!(is_dead(&holder(), HolderState::Ended(since + 100), since + 160));
        assert!(!is_dead(&holder(), HolderState::Unknown, since + 59));
        assert!(is_dead(&holder(), HolderState::Unknown, since + 60));
    }
}
