//! The provisioner's bucket as a function uses it: reports, notes and the lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use aws::failed;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use statemachine::error::Optional as _;
use statemachine::lock::Lock;
use statemachine::message::{Document, Mode, Run, StageReport, keys};
use statemachine::resource::Name;
use statemachine::tick::{Hold, Link};
use statemachine::{Error, ErrorKind, Result};

/// The provisioner's bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The client.
    pub s3: Client,
    /// `stepstack-{app}-{account}-{region}`
    pub name: String,
}

/// Reads an object as JSON, with its ETag; `None` when there is none.
pub async fn get_json<T: DeserializeOwned>(bucket: &Bucket, key: &str) -> Result<Option<(T, String)>> {
    let answer =
        bucket.s3.get_object().bucket(&bucket.name).key(key).send().await.map_err(failed("s3:GetObject"));
    let Some(object) = answer.optional()? else { return Ok(None) };
    let etag = object.e_tag().unwrap_or_default().to_owned();
    let bytes = object
        .body
        .collect()
        .await
        .map_err(|error| Error::not_ready(format!("reading {key} broke off: {error}")))?;
    let value = serde_json::from_slice(&bytes.into_bytes()).map_err(|error| {
        Error::internal(format!("{key} in the provisioner's bucket cannot be read: {error}"))
    })?;
    Ok(Some((value, etag)))
}

/// Writes an object as JSON.
pub async fn put_json<T: Serialize>(bucket: &Bucket, key: &str, value: &T) -> Result<()> {
    let body = serde_json::to_vec(value)
        .map_err(|error| Error::internal(format!("{key} does not serialize: {error}")))?;
    let put = bucket.s3.put_object().bucket(&bucket.name).key(key).content_type("application/json");
    put.body(ByteStream::from(body)).send().await.map_err(failed("s3:PutObject"))?;
    Ok(())
}

/// Writes an object as JSON where it is still as `etag` says: the one with this ETag, or none at all. Answers the new
/// ETag; `None` when somebody else was faster (S3's 412 and 409).
pub async fn put_json_over<T: Serialize>(
    bucket: &Bucket,
    key: &str,
    value: &T,
    etag: Option<String>,
) -> Result<Option<String>> {
    let body = serde_json::to_vec(value)
        .map_err(|error| Error::internal(format!("{key} does not serialize: {error}")))?;
    let put = bucket.s3.put_object().bucket(&bucket.name).key(key).body(ByteStream::from(body));
    let put = match etag {
        Some(etag) => put.if_match(etag),
        None => put.if_none_match("*"),
    };
    match put.send().await.map_err(failed("s3:PutObject")) {
        Ok(put) => Ok(Some(put.e_tag().unwrap_or_default().to_owned())),
        Err(error)
            if matches!(error.code.as_deref(), Some("PreconditionFailed" | "ConditionalRequestConflict")) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The last report of a stage's making or removing, from the document or the record; `None` when it did neither.
pub async fn work_report(bucket: &Bucket, document: &Document, stage: &str) -> Result<Option<StageReport>> {
    let slot = document.stages.get(stage);
    if let Some(report) = slot.and_then(|slot| slot.work()) {
        return Ok(Some(report.clone()));
    }
    // Only a destroy looks again after it has written.
    if slot.is_some_and(|slot| slot.mode == Some(Mode::Plan)) && document.looks <= 1 {
        return Ok(None);
    }
    let key = keys::report(&document.run.environment, &document.run.id, stage);
    Ok(get_json(bucket, &key).await?.map(|(report, _)| report))
}

/// Tells the other stages of a run to stop at their next wave of writes: one of them failed. If the lock is
/// no longer the run's, or changes while this is written, there is nobody to tell.
pub(crate) async fn stop_siblings(bucket: &Bucket, run: &Run, stage: &str) -> Result<()> {
    let key = keys::lock(&run.environment);
    let Some((lock, etag)) = get_json::<Lock>(bucket, &key).await? else { return Ok(()) };
    if lock.held_by(&run.execution).is_err() {
        return Ok(());
    }
    let stopped = Lock { stop: Some(format!("the stage {stage} failed")), ..lock };
    put_json_over(bucket, &key, &stopped, Some(etag)).await?;
    Ok(())
}

/// A tick's tie to its run.
pub(crate) struct RunLink<'a> {
    bucket: &'a Bucket,
    run: &'a Run,
    stage: &'a str,
    /// The stage's notes as this tick last saw or wrote them.
    notes: Mutex<Option<Notes>>,
}

#[derive(Clone, Default)]
struct Notes {
    names: BTreeMap<Name, u64>,
    /// None where there is no such object.
    etag: Option<String>,
}

impl<'a> RunLink<'a> {
    pub(crate) fn new(bucket: &'a Bucket, run: &'a Run, stage: &'a str) -> Self {
        Self { bucket, run, stage, notes: Mutex::new(None) }
    }

    /// Whether this is the first call of the stage in its run that may write: of two with the same event, one. It
    /// notes what it is about to create.
    pub(crate) async fn is_first(&self, creates: &BTreeSet<Name>, now_ms: u64) -> Result<bool> {
        let names = creates.iter().map(|name| (name.clone(), now_ms)).collect();
        match self.put_notes(Notes { names, etag: None }).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotReady => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes the notes, if nobody has written them since this tick saw them; otherwise the error is `NotReady`.
    async fn put_notes(&self, notes: Notes) -> Result<()> {
        let key = keys::notes(&self.run.environment, &self.run.id, self.stage);
        let Some(etag) = put_json_over(self.bucket, &key, &notes.names, notes.etag.clone()).await? else {
            return Err(Error::not_ready("another call of this function is at work on it"));
        };
        self.see(Notes { etag: Some(etag), ..notes });
        Ok(())
    }

    fn seen(&self) -> Option<Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn see(&self, notes: Notes) {
        *self.notes.lock().unwrap_or_else(PoisonError::into_inner) = Some(notes);
    }
}

impl Link for RunLink<'_> {
    fn hold(&self) -> BoxFuture<'_, Result<Hold>> {
        Box::pin(async move {
            let lock: Option<(Lock, String)> =
                get_json(self.bucket, &keys::lock(&self.run.environment)).await?;
            let held = lock
                .map_or(Err("there is no lock".to_owned()), |(lock, _)| lock.held_by(&self.run.execution));
            Ok(held.map_or_else(Hold::Stop, |()| Hold::Yes))
        })
    }

    fn notes(&self) -> BoxFuture<'_, Result<BTreeMap<Name, u64>>> {
        Box::pin(async move {
            if let Some(known) = self.seen() {
                return Ok(known.names);
            }
            let key = keys::notes(&self.run.environment, &self.run.id, self.stage);
            let found = get_json(self.bucket, &key).await?;
            let notes = found.map(|(names, etag)| Notes { names, etag: Some(etag) }).unwrap_or_default();
            self.see(notes.clone());
            Ok(notes.names)
        })
    }

    fn note(&self, notes: BTreeMap<Name, u64>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let etag = self.seen().and_then(|known| known.etag);
            self.put_notes(Notes { names: notes, etag }).await
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
    use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode, create_mock_http_client, mock};
    use statemachine::message::Operation;

    use super::*;

    const REFUSALS: [&str; 2] = ["PreconditionFailed", "ConditionalRequestConflict"];

    fn name() -> Name {
        Name::new("vpc", "main")
    }

    fn run() -> Run {
        Document::example(Operation::Apply, None).run
    }

    /// A bucket that takes exactly these calls, in this order.
    fn bucket(rules: &[&Rule]) -> Bucket {
        let credentials = Credentials::new("nobody", "nothing", None, None, "test");
        let provider = aws_credential_types::provider::SharedCredentialsProvider::new(credentials);
        let config = aws::config("us-east-1", Some("http://127.0.0.1:1"), provider);
        let answers = rules
            .iter()
            .fold(MockResponseInterceptor::new().rule_mode(RuleMode::Sequential), |answers, rule| {
                answers.with_rule(rule)
            });
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            .http_client(create_mock_http_client())
            .interceptor(answers);
        let s3 = Client::from_conf(s3.build());
        Bucket { s3, name: "stepstack-arive".to_owned() }
    }

    /// A write of the notes, where they are as `etag` says: none for "there are none".
    fn put(
        etag: Option<&'static str>,
    ) -> aws_smithy_mocks::RuleBuilder<
        aws_sdk_s3::operation::put_object::PutObjectInput,
        PutObjectOutput,
        PutObjectError,
    > {
        mock!(Client::put_object).match_requests(move |request| {
            let none_match = etag.is_none().then_some("*");
            request.key() == Some("runs/production/20261123-101500-abcd/notes/network.json")
                && (request.if_match(), request.if_none_match()) == (etag, none_match)
        })
    }

    fn taken(etag: Option<&'static str>, becomes: &'static str) -> Rule {
        put(etag).then_output(move || PutObjectOutput::builder().e_tag(becomes).build())
    }

    fn refused(etag: Option<&'static str>, code: &'static str) -> Rule {
        let error = move || {
            let meta = aws_sdk_s3::error::ErrorMetadata::builder().code(code).message("No").build();
            PutObjectError::generic(meta)
        };
        put(etag).then_error(error)
    }

    #[tokio::test]
    async fn the_first_call_notes_what_it_creates_and_goes_on_from_there_without_reading() {
        let (first, second) = (taken(None, "e1"), taken(Some("e1"), "e2"));
        let (bucket, run) = (bucket(&[&first, &second]), run());
        let link = RunLink::new(&bucket, &run, "network");
        assert!(link.is_first(&BTreeSet::from([name()]), 7).await.expect("S3 answers"));
        let mut notes = link.notes().await.expect("they are known");
        assert_eq!(notes, BTreeMap::from([(name(), 7)]));
        notes.insert(Name::new("subnet", "public-a"), 8);
        link.note(notes).await.expect("nobody else has written");
        assert_eq!(second.num_calls(), 1);
    }

    #[tokio::test]
    async fn a_second_call_with_the_same_event_is_not_the_first() {
        for code in REFUSALS {
            let first = refused(None, code);
            let (bucket, run) = (bucket(&[&first]), run());
            let link = RunLink::new(&bucket, &run, "network");
            assert!(!link.is_first(&BTreeSet::from([name()]), 7).await.expect("S3 answers"), "{code}");
        }
    }

    #[tokio::test]
    async fn notes_that_somebody_else_has_written_meanwhile_are_not_overwritten() {
        for code in REFUSALS {
            let (first, second) = (taken(None, "e1"), refused(Some("e1"), code));
            let (bucket, run) = (bucket(&[&first, &second]), run());
            let link = RunLink::new(&bucket, &run, "network");
            link.is_first(&BTreeSet::new(), 7).await.expect("S3 answers");
            let noted = link.note(BTreeMap::from([(name(), 8)])).await;
            assert_eq!(noted.map_err(|error| error.kind), Err(ErrorKind::NotReady), "{code}");
        }
    }

    #[tokio::test]
    async fn a_report_that_travels_is_not_fetched_and_a_look_has_none() {
        let bucket = bucket(&[]);
        let mut document = Document::example(Operation::Apply, None);
        document.stages.network.mode = Some(Mode::Plan);
        assert_eq!(work_report(&bucket, &document, "network").await.expect("no call"), None);

        let mut report = StageReport::of_quiet("network", &document.stages.network);
        report.mode = Mode::Make;
        document.stages.network.report = Some(Box::new(report.clone()));
        assert_eq!(work_report(&bucket, &document, "network").await.expect("no call"), Some(report));
    }
}
