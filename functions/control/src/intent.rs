//! What a run changes of the intent, when its plan is accepted and when it is done.

use record::keys;
use statemachine::config::Stack;
use statemachine::message::{Document, Intent, Operation, TakesEffect};

/// What is written when a plan is accepted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accepted {
    /// The run's configuration becomes the environment's own.
    pub takes_configuration: bool,
    /// The intent, where it becomes another one.
    pub intent: Option<Box<Intent>>,
}

/// Whether what an operation asks for becomes the intent only once the services run it. Of every other, the next run
/// goes on with it.
pub(crate) fn counts_when_done(operation: Operation) -> bool {
    operation.facts().takes_effect == TakesEffect::Done
}

/// Accepts the document's plan: the intent names the configuration and its run, and holds what is laid over it.
pub(crate) fn accept(document: &mut Document) -> Accepted {
    let run = &document.run;
    let before = document.before.as_deref().unwrap_or(&document.intent).clone();
    let mut intent = document.intent.clone();
    let mut accepted = Accepted::default();
    if let (Some(stack), Operation::Apply) = (&document.stack, run.operation) {
        let config = document.config.clone();
        accepted.takes_configuration =
            intent.config != config && run.config_key.as_ref() != Some(&keys::environment(&run.environment));
        let engine = Some(env!("CARGO_PKG_VERSION").to_owned());
        if intent.config != config || intent.engine != engine || intent.run.is_none() {
            intent.config = config;
            intent.run = Some(run.id.clone());
            intent.at = Some(run.started_at.clone());
            intent.engine = engine;
        }
        // They only grow while a run is under way: what leaves with the old file is still to be found.
        intent.hosts = joined(stack.hosts().collect(), &intent.hosts);
        intent.buckets = joined(buckets(stack), &intent.buckets);
    }
    if !counts_when_done(run.operation) && intent != before {
        accepted.intent = Some(Box::new(intent.clone()));
        document.before = Some(Box::new(before));
        document.intent = intent;
    }
    accepted
}

/// The intent once the run is done: what the old file named is no longer to be found.
pub(crate) fn settled(document: &Document) -> Intent {
    let mut intent = document.intent.clone();
    if let (Some(stack), Operation::Apply) = (&document.stack, document.run.operation) {
        intent.hosts = stack.hosts().collect();
        intent.buckets = buckets(stack);
    }
    intent
}

/// The name of a stack's uploads bucket.
fn buckets(stack: &Stack) -> Vec<String> {
    stack.uploads.iter().map(|uploads| uploads.bucket.clone()).collect()
}

/// What is known already, and what is new.
fn joined(new: Vec<String>, known: &[String]) -> Vec<String> {
    let old = known.iter().filter(|name| !new.contains(name)).cloned().collect::<Vec<_>>();
    new.into_iter().chain(old).collect()
}
