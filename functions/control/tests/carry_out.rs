//! What control calls, in order: its own steps over a bucket and a registry that take exactly these calls.

use std::num::NonZeroU32;

use aws_sdk_ecr::Client as Ecr;
use aws_sdk_ecr::operation::batch_get_image::BatchGetImageOutput;
use aws_sdk_ecr::operation::put_image::{PutImageError, PutImageOutput};
use aws_sdk_s3::Client as S3;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, SharedCredentialsProvider, SharedInterceptor};
use aws_sdk_s3::error::ErrorMetadata;
use aws_sdk_s3::operation::delete_object::{DeleteObjectError, DeleteObjectOutput};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode, create_mock_http_client, mock};
use aws_types::SdkConfig;
use aws_types::region::Region;
use control::Control;
use record::{Bucket, Holder, Lock};
use serde::Serialize;
use serde_json::json;
use statemachine::message::{
    Caught, ControlCall, Document, Image, Intent, Mode, Next, Operation, Release, Report, Status, Told,
    Wanted,
};
use statemachine::permission::Scope;
use statemachine::resource::Name;
use statemachine::{Error, ErrorKind, Stage};

/// Control over exactly these calls, of S3 and ECR, in this order.
fn control(rules: &[&Rule]) -> Control {
    let answers = MockResponseInterceptor::new().rule_mode(RuleMode::Sequential);
    let answers = rules.iter().fold(answers, |answers, rule| answers.with_rule(rule));
    let answers = SharedInterceptor::new(answers);
    let credentials = Credentials::new("nobody", "nothing", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .http_client(create_mock_http_client())
        .build();
    let s3 = aws_sdk_s3::config::Builder::from(&config).interceptor(answers.clone());
    let ecr = aws_sdk_ecr::config::Builder::from(&config).interceptor(answers);
    Control {
        sfn: aws_sdk_sfn::Client::new(&config),
        ecr: Ecr::from_conf(ecr.build()),
        bucket: Bucket { s3: S3::from_conf(s3.build()), name: "stepstack-arive".to_owned() },
        scope: Scope {
            app: "arive".to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
        },
    }
}

fn error(code: &'static str) -> ErrorMetadata {
    ErrorMetadata::builder().code(code).message("AWS said no").build()
}

fn there(key: &'static str, object: &impl Serialize) -> Rule {
    let body = serde_json::to_vec(object).expect("JSON");
    mock!(S3::get_object).match_requests(move |get| get.key() == Some(key)).then_output(move || {
        GetObjectOutput::builder().e_tag("e1").body(ByteStream::from(body.clone())).build()
    })
}

fn absent(key: &'static str) -> Rule {
    mock!(S3::get_object)
        .match_requests(move |get| get.key() == Some(key))
        .then_error(|| GetObjectError::generic(error("NoSuchKey")))
}

/// A write of an object in which these words stand.
fn put(key: &'static str, says: &'static str) -> Rule {
    let is_it = move |put: &aws_sdk_s3::operation::put_object::PutObjectInput| {
        let body = String::from_utf8_lossy(put.body().bytes().unwrap_or_default());
        put.key() == Some(key) && body.contains(says)
    };
    mock!(S3::put_object).match_requests(is_it).then_output(|| PutObjectOutput::builder().e_tag("e2").build())
}

/// A write of an object that is refused.
fn no_put(key: &'static str, code: &'static str) -> Rule {
    mock!(S3::put_object)
        .match_requests(move |put| put.key() == Some(key))
        .then_error(move || PutObjectError::generic(error(code)))
}

fn delete(key: &'static str) -> Rule {
    mock!(S3::delete_object)
        .match_requests(move |delete| delete.key() == Some(key))
        .then_output(|| DeleteObjectOutput::builder().build())
}

fn no_delete(key: &'static str, code: &'static str) -> Rule {
    mock!(S3::delete_object)
        .match_requests(move |delete| delete.key() == Some(key))
        .then_error(move || DeleteObjectError::generic(error(code)))
}

const INTENT: &str = "intent/production.json";
const DESCRIBED: &str = "intent/production.asked.json";
const FILE: &str = "environments/production.toml";
const LOCK: &str = "locks/production.json";
const REQUEST: &str = "runs/production/20261123-101500-abcd/request.json";
const RESULT: &str = "runs/production/20261123-101500-abcd/result.json";
const DIAGNOSIS: &str = "runs/production/20261123-101500-abcd/diagnosis.json";
const FREE: &str = r#""holder":null"#;

/// The document of a run that has worked and found nothing to complain of, with the lock.
fn worked(operation: Operation) -> Document {
    let mut document = Document::example(operation, None);
    document.run.lock_etag = Some("e1".to_owned());
    document.looks = 1;
    for stage in Stage::ALL {
        let slot = &mut document.stages[stage];
        (slot.status, slot.report, slot.mode) = (Status::Looked, Report::Quiet, Some(Mode::Plan));
    }
    document
}

async fn finish(rules: &[&Rule], document: &Document) -> Result<Document, Error> {
    let call = ControlCall::Finish { document: Box::new(document.clone()) };
    let answer = control(rules).answer(call).await;
    for (at, rule) in rules.iter().enumerate() {
        assert_eq!(rule.num_calls(), 1, "call {at}: {answer:?}");
    }
    answer
}

#[tokio::test]
async fn a_destroy_forgets_what_was_asked_for_then_tells_its_result_then_frees_the_lock() {
    let rules = [
        delete(INTENT),
        delete(DESCRIBED),
        delete(FILE),
        put(RESULT, r#""outcome":"succeeded""#),
        put(LOCK, FREE),
    ];
    let answer = finish(&rules.each_ref(), &worked(Operation::Destroy)).await.expect("it ends");
    assert_eq!(answer.verdict.next, Next::Succeed);
}

#[tokio::test]
async fn a_destroy_that_cannot_forget_has_failed_and_frees_the_lock() {
    let rules = [
        delete(INTENT),
        no_delete(DESCRIBED, "AccessDenied"),
        put(RESULT, r#""outcome":"failed""#),
        put(LOCK, FREE),
    ];
    let answer = finish(&rules.each_ref(), &worked(Operation::Destroy)).await.expect("it ends");
    assert_eq!(answer.verdict.next, Next::Fail);
    assert!(answer.verdict.message.contains("AWS said no"), "{}", answer.verdict.message);
}

#[tokio::test]
async fn what_may_go_through_the_next_time_ends_nothing() {
    let rules = [delete(INTENT), no_delete(DESCRIBED, "SlowDown")];
    let answer = finish(&rules.each_ref(), &worked(Operation::Destroy)).await;
    assert_eq!(answer.map_err(|error| error.kind), Err(ErrorKind::Transient), "called again");
}

#[tokio::test]
async fn a_result_that_cannot_be_written_keeps_the_lock() {
    let rules = [delete(INTENT), delete(DESCRIBED), delete(FILE), no_put(RESULT, "AccessDenied")];
    let answer = finish(&rules.each_ref(), &worked(Operation::Destroy)).await;
    assert_eq!(answer.map_err(|error| error.kind), Err(ErrorKind::Denied));
}

#[tokio::test]
async fn a_step_whose_answer_was_lost_finds_its_lock_free_and_ends_as_before() {
    let free = Lock { generation: 1, ..Lock::default() };
    let rules = [
        delete(INTENT),
        delete(DESCRIBED),
        delete(FILE),
        put(RESULT, r#""outcome":"succeeded""#),
        no_put(LOCK, "PreconditionFailed"),
        there(LOCK, &free),
    ];
    let answer = finish(&rules.each_ref(), &worked(Operation::Destroy)).await.expect("it ends");
    assert_eq!(answer.verdict.next, Next::Succeed);
}

/// The document of a deploy whose services run an image that is no release yet.
fn deployed() -> Document {
    let mut document = worked(Operation::Deploy);
    let digest = format!("sha256:{}", "b".repeat(64));
    document.intent =
        Intent { run: Some("20261122-090000-0001".to_owned()), releases: 4, ..Intent::default() };
    document.image = Some(Wanted::New(Image { digest: digest.clone(), tag: None, architecture: None }));
    document.stages.services.status = Status::Ready;
    let outputs = &mut document.stages.services.outputs;
    outputs.insert(Name::new("service", "api"), "arn");
    outputs.insert_with(&Name::from_tag("image/current"), "current", &[("digest", digest)]);
    document
}

/// The same, with a report of the services that travels.
fn reported(mut document: Document) -> Document {
    let services = &mut document.stages.services;
    services.mode = Some(Mode::Make);
    services.report = Report::Carried(Box::<Told>::default());
    document
}

fn image() -> Rule {
    let image = aws_sdk_ecr::types::Image::builder().image_manifest("{}").build();
    mock!(Ecr::batch_get_image)
        .then_output(move || BatchGetImageOutput::builder().images(image.clone()).build())
}

fn tagged() -> aws_smithy_mocks::RuleBuilder<
    aws_sdk_ecr::operation::put_image::PutImageInput,
    PutImageOutput,
    PutImageError,
> {
    mock!(Ecr::put_image).match_requests(|put| put.image_tag() == Some("release-5"))
}

#[tokio::test]
async fn a_release_is_recorded_and_tagged_before_the_intent_names_it() {
    let before = json!({ "services": { "service/web": { "count": 1 } } });
    let again = tagged().then_error(|| PutImageError::generic(error("ImageAlreadyExistsException")));
    // Another try of the same step finds the tag there.
    for tag in [tagged().then_output(|| PutImageOutput::builder().build()), again] {
        let rules = [
            there(DESCRIBED, &before),
            put("releases/production/000005.json", r#""number":5"#),
            image(),
            tag,
            put(INTENT, r#""releases":5"#),
            put(DESCRIBED, r#""services":{}"#),
            put(RESULT, r#""release":"5""#),
            put(LOCK, FREE),
        ];
        let answer = finish(&rules.each_ref(), &reported(deployed())).await.expect("it ends");
        assert_eq!(answer.verdict.next, Next::Succeed);
    }
}

#[tokio::test]
async fn a_release_that_cannot_be_recorded_fails_the_run_and_the_intent_stays() {
    let rules = [
        absent(DESCRIBED),
        no_put("releases/production/000005.json", "AccessDenied"),
        put(RESULT, r#""outcome":"failed""#),
        put(LOCK, FREE),
    ];
    let answer = finish(&rules.each_ref(), &deployed()).await.expect("it ends");
    assert_eq!(answer.verdict.next, Next::Fail);
}

#[tokio::test]
async fn a_deploy_that_is_put_back_makes_its_stages_go_on_under_the_same_lock() {
    let holder = Holder {
        run: "20261123-101500-abcd".to_owned(),
        execution: Document::example(Operation::Deploy, None).run.execution,
        operation: "deploy".to_owned(),
        since: "2026-11-23T10:15:00Z".to_owned(),
    };
    let stopped = Lock { generation: 1, holder: Some(holder), stop: None, failed: Some(Stage::Services) };
    let rules = [absent(DIAGNOSIS), there(LOCK, &stopped), put(LOCK, r#""stop":null}"#)];
    let mut document = reported(deployed());
    let image = Image { digest: "sha256:a".to_owned(), tag: None, architecture: None };
    document.intent.release = Some(Release { number: NonZeroU32::MIN, image });
    document.caught = Some(Caught { error: "Denied".to_owned(), cause: String::new() });
    let answer = finish(&rules.each_ref(), &document).await.expect("it goes on");
    assert_eq!((answer.verdict.next, answer.run.lock_etag.as_deref()), (Next::Make, Some("e2")));
    assert!(answer.stages.services.make && answer.putting_back.is_some());
}

#[tokio::test]
async fn a_trigger_that_is_refused_leaves_its_request_and_its_result_and_takes_no_lock() {
    let rules = [put(REQUEST, r#""trigger":"cli""#), put(RESULT, r#""outcome":"refused""#)];
    let call = ControlCall::Begin {
        input: json!({ "app": "another", "environment": "production", "operation": "apply" }),
        execution: "arn".to_owned(),
        name: "20261123-101500-abcd".to_owned(),
        started_at: "2026-11-23T10:15:00Z".to_owned(),
    };
    let answer = control(&rules.each_ref()).answer(call).await.expect("it ends");
    assert_eq!(answer.verdict.next, Next::Fail);
    assert!(rules.iter().all(|rule| rule.num_calls() == 1));
}
