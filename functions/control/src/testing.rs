//! A document for unit tests.

use statemachine::config::parse;
use statemachine::message::{
    Document, Intent, Next, Operation, Parameters, Release, Run, Stages, Trigger, Verdict,
};
use statemachine::resource::Options;

/// A small stack of a public `api` and a `worker`, with a database, released once, accepted by an earlier run.
pub(crate) fn document(operation: Operation) -> Document {
    let file = "app = \"arive\"\nenvironment = \"production\"\n[services.api]\nport = 8000\n[services.worker]\ncommand = [\"work\"]\n[database]\n[uploads]\n";
    let stack = parse(file.as_bytes(), "stepstack.toml").expect("a good file");
    let digest = format!("sha256:{}", "a".repeat(64));
    let release = Release { number: 2, digest, tag: None, architecture: Some("ARM64".to_owned()) };
    let intent = Intent {
        config: Some("c0ffee".to_owned()),
        run: Some("20261122-090000-0001".to_owned()),
        release: Some(release.clone()),
        releases: 2,
        ..Intent::default()
    };
    Document {
        run: Run {
            id: "20261123-101500-abcd".to_owned(),
            execution: "arn:aws:states:us-east-1:123456789012:execution:stepstack-arive:x".to_owned(),
            app: "arive".to_owned(),
            environment: "production".to_owned(),
            operation,
            trigger: Trigger::Cli,
            caller: None,
            started_at: "2026-11-23T10:15:00Z".to_owned(),
            plan: None,
            options: Options::default(),
            parameters: Parameters::default(),
            config_key: None,
            lock: 1,
            lock_etag: None,
        },
        stack: Some(stack),
        release: Some(release),
        known_hosts: Vec::new(),
        known_buckets: Vec::new(),
        intent,
        before: None,
        putting_back: None,
        config: Some("c0ffee".to_owned()),
        stages: Stages::default(),
        looks: 0,
        verdict: Verdict { next: Next::Look, retry_after_s: 0, message: String::new() },
        caught: None,
    }
}
