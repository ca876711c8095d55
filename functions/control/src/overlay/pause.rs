//! A pause, its end, and what cannot be done meanwhile.

use statemachine::message::{By, Document, Image, Operation, Trigger, Wanted};

use super::{NotLaid, refused};

/// What cannot be done while the environment is paused. A push is noted: a resume deploys it.
pub(super) fn check(document: &mut Document) -> Result<(), NotLaid> {
    let Some(paused) = &document.intent.paused else { return Ok(()) };
    let run = &document.run;
    match (run.operation, run.trigger, &run.parameters.image) {
        (Operation::Deploy, Trigger::ImagePush, Some(digest)) => {
            let (digest, tag) = (digest.clone(), run.parameters.tag.clone());
            let reason = format!(
                "The environment is paused ({}). `stepstack resume` deploys {digest}.",
                paused.words()
            );
            document.intent.pushed = Some(Image { digest, tag, architecture: None });
            Err(NotLaid::Noted(reason))
        }
        (operation, _, _) if operation.facts().while_paused => Ok(()),
        (operation, _, _) => Err(refused(format!(
            "The environment is paused ({}), so there is nothing to {}. Start it again with `stepstack resume`.",
            paused.words(),
            operation.name()
        ))),
    }
}

/// The schedule that stops a cluster again comes back here, day by day: the first pause stays the one.
pub(super) fn pause(document: &mut Document, by: By) {
    document.intent.paused.get_or_insert(by);
}

pub(super) fn resume(document: &mut Document) -> Result<(), NotLaid> {
    if document.intent.paused.take().is_none() {
        return Err(NotLaid::SoAlready("The environment is not paused.".to_owned()));
    }
    if let Some(pushed) = document.intent.pushed.take() {
        document.image = Some(Wanted::New(pushed));
    }
    Ok(())
}
