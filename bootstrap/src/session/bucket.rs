//! The lock and the results as the command line writes them, for a run that it ends.

use aws::failed;
use aws_sdk_s3::Client;
use record::keys;
use record::lock::Lock;
use serde::Serialize;
use statemachine::error::Optional as _;
use statemachine::message::RunResult;

use super::Session;
use crate::error::{CliError, Result};

/// How often the lock is read again where somebody else was faster in writing it.
const TRIES: u32 = 5;

/// Where an environment's lock and record are.
pub(crate) struct Bucket<'a> {
    s3: &'a Client,
    name: String,
    environment: &'a str,
}

impl Session {
    /// For what the command line writes into the provisioner's bucket itself.
    pub(crate) fn bucket(&self) -> Bucket<'_> {
        Bucket { s3: &self.s3, name: self.scope.bucket(), environment: &self.environment }
    }
}

impl Bucket<'_> {
    /// The lock with its ETag; `None` where nobody ever took it.
    async fn lock(&self) -> Result<Option<(Lock, String)>> {
        let get = self.s3.get_object().bucket(&self.name).key(keys::lock(self.environment)).send().await;
        let Some(object) = get.map_err(failed("s3:GetObject")).optional()? else { return Ok(None) };
        let etag = object.e_tag().unwrap_or_default().to_owned();
        let bytes = object.body.collect().await;
        let bytes =
            bytes.map_err(|error| CliError::failed(format!("Reading the lock broke off: {error}")))?;
        let lock = serde_json::from_slice(&bytes.into_bytes());
        let lock = lock.map_err(|error| CliError::failed(format!("The lock cannot be read: {error}.")))?;
        Ok(Some((lock, etag)))
    }

    /// Whether the execution holds it.
    pub(crate) async fn holds(&self, execution: &str) -> Result<bool> {
        Ok(self.lock().await?.is_some_and(|(lock, _)| is_held_by(&lock, execution)))
    }

    /// Tells the holder of the lock to stop; `false` where the execution does not hold it.
    pub(crate) async fn stop(&self, execution: &str, why: &str) -> Result<bool> {
        for _ in 0..TRIES {
            let Some((lock, etag)) = self.lock().await? else { return Ok(false) };
            if !is_held_by(&lock, execution) {
                return Ok(false);
            }
            let body = json(&Lock { stop: Some(why.to_owned()), ..lock })?;
            let put = self.s3.put_object().bucket(&self.name).key(keys::lock(self.environment));
            match put.if_match(etag).body(body.into()).send().await.map_err(failed("s3:PutObject")) {
                Ok(_) => return Ok(true),
                Err(error) if is_lost_race(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(CliError::failed("The lock changes all the time.").help("Run the command again."))
    }

    /// Writes a run's result. `false`: it has written one itself, and that is the true one.
    pub(crate) async fn put_result(&self, run: &str, result: &RunResult) -> Result<bool> {
        let key = keys::of_run(self.environment, run, "result.json");
        let put = self.s3.put_object().bucket(&self.name).key(key).if_none_match("*");
        match put.body(json(result)?.into()).send().await.map_err(failed("s3:PutObject")) {
            Ok(_) => Ok(true),
            Err(error) if is_lost_race(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_held_by(lock: &Lock, execution: &str) -> bool {
    lock.holder.as_ref().is_some_and(|holder| holder.execution == execution)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| CliError::failed(error.to_string()))
}

/// 412 and 409: somebody else was faster.
fn is_lost_race(error: &statemachine::Error) -> bool {
    matches!(error.code.as_deref(), Some("PreconditionFailed" | "ConditionalRequestConflict"))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_sdk_s3::error::ErrorMetadata;
    use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
    use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
    use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode, create_mock_http_client, mock};
    use record::lock::Holder;
    use statemachine::message::Outcome;

    use super::*;

    const RUN: &str = "20261123-101500-abcd";
    const WHY: &str = "cancelled by arn:aws:iam::123456789012:user/ada";

    fn lock(execution: &str) -> Lock {
        let holder = Holder {
            run: RUN.to_owned(),
            execution: execution.to_owned(),
            operation: "apply".to_owned(),
            since: "2026-11-23T10:15:00Z".to_owned(),
        };
        Lock { generation: 7, holder: Some(holder), ..Lock::default() }
    }

    /// The lock as it is read, with this ETag.
    fn read(lock: &Lock, etag: &'static str) -> Rule {
        let body = serde_json::to_vec(lock).expect("it is JSON");
        mock!(Client::get_object)
            .match_requests(|request| request.key() == Some("locks/production.json"))
            .then_output(move || {
                let body = body.clone();
                GetObjectOutput::builder().e_tag(etag).body(body.into()).build()
            })
    }

    /// A write over the lock with this ETag that somebody was faster than.
    fn lost(etag: &'static str, code: &'static str) -> Rule {
        mock!(Client::put_object).match_requests(move |request| request.if_match() == Some(etag)).then_error(
            move || PutObjectError::generic(ErrorMetadata::builder().code(code).message("faster").build()),
        )
    }

    fn denied() -> Rule {
        mock!(Client::get_object)
            .then_error(|| GetObjectError::generic(ErrorMetadata::builder().code("AccessDenied").build()))
    }

    /// A client that takes exactly these calls, in this order.
    fn s3(rules: &[&Rule]) -> Client {
        let credentials =
            SharedCredentialsProvider::new(Credentials::new("nobody", "no", None, None, "test"));
        let config = aws::config("us-east-1", Some("http://127.0.0.1:1"), credentials);
        let answers = MockResponseInterceptor::new().rule_mode(RuleMode::Sequential);
        let answers = rules.iter().fold(answers, |answers, rule| answers.with_rule(rule));
        let config = aws_sdk_s3::config::Builder::from(&config)
            .http_client(create_mock_http_client())
            .interceptor(answers);
        Client::from_conf(config.build())
    }

    async fn stop(rules: &[&Rule], execution: &str) -> Result<bool> {
        let s3 = s3(rules);
        let bucket = Bucket { s3: &s3, name: "stepstack-arive".to_owned(), environment: "production" };
        bucket.stop(execution, WHY).await
    }

    #[tokio::test]
    async fn the_holder_is_told_to_stop_over_the_lock_as_it_was_read_and_once_more_when_it_changed() {
        let (first, second, third) =
            (read(&lock("mine"), "\"1\""), read(&lock("mine"), "\"2\""), read(&lock("mine"), "\"3\""));
        let (precondition, conflict) =
            (lost("\"1\"", "PreconditionFailed"), lost("\"2\"", "ConditionalRequestConflict"));
        let put = mock!(Client::put_object)
            .match_requests(|request| {
                request.if_match() == Some("\"3\"")
                    && request.body().bytes().is_some_and(|bytes| {
                        let told: Lock = serde_json::from_slice(bytes).expect("a lock");
                        told == Lock { stop: Some(WHY.to_owned()), ..lock("mine") }
                    })
            })
            .then_output(|| PutObjectOutput::builder().build());
        let rules = [&first, &precondition, &second, &conflict, &third, &put];
        assert!(stop(&rules, "mine").await.expect("it is told"));
        assert_eq!(put.num_calls(), 1);
    }

    #[tokio::test]
    async fn a_lock_that_another_holds_or_nobody_is_left_alone() {
        let others = read(&lock("theirs"), "\"1\"");
        assert!(!stop(&[&others], "mine").await.expect("it is read"));
        let free = read(&Lock { holder: None, ..lock("mine") }, "\"1\"");
        assert!(!stop(&[&free], "mine").await.expect("it is read"));
        let none = mock!(Client::get_object)
            .then_error(|| GetObjectError::generic(ErrorMetadata::builder().code("NoSuchKey").build()));
        assert!(!stop(&[&none], "mine").await.expect("there is none"));
    }

    #[tokio::test]
    async fn a_lock_that_cannot_be_read_is_no_lock_that_nobody_holds() {
        // Else the execution would be stopped in the middle of its writes.
        let error = stop(&[&denied()], "mine").await.expect_err("it is not read");
        assert!(error.message.contains("GetObject"), "{}", error.message);
    }

    #[tokio::test]
    async fn a_lock_that_always_changes_ends_after_some_tries() {
        let reads: Vec<Rule> = (0..TRIES).map(|_| read(&lock("mine"), "\"1\"")).collect();
        let puts: Vec<Rule> = (0..TRIES).map(|_| lost("\"1\"", "PreconditionFailed")).collect();
        let rules: Vec<&Rule> = reads.iter().zip(&puts).flat_map(|(read, put)| [read, put]).collect();
        let error = stop(&rules, "mine").await.expect_err("it gives up");
        assert_eq!(error.message, "The lock changes all the time.");
    }

    #[tokio::test]
    async fn a_result_that_the_run_wrote_itself_stays() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&written);
        let first = mock!(Client::put_object)
            .match_requests(move |request| {
                seen.lock().expect("no panic").push(request.key().unwrap_or_default().to_owned());
                request.if_none_match() == Some("*")
            })
            .then_output(|| PutObjectOutput::builder().build());
        let second = mock!(Client::put_object).then_error(|| {
            PutObjectError::generic(ErrorMetadata::builder().code("PreconditionFailed").build())
        });
        let s3 = s3(&[&first, &second]);
        let bucket = Bucket { s3: &s3, name: "stepstack-arive".to_owned(), environment: "production" };
        let run = statemachine::message::Document::example(statemachine::message::Operation::Apply, None).run;
        let result = RunResult::without_plan(&run, Outcome::Stopped, "The run was cancelled.".to_owned());
        assert!(bucket.put_result(RUN, &result).await.expect("it is written"));
        assert!(!bucket.put_result(RUN, &result).await.expect("it is left"));
        assert_eq!(written.lock().expect("no panic")[0], format!("runs/production/{RUN}/result.json"));
    }
}
