//! Every check that a schema cannot make.
//!
//! Nothing here stops at the first mistake, and the stack is only handed out when no problem was found.

mod command;
mod database;
mod hosts;
mod image;
mod names;
mod network;
mod services;
mod uploads;
mod variables;

use toml::Table;

use super::complete::complete;
use super::error::Errors;
use super::source::{Fault, Part, Path, Source};
use super::stack::{NetworkTable, Stack};
use super::words::{dotted, quoted};

/// The largest checked configuration, in bytes of JSON.
///
/// It travels in the state machine's document, whose hard limit is 262,144 bytes; ECS takes task definitions
/// of up to 64 KB.
pub const MAX_STACK_BYTES: usize = 64 * 1024;

/// Checks a file whose shape is right. Fails with everything that AWS would refuse or that contradicts itself.
pub(super) fn check(source: &Source<'_>) -> Result<Stack, Errors> {
    let mut check = Check { source, faults: Vec::new() };
    let stack = match read(&mut check) {
        Ok(stack) => stack,
        // The shape has said all that it knows; what is left is said in serde's words.
        Err(error) => {
            check.faults.push(Fault { span: error.span(), message: error.message().to_owned(), help: None });
            return Err(source.errors(check.faults));
        }
    };
    names::app(&mut check, &stack.app);
    names::environment(&mut check, &stack.environment);
    if let Some(region) = &stack.region {
        names::region(&mut check, region);
    }
    if let Some(domain) = &stack.domain {
        names::domain(&mut check, domain);
    }
    if let Some(database) = &stack.database {
        database::database(&mut check, database, &stack.app);
    }
    if let Some(uploads) = &stack.uploads {
        uploads::uploads(&mut check, uploads, &stack);
    }
    image::image(&mut check, &stack.image);
    if let Some(release) = &stack.release {
        command::release(&mut check, release, &stack.services);
    }
    services::services(&mut check, &stack);
    hosts::hosts(&mut check, &stack);
    size(&mut check, &stack);
    source.without(check.faults)?;
    Ok(stack)
}

/// The file with its defaults, and its networks read from their text.
fn read(check: &mut Check<'_>) -> Result<Stack, toml::de::Error> {
    let mut file: Table = toml::from_str(check.source.text)?;
    complete(&mut file);
    if let Some(table) = file.remove("network") {
        let table: NetworkTable = table.try_into()?;
        let network = network::network(check, &table);
        file.insert("network".to_owned(), toml::Value::try_from(network).expect("networks are plain data"));
    }
    file.try_into()
}

/// Fails on a stack that is too large to travel in the state machine's document.
fn size(check: &mut Check<'_>, stack: &Stack) {
    let bytes = serde_json::to_vec(stack).expect("the stack is plain data with text keys").len();
    if bytes > MAX_STACK_BYTES {
        check.problem(
            &[],
            format!("the configuration takes {bytes} bytes when checked; {MAX_STACK_BYTES} is the most"),
            "keep long values out of `environment`: read them from the image or from a bucket",
        );
    }
}

/// What is wrong so far.
struct Check<'s> {
    source: &'s Source<'s>,
    faults: Vec<Fault>,
}

impl Check<'_> {
    /// Whether a person wrote what `path` leads to, and no default took its place.
    fn is_written(&self, path: Path<'_>) -> bool {
        self.source.holds(path)
    }

    /// Something is wrong with the value at `path`, or with what of the path the file holds.
    fn problem(&mut self, path: Path<'_>, message: impl Into<String>, help: impl Into<String>) {
        self.faults.push(self.source.fault(path, Part::Value, message.into(), help.into()));
    }

    /// Something is wrong with the last key of `path`.
    fn key_problem(&mut self, path: Path<'_>, message: impl Into<String>, help: impl Into<String>) {
        self.faults.push(self.source.fault(path, Part::Key, message.into(), help.into()));
    }

    /// Every entry of the list at `path` that stands in it twice.
    fn duplicates(&mut self, path: Path<'_>, entries: &[impl AsRef<str>]) {
        for (index, entry) in entries.iter().enumerate() {
            if entries[..index].iter().any(|earlier| earlier.as_ref() == entry.as_ref()) {
                let index = index.to_string();
                let place: Vec<&str> = path.iter().copied().chain([index.as_str()]).collect();
                let list = dotted(path);
                self.problem(
                    &place,
                    format!("{} stands twice in `{list}`", quoted(entry.as_ref())),
                    "keep one",
                );
            }
        }
    }
}
