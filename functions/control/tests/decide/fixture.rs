//! A document for tests.

use std::num::NonZeroU32;
use std::sync::LazyLock;

use statemachine::config::{Stack, parse};
use statemachine::message::{Document, Image, Intent, Operation, Release, Wanted};

/// A small stack of a public `api` and a `worker`, with a database.
pub(crate) const FILE: &str = "app = \"arive\"\nenvironment = \"production\"\n[services.api]\nport = 8000\n[services.worker]\ncommand = [\"work\"]\n[database]\n[uploads]\n";

static STACK: LazyLock<Stack> =
    LazyLock::new(|| parse(FILE.as_bytes(), "stepstack.toml").expect("a good file"));

/// Of a stack that was released once and accepted by an earlier run.
pub(crate) fn document(operation: Operation) -> Document {
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
        ..Document::example(operation, Some(STACK.clone()))
    }
}
