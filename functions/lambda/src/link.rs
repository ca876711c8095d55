//! A tick's tie to its run: the lock and the stage's notes.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use record::{Bucket, Lock, Notes, Object};
use statemachine::message::Run;
use statemachine::resource::Name;
use statemachine::tick::{Hold, Link};
use statemachine::{Error, ErrorKind, Result, Stage};

/// A tick's tie to its run.
pub(crate) struct RunLink<'a> {
    execution: &'a str,
    lock: Object<Lock>,
    notes: Object<Notes>,
    /// The stage's notes as this tick last saw or wrote them.
    seen: Mutex<Option<Seen>>,
}

#[derive(Clone, Default)]
struct Seen {
    notes: Notes,
    /// None where there is no such object.
    etag: Option<String>,
}

impl<'a> RunLink<'a> {
    pub(crate) fn new(bucket: &Bucket, run: &'a Run, stage: Stage) -> Self {
        Self {
            execution: &run.execution,
            lock: bucket.record(&run.environment).lock(),
            notes: bucket.run(run).notes(stage),
            seen: Mutex::new(None),
        }
    }

    /// Whether this is the first call of the stage in its run that may write: of two with the same event, one. It
    /// notes what it is about to create.
    pub(crate) async fn is_first(&self, creates: &BTreeSet<Name>, now_ms: u64) -> Result<bool> {
        let notes = creates.iter().map(|name| (name.clone(), now_ms)).collect();
        match self.put_notes(Seen { notes, etag: None }).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotReady => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes the notes, if nobody has written them since this tick saw them; otherwise the error is `NotReady`.
    async fn put_notes(&self, seen: Seen) -> Result<()> {
        let Some(etag) = self.notes.put_over(&seen.notes, seen.etag.as_deref()).await? else {
            return Err(Error::not_ready("another call of this function is at work on it"));
        };
        self.see(Seen { etag: Some(etag), ..seen });
        Ok(())
    }

    fn seen(&self) -> Option<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn see(&self, seen: Seen) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }
}

impl Link for RunLink<'_> {
    fn hold(&self) -> BoxFuture<'_, Result<Hold>> {
        Box::pin(async move {
            let lock = self.lock.get().await?;
            let held = lock.map_or(Err("there is no lock".to_owned()), |lock| lock.held_by(self.execution));
            Ok(held.map_or_else(Hold::Stop, |()| Hold::Yes))
        })
    }

    fn notes(&self) -> BoxFuture<'_, Result<Notes>> {
        Box::pin(async move {
            if let Some(known) = self.seen() {
                return Ok(known.notes);
            }
            let found = self.notes.get_with_etag().await?;
            let seen = found.map(|(notes, etag)| Seen { notes, etag: Some(etag) }).unwrap_or_default();
            self.see(seen.clone());
            Ok(seen.notes)
        })
    }

    fn note(&self, notes: Notes) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let etag = self.seen().and_then(|known| known.etag);
            self.put_notes(Seen { notes, etag }).await
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use aws_credential_types::Credentials;
    use aws_sdk_s3::Client;
    use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
    use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode, create_mock_http_client, mock};
    use statemachine::message::{Document, Operation};

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
        let link = RunLink::new(&bucket, &run, Stage::Network);
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
            let link = RunLink::new(&bucket, &run, Stage::Network);
            assert!(!link.is_first(&BTreeSet::from([name()]), 7).await.expect("S3 answers"), "{code}");
        }
    }

    #[tokio::test]
    async fn notes_that_somebody_else_has_written_meanwhile_are_not_overwritten() {
        for code in REFUSALS {
            let (first, second) = (taken(None, "e1"), refused(Some("e1"), code));
            let (bucket, run) = (bucket(&[&first, &second]), run());
            let link = RunLink::new(&bucket, &run, Stage::Network);
            link.is_first(&BTreeSet::new(), 7).await.expect("S3 answers");
            let noted = link.note(BTreeMap::from([(name(), 8)])).await;
            assert_eq!(noted.map_err(|error| error.kind), Err(ErrorKind::NotReady), "{code}");
        }
    }
}
