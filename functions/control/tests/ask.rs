//! What a trigger asks for, out of inputs as the command line, S3, ECR and the clock send them; and whatever
//! else somebody sends, without a panic.

use control::{Ask, NotAsked, ask};
use proptest::prelude::*;
use serde_json::{Value, json};
use statemachine::message::{Operation, Trigger};

const BUCKET: &str = "stepstack-arive-123456789012-us-east-1";

fn asked(input: Value) -> Ask {
    ask(input, "arive", BUCKET).expect("it asks for something")
}

fn not(input: Value) -> NotAsked {
    ask(input, "arive", BUCKET).expect_err("it asks for nothing")
}

fn digest() -> String {
    format!("sha256:{}", "a".repeat(64))
}

fn event(source: &str, kind: &str, resources: &Value, detail: &Value) -> Value {
    json!({
        "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": kind, "source": source,
        "account": "123456789012", "time": "2026-11-23T10:15:00Z", "region": "us-east-1",
        "resources": resources, "detail": detail,
    })
}

fn upload(key: &str, bucket: &str, reason: &str) -> Value {
    let detail = json!({
        "version": "0", "bucket": { "name": bucket },
        "object": { "key": key, "size": 5, "etag": "b1946ac9", "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", "sequencer": "00" },
        "request-id": "N4N7GDK58NMKJ12R", "requester": "123456789012", "source-ip-address": "1.2.3.4", "reason": reason,
    });
    event("aws.s3", "Object Created", &json!([format!("arn:aws:s3:::{bucket}")]), &detail)
}

fn push(repository: &str, action: &str, outcome: &str, tag: Option<&str>) -> Value {
    let detail = json!({
        "result": outcome, "repository-name": repository, "image-digest": digest(), "action-type": action,
        "image-tag": tag,
    });
    event("aws.ecr", "ECR Image Action", &json!([]), &detail)
}

#[test]
fn an_upload_is_an_apply_of_that_very_version() {
    for reason in ["PutObject", "POST Object", "CompleteMultipartUpload"] {
        let ask = asked(upload("environments/production.toml", BUCKET, reason));
        assert_eq!((ask.trigger, ask.operation), (Trigger::ConfigUpload, Operation::Apply));
        assert_eq!((ask.environment.as_str(), ask.caller), ("production", None));
        let source = ask.source.expect("a file");
        assert_eq!(source.version.as_deref(), Some("IYV3p45BT0ac8hjHg1houSdS1a.Mro8e"));
    }
}

#[test]
fn uploads_that_are_none_start_nothing_and_say_why() {
    let copied = not(upload("environments/production.toml", BUCKET, "CopyObject"));
    assert!(copied.reason.contains("is not an upload"), "our own copy of an accepted file: {copied:?}");
    let other = not(upload("environments/production.toml", "somebody-elses", "PutObject"));
    assert!(other.reason.contains("is not the provisioner's"), "{other:?}");
    for key in [
        "environments/../locks/production.toml",
        "environments/production.toml.bak",
        "environments/.toml",
        "environments/Production.toml",
        "environments/a/b.toml",
        "environments/a-name-that-is-too-long.toml",
        "environments/%2e%2e.toml",
        "runs/production/x/config.toml",
        "",
    ] {
        let wrong = not(upload(key, BUCKET, "PutObject"));
        assert_eq!(wrong.environment, "unknown", "no key is made of it: {key:?}");
    }
}

#[test]
fn a_push_is_a_deploy_of_that_digest_by_nobody() {
    let ask = asked(push("arive/production", "PUSH", "SUCCESS", Some("latest")));
    assert_eq!((ask.trigger, ask.operation, ask.caller), (Trigger::ImagePush, Operation::Deploy, None));
    assert_eq!((ask.parameters.image, ask.parameters.tag.as_deref()), (Some(digest()), Some("latest")));
    assert!(ask.source.is_none(), "it works from the configuration that was accepted last");
    assert!(ask.waits);
    for input in [
        push("arive/production", "DELETE", "SUCCESS", Some("latest")),
        push("arive/production", "PUSH", "FAILURE", Some("latest")),
        push("other/production", "PUSH", "SUCCESS", Some("latest")),
        push("arive-admin/production", "PUSH", "SUCCESS", Some("latest")),
        push("arive/", "PUSH", "SUCCESS", None),
    ] {
        assert_eq!(not(input).trigger, Trigger::ImagePush);
    }
}

fn clock(rule: &str) -> Value {
    let resources = json!([format!("arn:aws:events:us-east-1:123456789012:rule/{rule}")]);
    event("aws.events", "Scheduled Event", &resources, &json!({}))
}

#[test]
fn the_clock_rotates_and_goes_on_pausing() {
    let rotate = asked(clock("stepstack-arive-production-rotate"));
    assert_eq!((rotate.trigger, rotate.operation), (Trigger::Schedule, Operation::Rotate));
    assert_eq!(rotate.environment, "production");
    assert_eq!(asked(clock("stepstack-arive-eu-west-pause")).environment, "eu-west");
    for rule in [
        "stepstack-arive-production-image-push",
        "stepstack-arive-production-destroy",
        "stepstack-other-production-rotate",
        "stepstack-arive-rotate",
        "rotate",
        "",
    ] {
        assert_eq!(not(clock(rule)).trigger, Trigger::Schedule, "{rule:?}");
    }
    assert_eq!(
        not(event("aws.events", "Scheduled Event", &Value::Null, &json!({}))).trigger,
        Trigger::Schedule
    );
}

fn request(more: &Value) -> Value {
    let mut request = json!({ "app": "arive", "environment": "production", "operation": "apply" });
    let fields = more.as_object().expect("fields").clone();
    request.as_object_mut().expect("fields").extend(fields);
    request
}

#[test]
fn the_command_line_asks_within_its_own_app_and_environment() {
    let apply = asked(request(&json!({ "config_key": "runs/production/20261123-101500-00af/config.toml" })));
    assert_eq!(
        apply.source.map(|source| source.key).as_deref(),
        Some("runs/production/20261123-101500-00af/config.toml")
    );
    assert!(apply.waits, "an apply waits its turn");
    let scale =
        asked(request(&json!({ "operation": "scale", "config_key": "runs/production/x/config.toml" })));
    assert!(
        scale.source.is_none() && !scale.waits,
        "an operation brings no file, and waits when it is told to"
    );
    for (more, reason) in [
        (json!({ "app": "other" }), "is for the app"),
        (json!({ "environment": "../x" }), "is no environment's name"),
        (json!({ "config_key": "runs/staging/x/config.toml" }), "is not a key of this environment's runs"),
        (json!({ "config_key": "locks/production.json" }), "is not a key of this environment's runs"),
        (json!({ "operation": "deploy" }), "needs the digest"),
        (json!({ "operation": "deploy", "parameters": { "image": "sha256:short" } }), "needs the digest"),
        (json!({ "operation": "explode" }), "cannot be read"),
    ] {
        let refused = not(request(&more));
        assert!(refused.reason.contains(reason), "{more}: {}", refused.reason);
    }
}

/// Any JSON, not deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,12}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A well-formed input with one of its values replaced.
fn bent() -> impl Strategy<Value = Value> {
    let whole = prop_oneof![
        Just(upload("environments/production.toml", BUCKET, "PutObject")),
        Just(push("arive/production", "PUSH", "SUCCESS", Some("latest"))),
        Just(clock("stepstack-arive-production-rotate")),
        Just(request(&json!({ "operation": "scale", "parameters": { "counts": { "api": 3 } } }))),
    ];
    (whole, any_json(), any::<prop::sample::Index>()).prop_map(|(mut whole, value, index)| {
        let mut paths = Vec::new();
        collect(&whole, String::new(), &mut paths);
        let path = index.get(&paths).clone();
        if let Some(place) = whole.pointer_mut(&path) {
            *place = value;
        }
        whole
    })
}

fn collect(value: &Value, path: String, paths: &mut Vec<String>) {
    if let Value::Object(map) = value {
        for (key, inner) in map {
            collect(inner, format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), paths);
        }
    }
    paths.push(path);
}

proptest! {
    /// Whatever comes, it is read or refused; and what becomes part of a key is a plain name.
    #[test]
    fn no_input_is_a_panic_or_a_way_out_of_the_environment(input in prop_oneof![any_json(), bent()]) {
        let environment = match ask(input, "arive", BUCKET) {
            Ok(ask) => {
                let own = format!("runs/{}/", ask.environment);
                if let Some(source) = &ask.source {
                    let uploaded = format!("environments/{}.toml", ask.environment);
                    let is_own = source.key.starts_with(&own) || source.key == uploaded;
                    prop_assert!(is_own, "it reads {:?}", source.key);
                }
                ask.environment
            }
            Err(NotAsked { environment, reason, .. }) => {
                prop_assert!(!reason.is_empty());
                environment
            }
        };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        prop_assert!((1..=12).contains(&environment.len()) && environment.chars().all(plain), "{environment:?}");
    }
}
