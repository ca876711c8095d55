//! A run: what it gets, and what its resources are called.

use statemachine::Part;
use statemachine::config::{self, Stack};
use statemachine::message::{Document, Operation};
use statemachine::permission::Scope;
use statemachine::resource::{Context, Name};

/// The context of a stage (or of the engine), with 50 seconds left.
pub fn context(stage: impl Into<Part>) -> Context {
    Context::example(stage)
}

/// The document of a run that has not looked yet. Without a stack it removes everything.
pub fn document(operation: Operation, stack: Option<Stack>) -> Document {
    Document::example(operation, stack)
}

/// The stack that this file describes.
pub fn stack(file: &str) -> Stack {
    config::parse(file.as_bytes(), "stepstack.toml").expect("the file is a good one")
}

/// Where the parts of the engine stand.
pub fn scope() -> Scope {
    Scope { app: "arive".to_owned(), account: "123456789012".to_owned(), region: "us-east-1".to_owned() }
}

/// The same with the longest names that there may be.
pub fn longest_scope() -> Scope {
    Scope { app: "a".repeat(20), region: "ap-southeast-1".to_owned(), ..scope() }
}

/// The tags of a resource, as those of an SDK that `tag` makes of key and value.
pub fn tags<T>(stage: impl Into<Part>, name: &Name, tag: impl Fn(String, String) -> T) -> Vec<T> {
    context(stage).tags(name).into_iter().map(|(key, value)| tag(key, value)).collect()
}
