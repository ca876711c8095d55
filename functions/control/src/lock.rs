//! Taking and releasing the lock. See `statemachine::lock` for what stands in it.

use aws::failed;
use jiff::Timestamp;
use lambda::{get_json, put_json_over};
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
            return self.put_lock(&key, &lock, None, &holder).await;
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
        self.put_lock(&key, &next, Some(etag), &holder).await
    }

    async fn put_lock(&self, key: &str, lock: &Lock, etag: Option<String>, holder: &Holder) -> Result<Claim> {
        Ok(match put_json_over(&self.bucket, key, lock, etag).await? {
            Some(etag) => Claim::Taken(lock.generation, Some(etag)),
            None => self.whose(key, holder).await?,
        })
    }

    /// Whose the lock is after a write that S3 refused: ours, where the answer to an earlier try of this write was
    /// lost; else whoever was faster. `Transient` where nobody has it any more: Step Functions asks again.
    async fn whose(&self, key: &str, holder: &Holder) -> Result<Claim> {
        let lock = get_json::<Lock>(&self.bucket, key).await?;
        let held = lock.and_then(|(lock, etag)| Some((lock.holder?, lock.generation, etag)));
        match held {
            Some((present, generation, etag)) if present.execution == holder.execution => {
                Ok(Claim::Taken(generation, Some(etag)))
            }
            Some((present, ..)) => Ok(Claim::Busy(present)),
            None => Err(Error::new(ErrorKind::Transient, "the lock was taken and given back meanwhile")),
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
        put_json_over(&self.bucket, key, lock, Some(etag)).await
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::Client as S3;
    use aws_sdk_s3::error::ErrorMetadata;
    use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
    use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
    use aws_sdk_s3::primitives::ByteStream;
    use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode, create_mock_http_client, mock};
    use aws_types::SdkConfig;
    use statemachine::message::{Document, Operation};

    use super::*;

    /// S3's answers to a conditional write that another was faster than.
    const REFUSALS: [&str; 2] = ["PreconditionFailed", "ConditionalRequestConflict"];

    /// Control over a bucket that takes exactly these calls, in this order.
    fn control(rules: &[&Rule]) -> Control {
        let config = SdkConfig::builder().region(aws_types::region::Region::new("us-east-1"));
        let config = config.behavior_version(aws_sdk_s3::config::BehaviorVersion::latest()).build();
        let answers = MockResponseInterceptor::new().rule_mode(RuleMode::Sequential);
        let answers = rules.iter().fold(answers, |answers, rule| answers.with_rule(rule));
        let credentials = aws_sdk_s3::config::Credentials::new("nobody", "nothing", None, None, "test");
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            .credentials_provider(credentials)
            .http_client(create_mock_http_client())
            .interceptor(answers);
        let mut control = Control::new(&config);
        control.bucket = lambda::Bucket { s3: S3::from_conf(s3.build()), name: "stepstack-arive".to_owned() };
        control
    }

    fn there(lock: &Lock, etag: &'static str) -> Rule {
        let body = serde_json::to_vec(lock).expect("JSON");
        mock!(S3::get_object).then_output(move || {
            GetObjectOutput::builder().e_tag(etag).body(ByteStream::from(body.clone())).build()
        })
    }

    fn absent() -> Rule {
        mock!(S3::get_object).then_error(|| {
            GetObjectError::generic(ErrorMetadata::builder().code("NoSuchKey").message("No").build())
        })
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

    fn run() -> Run {
        let run = Document::example(Operation::Apply, None).run;
        Run { execution: "arn".to_owned(), lock: 4, lock_etag: Some("e1".to_owned()), ..run }
    }

    fn held_by(execution: &str) -> Lock {
        let holder = Holder { execution: execution.to_owned(), ..holder() };
        Lock { generation: 4, holder: Some(holder), stop: None }
    }

    #[tokio::test]
    async fn who_is_too_late_for_the_lock_waits_its_turn() {
        let free = Lock { generation: 3, holder: None, stop: None };
        for code in REFUSALS {
            for over in [None, Some("e1")] {
                let found = || over.map_or_else(absent, |etag| there(&free, etag));
                let (late, theirs) = (put(over, Some(code)), there(&held_by("another"), "e3"));
                let claimed = control(&[&found(), &late, &theirs]).claim("production", holder()).await;
                assert!(
                    matches!(&claimed, Ok(Claim::Busy(other)) if other.execution == "another"),
                    "{code}: {claimed:?}"
                );
                // What refuses the second try of a write whose answer was lost is the first.
                let (late, ours) = (put(over, Some(code)), there(&held_by(&holder().execution), "e3"));
                let claimed = control(&[&found(), &late, &ours]).claim("production", holder()).await;
                assert_eq!(claimed.ok(), Some(Claim::Taken(4, Some("e3".to_owned()))), "{code}");
                // Whoever was faster has given it back already.
                let (late, freed) = (put(over, Some(code)), there(&free, "e3"));
                let claimed = control(&[&found(), &late, &freed]).claim("production", holder()).await;
                assert_eq!(claimed.map_err(|error| error.kind), Err(ErrorKind::Transient), "{code}");
            }
        }
        let (found, taken) = (there(&free, "e1"), put(Some("e1"), None));
        let claimed = control(&[&found, &taken]).claim("production", holder()).await;
        assert_eq!(claimed.ok(), Some(Claim::Taken(4, Some("e2".to_owned()))));
    }

    #[tokio::test]
    async fn a_lock_that_was_written_into_meanwhile_is_read_again_before_it_is_given_back() {
        for code in REFUSALS {
            // A stage told the others to stop: still ours.
            let (late, ours, freed) =
                (put(Some("e1"), Some(code)), there(&held_by("arn"), "e2"), put(Some("e2"), None));
            control(&[&late, &ours, &freed]).release(&run()).await.expect("it is given back");
            assert_eq!(freed.num_calls(), 1, "{code}");
            // Another run has taken it over: not ours to give.
            let (late, theirs) = (put(Some("e1"), Some(code)), there(&held_by("another"), "e2"));
            control(&[&late, &theirs]).release(&run()).await.expect("nothing is left to do");
        }
    }

    #[tokio::test]
    async fn a_write_over_a_lock_that_has_changed_changes_nothing() {
        for code in REFUSALS {
            let late = put(Some("e1"), Some(code));
            let written =
                control(&[&late]).replace("locks/production.json", &held_by("arn"), "e1".to_owned()).await;
            assert_eq!(written.ok(), Some(None), "{code}");
        }
        let denied = put(Some("e1"), Some("AccessDenied"));
        let written =
            control(&[&denied]).replace("locks/production.json", &held_by("arn"), "e1".to_owned()).await;
        assert_eq!(written.map_err(|error| error.kind), Err(ErrorKind::Denied));
    }

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
