//! Taking and releasing the lock. See `statemachine::lock` for what stands in it.

use aws::failed;
use aws_sdk_s3::primitives::ByteStream;
use jiff::Timestamp;
use lambda::{get_json, is_lost_race};
use statemachine::error::Optional as _;
use statemachine::lock::{Holder, Lock};
use statemachine::message::{Run, keys};
use statemachine::{Error, ErrorKind, Result};

use crate::Control;

/// A dead holder's functions may still be writing for this long: their own time limit.
const DEAD_FOR_S: i64 = 60;

/// The outcome of asking for the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is ours, with this generation and ETag.
    Taken(u64, Option<String>),
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

/// Whether the lock may be taken over from its holder. Pure.
pub fn judge(holder: &Holder, state: HolderState, now_s: i64) -> bool {
    match state {
        HolderState::Running => false,
        HolderState::Ended(at) => now_s - at >= DEAD_FOR_S,
        HolderState::Unknown => {
            // Without an end to count from, count from its begin: it was alive then.
            let since = holder.since.parse::<Timestamp>().map_or(0, Timestamp::as_second);
            now_s - since >= DEAD_FOR_S
        }
    }
}

impl Control {
    /// Takes the lock for `holder`, if nobody has it or its holder is dead. Taking it twice is taking it once.
    pub(crate) async fn claim(&self, environment: &str, holder: Holder) -> Result<Claim> {
        let key = keys::lock(environment);
        let Some((lock, etag)) = get_json::<Lock>(&self.bucket, &key).await? else {
            let lock = Lock { generation: 1, holder: Some(holder.clone()), stop: None };
            return self.put_lock(&key, &lock, None, holder).await;
        };
        match &lock.holder {
            Some(present) if present.execution == holder.execution => {
                return Ok(Claim::Taken(lock.generation, Some(etag)));
            }
            Some(present) => {
                let state = self.holder_state(present).await?;
                if !judge(present, state, Timestamp::now().as_second()) {
                    return Ok(Claim::Busy(present.clone()));
                }
            }
            None => {}
        }
        let next = Lock { generation: lock.generation + 1, holder: Some(holder.clone()), stop: None };
        self.put_lock(&key, &next, Some(etag), holder).await
    }

    async fn put_lock(&self, key: &str, lock: &Lock, etag: Option<String>, holder: Holder) -> Result<Claim> {
        let body = serde_json::to_vec(lock).map_err(|error| Error::internal(error.to_string()))?;
        let put = self.bucket.s3.put_object().bucket(&self.bucket.name).key(key).body(ByteStream::from(body));
        let put = match etag {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        match put.send().await.map_err(failed("s3:PutObject")) {
            Ok(put) => Ok(Claim::Taken(lock.generation, put.e_tag().map(str::to_owned))),
            // 412 and 409: somebody else was faster. Whoever it was has it now; ask again.
            Err(error) if is_lost_race(&error) => {
                Ok(Claim::Busy(Holder { run: "another run".to_owned(), ..holder }))
            }
            Err(error) => Err(error),
        }
    }

    async fn holder_state(&self, holder: &Holder) -> Result<HolderState> {
        let describe = self.sfn.describe_execution().execution_arn(&holder.execution);
        let answer = describe.send().await.map_err(failed("states:DescribeExecution")).optional();
        Ok(match answer {
            Ok(None) => HolderState::Unknown,
            Ok(Some(execution)) => match execution.stop_date() {
                Some(end) => HolderState::Ended(end.secs()),
                None => HolderState::Running,
            },
            Err(error) if error.kind == ErrorKind::Invalid => HolderState::Unknown,
            Err(error) => return Err(error),
        })
    }

    /// Gives the lock back, if the run's execution holds it. Repeating it does nothing.
    pub(crate) async fn release(&self, run: &Run) -> Result<()> {
        let key = keys::lock(&run.environment);
        if let Some(etag) = run.lock_etag.clone()
            && self.free(&key, run.lock, etag).await?
        {
            return Ok(());
        }
        // Somebody wrote into it since, such as a stage that told the others to stop.
        let Some((lock, etag)) = get_json::<Lock>(&self.bucket, &key).await? else { return Ok(()) };
        if lock.holder.as_ref().is_none_or(|holder| holder.execution != run.execution) {
            return Ok(());
        }
        if self.free(&key, lock.generation, etag).await? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Transient, "the lock changed while it was released"))
    }

    /// Writes a free lock over the one with this ETag; `false` when that is no longer the one.
    async fn free(&self, key: &str, generation: u64, etag: String) -> Result<bool> {
        let free = Lock { generation, holder: None, stop: None };
        Ok(self.replace(key, &free, etag).await?.is_some())
    }

    /// Writes a lock over the one with this ETag, and answers its new ETag; `None` when that is no longer the
    /// one.
    pub(crate) async fn replace(&self, key: &str, lock: &Lock, etag: String) -> Result<Option<String>> {
        let body = serde_json::to_vec(lock).map_err(|error| Error::internal(error.to_string()))?;
        let put = self.bucket.s3.put_object().bucket(&self.bucket.name).key(key).if_match(etag);
        match put.body(ByteStream::from(body)).send().await.map_err(failed("s3:PutObject")) {
            Ok(put) => Ok(Some(put.e_tag().unwrap_or_default().to_owned())),
            Err(error) if is_lost_race(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder() -> Holder {
        Holder {
            run: "20261123-101500-abcd".to_owned(),
            execution: "arn".to_owned(),
            operation: "apply".to_owned(),
            since: "2026-11-23T10:15:00Z".to_owned(),
        }
    }

    #[test]
    fn a_dead_holder_is_replaced_when_its_functions_can_no_longer_write_and_not_before() {
        let since = "2026-11-23T10:15:00Z".parse::<Timestamp>().expect("a timestamp").as_second();
        assert!(!judge(&holder(), HolderState::Running, since + 9_999));
        assert!(!judge(&holder(), HolderState::Ended(since + 100), since + 159));
        assert!(judge(&holder(), HolderState::Ended(since + 100), since + 160));
        assert!(!judge(&holder(), HolderState::Unknown, since + 59));
        assert!(judge(&holder(), HolderState::Unknown, since + 60));
    }
}
