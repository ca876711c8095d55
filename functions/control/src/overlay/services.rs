//! Operations on the services: which image they run, how many tasks, with which environment.

use std::num::NonZeroU32;

use statemachine::config::{Stack, near};
use statemachine::message::{By, Count, Document, Image, Laid, Operation, ReleaseRecord, Wanted};

use super::{NotLaid, refused};

/// Most tasks of a service (ECS's quota "tasks per service").
const MOST_TASKS: u32 = 5_000;

pub(super) fn deploy(document: &mut Document) -> Result<(), NotLaid> {
    let digest = document.run.parameters.image.clone();
    let digest = digest.ok_or_else(|| refused("A deploy needs the digest of an image."))?;
    // The same image keeps what is known of it.
    let known = document.intent.release.clone().filter(|release| release.image.digest == digest);
    let tag = document.run.parameters.tag.clone();
    let new = || Wanted::New(Image { digest, tag, architecture: None });
    document.image = Some(known.map_or_else(new, Wanted::Released));
    Ok(())
}

/// The number of the release that a rollback goes to: the one asked for, else the one before the newest. `None` for
/// any other operation.
pub fn release_of_rollback(document: &Document) -> Option<NonZeroU32> {
    if document.run.operation != Operation::Rollback {
        return None;
    }
    let asked = document.run.parameters.release;
    let before = || document.intent.release.as_ref().map(|newest| newest.number.get() - 1);
    asked.or_else(before).and_then(NonZeroU32::new)
}

pub(super) fn roll_back(
    document: &mut Document,
    earlier: Option<ReleaseRecord>,
    by: By,
) -> Result<(), NotLaid> {
    let wanted = release_of_rollback(document);
    let earlier = earlier.ok_or_else(|| match wanted {
        Some(number) => refused(format!(
            "There is no release {number}. There are 1 to {}: `stepstack runs` and `stepstack status` show them.",
            document.intent.releases
        )),
        None => refused("Release 1 is the first: there is none before it."),
    })?;
    let number = earlier.release.number;
    if document.intent.release.as_ref().is_some_and(|now| now.number == number) {
        return Err(NotLaid::SoAlready(format!("Release {number} is what runs.")));
    }
    let ReleaseRecord { release, environment, .. } = earlier;
    document.image = Some(Wanted::New(release.image));
    let differs = document.stack.as_ref().is_some_and(|stack| {
        stack
            .services
            .iter()
            .any(|(name, service)| environment.get(name).is_some_and(|laid| *laid != service.environment))
    });
    let config = document.config.clone();
    document.intent.environment = differs.then_some(Laid { config, services: environment, by });
    Ok(())
}

pub(super) fn scale(document: &mut Document, stack: &Stack, by: &By) -> Result<(), NotLaid> {
    let counts = &document.run.parameters.counts;
    if counts.is_empty() {
        return Err(refused("No service is named. Write `stepstack scale api=3`."));
    }
    for (service, count) in counts {
        known_service(stack, service)?;
        let described = &stack.services[service];
        let Some(count) = *count else {
            document.intent.counts.remove(service);
            continue;
        };
        if let Some(scale) = &described.scale {
            return Err(refused(format!(
                "{service} grows and shrinks by itself, from {} to {} tasks. Change [services.{service}.scale] in the file.",
                scale.min, scale.max
            )));
        }
        if count > MOST_TASKS {
            return Err(refused(format!("ECS runs at most {MOST_TASKS} tasks of a service.")));
        }
        let laid = Count { count, file: described.count, by: by.clone() };
        document.intent.counts.insert(service.clone(), laid);
    }
    Ok(())
}

pub(super) fn restart(document: &mut Document, stack: &Stack, by: &By) -> Result<(), NotLaid> {
    let named = &document.run.parameters.services;
    let named: Vec<&String> =
        if named.is_empty() { stack.services.keys().collect() } else { named.iter().collect() };
    for service in named {
        known_service(stack, service)?;
        document.intent.restarts.insert(service.clone(), by.clone());
    }
    Ok(())
}

pub(super) fn run(document: &Document, stack: &Stack) -> Result<(), NotLaid> {
    document.run.parameters.services.iter().try_for_each(|service| known_service(stack, service))
}

fn known_service(stack: &Stack, service: &str) -> Result<(), NotLaid> {
    if stack.services.contains_key(service) {
        return Ok(());
    }
    let known: Vec<&str> = stack.services.keys().map(String::as_str).collect();
    let help = match near(service, &known) {
        Some(near) => format!("Did you mean {near:?}?"),
        None => format!("There are: {}.", known.join(", ")),
    };
    Err(refused(format!("There is no service {service:?}. {help}")))
}
