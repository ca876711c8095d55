//! What an operation lays over the configuration: a change of the intent, which the stages then make true.

use std::num::NonZeroU32;

use statemachine::Result;
use statemachine::config::{Stack, near};
use statemachine::message::{
    By, Count, Document, Image, Intent, Laid, Needs, Operation, Parameters, ReleaseRecord, Trigger, Wanted,
};

use crate::Control;

/// Most tasks of a service (ECS's quota "tasks per service").
const MOST_TASKS: u32 = 5_000;

/// What became of laying an operation over the intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Laying {
    /// The document's intent asks for it.
    Done,
    /// It is kept for later, in the intent.
    Noted(String),
    /// It is so already.
    Nothing(String),
    /// It cannot be, and why.
    Refused(String),
}

impl Control {
    /// Lays the run's operation over the document's intent.
    pub(crate) async fn lay_over(&self, document: &mut Document) -> Result<Laying> {
        let run = &document.run;
        let earlier = match rollback_to(document).filter(|_| run.operation == Operation::Rollback) {
            Some(number) => self.bucket.record(&run.environment).release(number).get().await?,
            None => None,
        };
        Ok(lay_over(document, earlier))
    }
}

/// The number of the release that a rollback goes to: the one asked for, else the one before the newest.
fn rollback_to(document: &Document) -> Option<NonZeroU32> {
    let asked = document.run.parameters.release;
    let before = || document.intent.release.as_ref().map(|newest| newest.number.get() - 1);
    asked.or_else(before).and_then(NonZeroU32::new)
}

/// Lays the run's operation over the document's intent. `earlier` is the release that a rollback goes to.
/// Pure: what is refused here has changed nothing.
pub fn lay_over(document: &mut Document, earlier: Option<ReleaseRecord>) -> Laying {
    let operation = document.run.operation;
    if !operation.is_overlay() {
        return Laying::Done;
    }
    let Some(stack) = document.stack.clone() else {
        return Laying::Refused("There is no configuration to lay it over.".to_owned());
    };
    if let Some(refused) = refused_while_paused(document) {
        return refused;
    }
    if let Some(missing) = missing(operation.facts().needs, &stack, &document.intent) {
        return Laying::Refused(missing.to_owned());
    }
    let by = By::of(&document.run);
    let Parameters { image, tag, counts, services, snapshot, .. } = document.run.parameters.clone();
    let intent = &mut document.intent;
    match operation {
        Operation::Plan | Operation::PlanDestroy | Operation::Apply | Operation::Destroy => Laying::Done,
        Operation::Deploy => {
            let Some(digest) = image else {
                return Laying::Refused("A deploy needs the digest of an image.".to_owned());
            };
            // The same image keeps what is known of it.
            let known = intent.release.clone().filter(|release| release.image.digest == digest);
            let new = || Wanted::New(Image { digest, tag, architecture: None });
            document.image = Some(known.map_or_else(new, Wanted::Released));
            Laying::Done
        }
        Operation::Rollback => roll_back(document, earlier, by),
        Operation::Scale => scale(document, &stack, &counts, &by),
        Operation::Restart => {
            let named: Vec<String> =
                if services.is_empty() { stack.services.keys().cloned().collect() } else { services };
            for service in named {
                if let Some(refused) = unknown_service(&stack, &service) {
                    return refused;
                }
                intent.restarts.insert(service, by.clone());
            }
            Laying::Done
        }
        Operation::Run => {
            services.iter().find_map(|service| unknown_service(&stack, service)).unwrap_or(Laying::Done)
        }
        Operation::Rotate => {
            intent.database.rotation = Some(by);
            Laying::Done
        }
        Operation::SnapshotCreate | Operation::SnapshotForget => match snapshot {
            Some(_) => Laying::Done,
            None => Laying::Refused("No snapshot is named.".to_owned()),
        },
        Operation::Restore => {
            let Some(snapshot) = snapshot else {
                return Laying::Refused("No snapshot is named.".to_owned());
            };
            intent.database.generation += 1;
            intent.database.snapshot = Some(snapshot);
            intent.database.restored = Some(by);
            // The password is set anew after a restore; an earlier rotation was of the earlier generation.
            Laying::Done
        }
        Operation::RestoreObject => {
            if document.run.parameters.object.is_none() {
                return Laying::Refused("No object is named.".to_owned());
            }
            let readable = format!("{}-", stack.app);
            match stack.uploads.as_ref().filter(|uploads| !uploads.bucket.starts_with(&readable)) {
                Some(uploads) => Laying::Refused(format!(
                    "The engine may read no object of the bucket {}: its name does not begin with `{readable}`. Copy the version yourself with `aws s3api copy-object`.",
                    uploads.bucket
                )),
                None => Laying::Done,
            }
        }
        Operation::Pause => {
            // The schedule that stops a cluster again comes back here, day by day.
            intent.paused.get_or_insert(by);
            Laying::Done
        }
        Operation::Resume => {
            if intent.paused.take().is_none() {
                return Laying::Nothing("The environment is not paused.".to_owned());
            }
            if let Some(pushed) = intent.pushed.take() {
                document.image = Some(Wanted::New(pushed));
            }
            Laying::Done
        }
    }
}

/// What an operation needs and is not there, in words.
fn missing(needs: Needs, stack: &Stack, intent: &Intent) -> Option<&'static str> {
    match needs {
        Needs::Release(otherwise) => intent.release.is_none().then_some(otherwise),
        Needs::Database => stack.database.is_none().then_some("This stack has no database."),
        Needs::Uploads => stack.uploads.is_none().then_some("This stack has no uploads bucket."),
        Needs::Nothing => None,
    }
}

/// What cannot be done while the environment is paused. A push is noted: a resume deploys it.
fn refused_while_paused(document: &mut Document) -> Option<Laying> {
    let paused = document.intent.paused.clone()?;
    let run = &document.run;
    match (run.operation, run.trigger, &run.parameters.image) {
        (Operation::Deploy, Trigger::ImagePush, Some(digest)) => {
            let (digest, tag) = (digest.clone(), run.parameters.tag.clone());
            let reason = format!(
                "The environment is paused ({}). `stepstack resume` deploys {digest}.",
                paused.words()
            );
            document.intent.pushed = Some(Image { digest, tag, architecture: None });
            Some(Laying::Noted(reason))
        }
        (operation, _, _) if operation.facts().while_paused => None,
        (operation, _, _) => Some(Laying::Refused(format!(
            "The environment is paused ({}), so there is nothing to {}. Start it again with `stepstack resume`.",
            paused.words(),
            operation.name()
        ))),
    }
}

fn unknown_service(stack: &Stack, service: &str) -> Option<Laying> {
    if stack.services.contains_key(service) {
        return None;
    }
    let known: Vec<&str> = stack.services.keys().map(String::as_str).collect();
    let help = match near(service, &known) {
        Some(near) => format!("Did you mean {near:?}?"),
        None => format!("There are: {}.", known.join(", ")),
    };
    Some(Laying::Refused(format!("There is no service {service:?}. {help}")))
}

fn scale(
    document: &mut Document,
    stack: &Stack,
    counts: &std::collections::BTreeMap<String, Option<u32>>,
    by: &By,
) -> Laying {
    if counts.is_empty() {
        return Laying::Refused("No service is named. Write `stepstack scale api=3`.".to_owned());
    }
    for (service, count) in counts {
        if let Some(refused) = unknown_service(stack, service) {
            return refused;
        }
        let described = &stack.services[service];
        if let (Some(scale), Some(_)) = (&described.scale, count) {
            return Laying::Refused(format!(
                "{service} grows and shrinks by itself, from {} to {} tasks. Change [services.{service}.scale] in the file.",
                scale.min, scale.max
            ));
        }
        match count {
            Some(count) if *count > MOST_TASKS => {
                return Laying::Refused(format!("ECS runs at most {MOST_TASKS} tasks of a service."));
            }
            Some(count) => {
                let laid = Count { count: *count, file: described.count, by: by.clone() };
                document.intent.counts.insert(service.clone(), laid);
            }
            None => {
                document.intent.counts.remove(service);
            }
        }
    }
    Laying::Done
}

fn roll_back(document: &mut Document, earlier: Option<ReleaseRecord>, by: By) -> Laying {
    let wanted = rollback_to(document);
    let Some(earlier) = earlier else {
        return Laying::Refused(match wanted {
            Some(number) => format!(
                "There is no release {number}. There are 1 to {}: `stepstack runs` and `stepstack status` show them.",
                document.intent.releases
            ),
            None => "Release 1 is the first: there is none before it.".to_owned(),
        });
    };
    let number = earlier.release.number;
    if document.intent.release.as_ref().is_some_and(|now| now.number == number) {
        return Laying::Nothing(format!("Release {number} is what runs."));
    }
    let ReleaseRecord { release, environment, .. } = earlier;
    document.image = Some(Wanted::New(release.image));
    let differs = document.stack.as_ref().is_some_and(|stack| {
        let services = stack.services.iter();
        services
            .into_iter()
            .any(|(name, service)| environment.get(name).is_some_and(|laid| *laid != service.environment))
    });
    let config = document.config.clone();
    document.intent.environment = differs.then_some(Laid { config, services: environment, by });
    Laying::Done
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use statemachine::message::{ObjectVersion, Release};

    use super::*;
    use crate::testing::document;

    fn scaled(counts: &[(&str, Option<u32>)]) -> Document {
        let mut document = document(Operation::Scale);
        document.run.parameters.counts =
            counts.iter().map(|(service, count)| ((*service).to_owned(), *count)).collect();
        document
    }

    fn refused(laying: &Laying) -> &str {
        match laying {
            Laying::Refused(reason) => reason,
            other => panic!("it is refused: {other:?}"),
        }
    }

    #[test]
    fn a_scale_is_laid_over_the_file_until_the_file_s_count_changes() {
        let mut document = scaled(&[("worker", Some(5))]);
        assert_eq!(lay_over(&mut document, None), Laying::Done);
        let mut intent = document.intent.clone();
        assert_eq!((intent.count("worker", 1), intent.count("api", 1)), (5, 1));
        assert_eq!(intent.count("worker", 2), 2, "the file asks for another count now");
        let stack = document.stack.as_mut().expect("a stack");
        assert!(
            intent.notes(stack)[0]
                .contains("worker runs 5 tasks instead of the file's 1: set by scale on 2026-11-23")
        );
        stack.services.get_mut("worker").expect("a worker").count = 2;
        intent.settle(stack, None);
        assert_eq!(intent.counts, BTreeMap::new());
    }

    #[test]
    fn a_scale_is_reset_to_what_the_file_says() {
        let mut document = scaled(&[("worker", Some(5))]);
        lay_over(&mut document, None);
        document.run.parameters.counts = [("worker".to_owned(), None)].into();
        assert_eq!(lay_over(&mut document, None), Laying::Done);
        assert_eq!(document.intent.count("worker", 1), 1);
    }

    #[test]
    fn what_does_not_exist_is_refused_with_the_near_miss() {
        let mut document = scaled(&[("wroker", Some(5))]);
        let laying = lay_over(&mut document, None);
        assert_eq!(refused(&laying), "There is no service \"wroker\". Did you mean \"worker\"?");
        let mut document = scaled(&[("worker", Some(5_001))]);
        assert!(refused(&lay_over(&mut document, None)).contains("at most 5000"));
        let mut document = scaled(&[]);
        assert!(refused(&lay_over(&mut document, None)).contains("No service is named"));
    }

    #[test]
    fn a_service_that_scales_by_itself_is_not_scaled_by_hand() {
        let mut document = scaled(&[("api", Some(3))]);
        let stack = document.stack.as_mut().expect("a stack");
        stack.services.get_mut("api").expect("an api").scale =
            Some(statemachine::config::Scale { min: 2, max: 10, cpu: 60 });
        assert!(refused(&lay_over(&mut document, None)).contains("from 2 to 10 tasks"));
    }

    #[test]
    fn a_restart_names_all_services_or_those_asked_for() {
        let mut document = document(Operation::Restart);
        assert_eq!(lay_over(&mut document, None), Laying::Done);
        assert_eq!(document.intent.restarts.keys().collect::<Vec<_>>(), ["api", "worker"]);
        let mut one = self::document(Operation::Restart);
        one.run.parameters.services = vec!["worker".to_owned()];
        lay_over(&mut one, None);
        assert_eq!(one.intent.restarts.keys().collect::<Vec<_>>(), ["worker"]);
        one.intent.release = None;
        assert!(refused(&lay_over(&mut one, None)).contains("nothing to restart"));
    }

    fn record(number: u32, environment: BTreeMap<String, BTreeMap<String, String>>) -> ReleaseRecord {
        ReleaseRecord {
            release: Release {
                number: NonZeroU32::new(number).expect("a number"),
                image: Image {
                    digest: format!("sha256:{}", "b".repeat(64)),
                    tag: Some("v1".to_owned()),
                    architecture: Some("X86_64".to_owned()),
                },
            },
            run: "20261120-101500-0001".to_owned(),
            operation: Operation::Deploy,
            trigger: Trigger::Cli,
            caller: None,
            at: "2026-11-20T10:15:00Z".to_owned(),
            duration_ms: 1,
            environment,
            task_definitions: BTreeMap::new(),
        }
    }

    #[test]
    fn a_rollback_brings_back_image_and_environment_until_the_next_configuration() {
        let mut document = document(Operation::Rollback);
        assert_eq!(rollback_to(&document), Some(NonZeroU32::MIN), "the one before the newest");
        let before = BTreeMap::from([("FEATURE".to_owned(), "off".to_owned())]);
        let laid = BTreeMap::from([("api".to_owned(), before.clone())]);
        assert_eq!(lay_over(&mut document, Some(record(1, laid))), Laying::Done);
        let Some(Wanted::New(image)) = &document.image else { panic!("it gets a number of its own") };
        assert_eq!(image.architecture.as_deref(), Some("X86_64"));
        let file = BTreeMap::new();
        assert_eq!(document.intent.environment("api", &file, document.config.as_ref()), before);
        assert_eq!(document.intent.environment("worker", &file, document.config.as_ref()), file);
        assert_eq!(document.intent.environment("api", &file, Some(&"another file".to_owned())), file);
    }

    #[test]
    fn a_rollback_to_what_is_not_there_or_runs_already_changes_nothing() {
        let mut document = document(Operation::Rollback);
        document.run.parameters.release = Some(7);
        assert!(refused(&lay_over(&mut document, None)).contains("There is no release 7. There are 1 to 2"));
        document.run.parameters.release = Some(2);
        assert_eq!(
            lay_over(&mut document, Some(record(2, BTreeMap::new()))),
            Laying::Nothing("Release 2 is what runs.".to_owned())
        );
        document.run.parameters.release = None;
        document.intent.release.as_mut().expect("a release").number = NonZeroU32::MIN;
        assert!(refused(&lay_over(&mut document, None)).contains("is the first"));
    }

    #[test]
    fn a_push_while_paused_is_noted_and_deployed_by_the_resume() {
        let mut document = document(Operation::Pause);
        assert_eq!(lay_over(&mut document, None), Laying::Done);
        assert_eq!(document.intent.count("api", 3), 0);
        let paused = document.intent.clone();

        let digest = format!("sha256:{}", "c".repeat(64));
        document.run.operation = Operation::Deploy;
        document.run.parameters.image = Some(digest.clone());
        assert!(refused(&lay_over(&mut document, None)).contains("stepstack resume"), "by a person");
        document.run.trigger = Trigger::ImagePush;
        assert!(matches!(lay_over(&mut document, None), Laying::Noted(_)));
        assert_eq!(document.intent.pushed.as_ref().map(|pushed| &pushed.digest), Some(&digest));

        document.run.operation = Operation::Resume;
        assert_eq!(lay_over(&mut document, None), Laying::Done);
        assert_eq!(document.intent, Intent { paused: None, pushed: None, ..paused });
        assert_eq!(document.image.map(|wanted| wanted.image().digest.clone()), Some(digest));
    }

    #[test]
    fn operations_on_what_the_stack_has_not_are_refused() {
        let mut document = document(Operation::Rotate);
        document.stack.as_mut().expect("a stack").database = None;
        for operation in
            [Operation::Rotate, Operation::SnapshotCreate, Operation::SnapshotForget, Operation::Restore]
        {
            document.run.operation = operation;
            assert_eq!(refused(&lay_over(&mut document, None)), "This stack has no database.");
        }
        document.run.operation = Operation::RestoreObject;
        document.run.parameters.object =
            Some(ObjectVersion { key: "a".to_owned(), version: "v".to_owned(), etag: "e".to_owned() });
        assert_eq!(lay_over(&mut document, None), Laying::Done);
        document.stack.as_mut().expect("a stack").uploads = None;
        assert!(refused(&lay_over(&mut document, None)).contains("no uploads bucket"));
    }
}
