//! What operations lay over the configuration.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use control::{NotLaid, lay_over, release_of_rollback};
use statemachine::message::{
    Document, Image, Intent, ObjectVersion, Operation, Release, ReleaseRecord, Trigger, Wanted,
};

use crate::fixture::document;

fn scaled(counts: &[(&str, Option<u32>)]) -> Document {
    let mut document = document(Operation::Scale);
    document.run.parameters.counts =
        counts.iter().map(|(service, count)| ((*service).to_owned(), *count)).collect();
    document
}

fn refused(laid: &Result<(), NotLaid>) -> &str {
    match laid {
        Err(NotLaid::Refused(reason)) => reason,
        other => panic!("it is refused: {other:?}"),
    }
}

#[test]
fn a_scale_is_laid_over_the_file_until_the_file_s_count_changes() {
    let mut document = scaled(&[("worker", Some(5))]);
    assert_eq!(lay_over(&mut document, None), Ok(()));
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
    lay_over(&mut document, None).expect("it is laid");
    document.run.parameters.counts = [("worker".to_owned(), None)].into();
    assert_eq!(lay_over(&mut document, None), Ok(()));
    assert_eq!(document.intent.count("worker", 1), 1);
}

#[test]
fn what_does_not_exist_is_refused_with_the_near_miss() {
    let mut document = scaled(&[("wroker", Some(5))]);
    let laid = lay_over(&mut document, None);
    assert_eq!(refused(&laid), "There is no service \"wroker\". Did you mean \"worker\"?");
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
    assert_eq!(lay_over(&mut document, None), Ok(()));
    assert_eq!(document.intent.restarts.keys().collect::<Vec<_>>(), ["api", "worker"]);
    let mut one = crate::fixture::document(Operation::Restart);
    one.run.parameters.services = vec!["worker".to_owned()];
    lay_over(&mut one, None).expect("it is laid");
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
    assert_eq!(release_of_rollback(&document), Some(NonZeroU32::MIN), "the one before the newest");
    let before = BTreeMap::from([("FEATURE".to_owned(), "off".to_owned())]);
    let laid = BTreeMap::from([("api".to_owned(), before.clone())]);
    assert_eq!(lay_over(&mut document, Some(record(1, laid))), Ok(()));
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
        Err(NotLaid::SoAlready("Release 2 is what runs.".to_owned()))
    );
    document.run.parameters.release = None;
    document.intent.release.as_mut().expect("a release").number = NonZeroU32::MIN;
    assert!(refused(&lay_over(&mut document, None)).contains("is the first"));
}

#[test]
fn a_push_while_paused_is_noted_and_deployed_by_the_resume() {
    let mut document = document(Operation::Pause);
    assert_eq!(lay_over(&mut document, None), Ok(()));
    assert_eq!(document.intent.count("api", 3), 0);
    let paused = document.intent.clone();

    let digest = format!("sha256:{}", "c".repeat(64));
    document.run.operation = Operation::Deploy;
    document.run.parameters.image = Some(digest.clone());
    assert!(refused(&lay_over(&mut document, None)).contains("stepstack resume"), "by a person");
    document.run.trigger = Trigger::ImagePush;
    assert!(matches!(lay_over(&mut document, None), Err(NotLaid::Noted(_))));
    assert_eq!(document.intent.pushed.as_ref().map(|pushed| &pushed.digest), Some(&digest));

    document.run.operation = Operation::Resume;
    assert_eq!(lay_over(&mut document, None), Ok(()));
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
    assert_eq!(lay_over(&mut document, None), Ok(()));
    document.stack.as_mut().expect("a stack").uploads = None;
    assert!(refused(&lay_over(&mut document, None)).contains("no uploads bucket"));
}
