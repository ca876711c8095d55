//! A document for unit tests.

use std::num::NonZeroU32;

use statemachine::config::parse;
use statemachine::message::{Document, Image, Intent, Operation, Release, Wanted};

/// A small stack of a public `api` and a `worker`, with a database, released once, accepted by an earlier run.
pub(crate) fn document(operation: Operation) -> Document {
    let file = "app = \"arive\"\nenvironment = \"production\"\n[services.api]\nport = 8000\n[services.worker]\ncommand = [\"work\"]\n[database]\n[uploads]\n";
    let stack = parse(file.as_bytes(), "stepstack.toml").expect("a good file");
    let digest = format!("sha256:{}", "a".repeat(64));
    let release = Release {
        number: NonZeroU32::MIN.saturating_add(1),
        image: Image { digest, tag: None, architecture: Some("ARM64".to_owned()) },
    };
    let intent = Intent {
        config: Some("c0ffee".to_owned()),
        run: Some("20261122-090000-0001".to_owned()),
        release: Some(release.clone()),
        releases: 2,
        ..Intent::default()
    };
    Document {
        image: Some(Wanted::Released(release)),
        intent,
        config: Some("c0ffee".to_owned()),
        ..Document::example(operation, Some(stack))
    }
}
