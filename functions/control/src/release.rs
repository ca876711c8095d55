//! A release: an image that the services run, under a number.

use std::num::NonZeroU32;

use jiff::Timestamp;
use statemachine::message::{
    Document, Image, Intent, Operation, Outcome, Release, ReleaseRecord, RunResult, Status, Wanted,
};
use statemachine::naming::resource;

use crate::intent::counts_when_done;

/// Whether a deploy or a rollback asks for what is no release yet. Where the services run it, an earlier run was cut
/// off before it could say so, and an apply would take the services back.
pub(crate) fn is_unrecorded(document: &Document) -> bool {
    let is_new = match &document.image {
        Some(Wanted::New(_)) => true,
        Some(Wanted::Released(_)) | None => false,
    };
    counts_when_done(document.run.operation) && is_new
}

/// Puts what the services run into the intent. Answers the record of the release, where that is a new one.
pub(crate) fn note_release(
    intent: &mut Intent,
    document: &Document,
    now: Timestamp,
) -> Option<ReleaseRecord> {
    let (digest, architecture) = running(document)?;
    let known = intent.release.as_ref().filter(|release| release.image.digest == digest);
    match known {
        Some(known) if document.run.operation != Operation::Rollback => {
            let image = Image { architecture, ..known.image.clone() };
            intent.release = Some(Release { image, ..*known });
            None
        }
        Some(_) | None => {
            let number = NonZeroU32::MIN.saturating_add(intent.releases);
            let tag = document.image.as_ref().and_then(|wanted| wanted.image().tag.clone());
            let release = Release { number, image: Image { digest, tag, architecture } };
            intent.releases = number.get();
            intent.release = Some(release.clone());
            Some(record(document, release, now))
        }
    }
}

/// The image that the services run, with its architecture, once they are as described.
fn running(document: &Document) -> Option<(String, Option<String>)> {
    let services = &document.stages.services;
    let is_as_described = match services.status {
        Status::Ready => true,
        Status::Looked => is_unrecorded(document),
        Status::Pending | Status::NotReady | Status::Failed | Status::Stopped => false,
    };
    if !is_as_described || services.outputs.of_kind(resource::kind::SERVICE).next().is_none() {
        return None;
    }
    let image = resource::current_image();
    let attribute = |attribute: &str| services.outputs.attribute(&image, attribute).map(str::to_owned);
    Some((attribute("digest")?, attribute("architecture")))
}

fn record(document: &Document, release: Release, now: Timestamp) -> ReleaseRecord {
    let run = &document.run;
    let services = document.stack.iter().flat_map(|stack| &stack.services);
    let environment = services
        .map(|(name, service)| {
            let laid = document.intent.environment(name, &service.environment, document.config.as_ref());
            (name.clone(), laid)
        })
        .collect();
    let definitions = document.stages.services.outputs.of_kind(resource::kind::TASK_DEFINITION);
    let task_definitions = definitions
        .map(|(name, arn)| {
            let service = name.base().split_once('/').map_or("", |(_, service)| service);
            (service.to_owned(), arn.to_owned())
        })
        .collect();
    ReleaseRecord {
        release,
        run: run.id.clone(),
        operation: run.operation,
        trigger: run.trigger,
        caller: run.caller.clone(),
        at: run.started_at.clone(),
        duration_ms: RunResult::at(now, run, Outcome::Succeeded, String::new()).duration_ms,
        environment,
        task_definitions,
    }
}
