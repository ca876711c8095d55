//! The begin of a run: what is asked for is read and checked, the lock taken, the record started.

use aws::failed;
use jiff::Timestamp;
use record::Holder;
use record::lock::Claim;
use serde_json::Value;
use sha2::{Digest, Sha256};
use statemachine::Result;
use statemachine::config::{Stack, parse};
use statemachine::error::Optional as _;
use statemachine::message::{
    Document, Intent, Next, Operation, Outcome, Run, RunRecord, RunResult, Trigger, Verdict, Wanted,
};
use statemachine::resource::{DataPolicy, hex};

use crate::Control;
use crate::ask::{Ask, NotAsked, Source, ask};
use crate::join::fingerprint;
use crate::overlay::Laying;

/// How often a run that waits for its turn asks for the lock.
const ASK_AGAIN_S: u32 = 2;

impl Control {
    /// The first step. Its answer is the whole document, with every slot in it.
    pub(crate) async fn begin(
        &self,
        input: Value,
        execution: String,
        name: &str,
        started_at: &str,
    ) -> Result<Document> {
        let id = run_id(name, started_at);
        let ask = match ask(input, &self.scope.app, &self.bucket.name) {
            Ok(ask) => ask,
            Err(NotAsked { environment, trigger, reason }) => {
                let ask = Ask::new(trigger, environment, Operation::Apply);
                let run = self.run(id, execution, started_at, &ask);
                return self.end_early(run, Outcome::Refused, reason).await;
            }
        };
        let mut run = self.run(id, execution, started_at, &ask);
        // A bad configuration is refused before anything waits for it.
        let given = match &ask.source {
            Some(source) => match self.configuration(&ask, source).await? {
                Ok(found) => Some(found),
                Err(reason) => return self.end_early(run, Outcome::Refused, reason).await,
            },
            None => None,
        };
        if !ask.operation.only_looks() {
            let lock = self.bucket.record(&ask.environment).lock();
            match lock.claim(&holder(&run), |execution| self.holder_state(execution)).await? {
                Claim::Taken { generation, etag, held_ms } => {
                    (run.lock, run.lock_ms, run.lock_etag) = (generation, held_ms, Some(etag));
                }
                Claim::Busy(other) => return self.wait_for(Document::new(run, None), &ask, other).await,
            }
        }
        let before = self.bucket.record(&ask.environment).intent().get().await?.unwrap_or_default();
        if let Some((outcome, reason)) = self.overtaken(&ask, &before).await? {
            return self.end_early(run, outcome, reason).await;
        }
        let (stack, text) = match given {
            Some(given) => given,
            None => match self.accepted(&ask, &before).await? {
                Ok(found) => found,
                Err(reason) => return self.end_early(run, Outcome::Refused, reason).await,
            },
        };
        let mut document = Document::new(run.clone(), stack);
        document.config = (!text.is_empty()).then(|| fingerprint(&text));
        document.known_hosts.clone_from(&before.hosts);
        document.known_buckets.clone_from(&before.buckets);
        document.intent = before.clone();
        document.image = before.release.clone().map(Wanted::Released);
        if let Some(stack) = &document.stack {
            document.intent.settle(stack, document.config.as_ref());
        }
        match self.lay_over(&mut document).await? {
            Laying::Done => {}
            // Noted for later: the intent says so, and nothing else is to do.
            Laying::Noted(reason) => {
                self.bucket.record(&ask.environment).intent().put(&document.intent).await?;
                return self.end_early(run, Outcome::Noted, reason).await;
            }
            Laying::Refused(reason) => return self.end_early(run, Outcome::Refused, reason).await,
            Laying::Nothing(reason) => return self.end_early(run, Outcome::NoChanges, reason).await,
        }
        document.before = (document.intent != before).then(|| Box::new(before));
        let own = self.bucket.run(&run).configuration();
        if !text.is_empty() && ask.source.as_ref().is_none_or(|source| source.key != own.key()) {
            own.put_text(text).await?;
        }
        self.put_request(&run, None).await?;
        Ok(document)
    }

    fn run(&self, id: String, execution: String, started_at: &str, ask: &Ask) -> Run {
        let mut options = ask.options.clone();
        // A destroy may take what its final snapshot keeps, and a kept cluster leaves one.
        let takes_what_is_kept = ask.operation.removes_all() && options.data == DataPolicy::Refuse;
        if takes_what_is_kept || ask.operation == Operation::SnapshotForget {
            options.data = DataPolicy::Snapshot;
        }
        Run {
            id,
            execution,
            app: self.scope.app.clone(),
            environment: ask.environment.clone(),
            operation: ask.operation,
            trigger: ask.trigger,
            caller: ask.caller.clone(),
            started_at: started_at.to_owned(),
            plan: ask.plan.clone(),
            options,
            parameters: ask.parameters.clone(),
            config_key: ask.source.as_ref().map(|source| source.key.clone()),
            lock: 0,
            lock_ms: 0,
            lock_etag: None,
        }
    }

    /// The configuration that was accepted last, for an operation that is laid over it.
    async fn accepted(&self, ask: &Ask, intent: &Intent) -> Result<Read> {
        let name = format!("{}/{}", self.scope.app, ask.environment);
        let Some(run) = &intent.run else {
            return Ok(Err(match ask.trigger {
                Trigger::ImagePush => format!("An image was pushed, but {name} has no configuration yet."),
                Trigger::Cli | Trigger::ConfigUpload | Trigger::Schedule => {
                    format!("{name} does not exist: it was never applied, or it was destroyed.")
                }
            }));
        };
        let key = self.bucket.record(&ask.environment).run(run).configuration().key().to_owned();
        self.configuration(ask, &Source { key, version: None }).await
    }

    /// The configuration, checked, with its text. The inner error is for a person: nothing was changed.
    async fn configuration(&self, ask: &Ask, source: &Source) -> Result<Read> {
        if ask.operation.removes_all() {
            return Ok(Ok((None, String::new())));
        }
        let object = self.bucket.configuration(&source.key);
        let Some(bytes) = object.bytes(source.version.as_deref()).await? else {
            return Ok(Err(format!("There is no configuration at {}.", source.key)));
        };
        let file = source.key.rsplit('/').next().unwrap_or("configuration");
        let stack = match parse(&bytes, file) {
            Ok(stack) => stack,
            Err(errors) => return Ok(Err(errors.to_string())),
        };
        if stack.app != self.scope.app || stack.environment != ask.environment {
            return Ok(Err(format!(
                "The file is for {}/{}, and it was put in the place of {}/{}.",
                stack.app, stack.environment, self.scope.app, ask.environment
            )));
        }
        if let Some(region) = stack.region.as_ref().filter(|region| **region != self.scope.region) {
            return Ok(Err(format!(
                "The file asks for {region}, and this engine runs in {}.",
                self.scope.region
            )));
        }
        if let Some(tag) = ask.parameters.tag.as_ref().filter(|_| ask.trigger == Trigger::ImagePush)
            && !stack.image.deploy_on_push.contains(tag)
        {
            return Ok(Err(format!(
                "The tag {tag:?} is not one of those that a push deploys: {}.",
                stack.image.deploy_on_push.join(", ")
            )));
        }
        Ok(Ok((Some(stack), String::from_utf8_lossy(&bytes).into_owned())))
    }

    /// A trigger that something newer, or something already done, has made pointless.
    async fn overtaken(&self, ask: &Ask, intent: &Intent) -> Result<Option<(Outcome, String)>> {
        match (ask.trigger, &ask.source, &ask.parameters.image) {
            (Trigger::ConfigUpload, Some(Source { key, version: Some(version) }), _) => {
                let current = self.bucket.configuration(key).version().await?;
                Ok((current.as_ref() != Some(version))
                    .then(|| (Outcome::Superseded, "A newer configuration was uploaded.".to_owned())))
            }
            (Trigger::ImagePush, _, Some(image)) => {
                if intent.release.as_ref().is_some_and(|release| release.image.digest == *image) {
                    return Ok(Some((Outcome::NoChanges, "This image is already deployed.".to_owned())));
                }
                let Some(tag) = &ask.parameters.tag else { return Ok(None) };
                let current = self.digest_of(&ask.environment, tag).await?;
                Ok(current.filter(|current| current != image).map(|current| {
                    (Outcome::Superseded, format!("A newer image was pushed as {tag}: {current}."))
                }))
            }
            (Trigger::Cli | Trigger::ConfigUpload | Trigger::ImagePush | Trigger::Schedule, _, _) => Ok(None),
        }
    }

    async fn digest_of(&self, environment: &str, tag: &str) -> Result<Option<String>> {
        let image = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag(tag).build();
        let repository = format!("{}/{environment}", self.scope.app);
        let answer = self.ecr.describe_images().repository_name(repository).image_ids(image).send().await;
        let answer = answer.map_err(failed("ecr:DescribeImages")).optional()?;
        Ok(answer.and_then(|answer| {
            answer.image_details().first().and_then(|image| image.image_digest()).map(str::to_owned)
        }))
    }

    /// Another run holds the lock. A trigger during a destroy is refused; anything else waits its turn, and
    /// says for whom.
    async fn wait_for(&self, mut document: Document, ask: &Ask, other: Holder) -> Result<Document> {
        if other.operation == "destroy" && ask.trigger != Trigger::Cli {
            let reason = format!("The environment is being destroyed by run {}.", other.run);
            return self.end_early(document.run, Outcome::Refused, reason).await;
        }
        if !ask.waits {
            let reason = format!(
                "Run {} ({}) is at work on {}/{} since {}. Nothing was changed. See it with `stepstack attach {}`, or say --wait.",
                other.run, other.operation, self.scope.app, ask.environment, other.since, other.run
            );
            return self.end_early(document.run, Outcome::Blocked, reason).await;
        }
        let known = self.bucket.run(&document.run).request().get().await?;
        if known.is_none_or(|known| known.waits_for.as_deref() != Some(&other.run)) {
            self.put_request(&document.run, Some(other.run.clone())).await?;
        }
        document.verdict = Verdict {
            next: Next::Wait,
            retry_after_s: ASK_AGAIN_S,
            message: format!("Waiting for run {} ({}) to end.", other.run, other.operation),
        };
        Ok(document)
    }

    /// Ends a run before it looked at anything. A trigger never ends in silence.
    async fn end_early(&self, run: Run, outcome: Outcome, message: String) -> Result<Document> {
        self.put_request(&run, None).await?;
        let result = RunResult::without_plan(&run, outcome, message);
        self.end(Document::new(run, None), result).await
    }

    async fn put_request(&self, run: &Run, waits_for: Option<String>) -> Result<()> {
        let record = RunRecord { run: run.clone(), waits_for };
        self.bucket.run(run).request().put(&record).await
    }
}

/// A configuration with its text, or why there is none to work from.
type Read = std::result::Result<(Option<Stack>, String), String>;

fn holder(run: &Run) -> Holder {
    Holder {
        run: run.id.clone(),
        execution: run.execution.clone(),
        operation: run.operation.name().to_owned(),
        since: Timestamp::now().to_string(),
    }
}

/// `YYYYMMDD-HHMMSS-xxxx`: the execution's name where it is one already (the command line chooses such
/// names), else from its start and a hash of its name (EventBridge chooses names of its own).
pub(crate) fn run_id(name: &str, started_at: &str) -> String {
    if is_run_id(name) {
        return name.to_owned();
    }
    let started = started_at.parse::<Timestamp>().unwrap_or_default();
    let hash = hex(&Sha256::digest(name));
    format!("{}-{}", started.strftime("%Y%m%d-%H%M%S"), &hash[..4])
}

fn is_run_id(name: &str) -> bool {
    let shape = "dddddddd-dddddd-xxxx";
    name.len() == shape.len()
        && name.bytes().zip(shape.bytes()).all(|(byte, shape)| match shape {
            b'd' => byte.is_ascii_digit(),
            b'x' => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            other => byte == other,
        })
}

#[cfg(test)]
mod tests {
    use super::run_id;

    #[test]
    fn a_run_id_is_the_executions_name_or_made_of_its_start() {
        assert_eq!(run_id("20261123-101500-00af", "2026-11-23T10:15:03.1Z"), "20261123-101500-00af");
        let made = run_id("4b8f1c1e_ab12-long-name-of-eventbridge", "2026-11-23T10:15:03.123Z");
        assert!(made.starts_with("20261123-101503-"), "{made}");
        assert_eq!(made.len(), 20);
    }
}
