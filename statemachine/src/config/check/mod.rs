//! From what a person wrote to what the engine uses: defaults that depend on other keys, and every check that
//! a schema cannot make.
//!
//! Nothing here stops at the first mistake: each part fills in something harmless where it finds one, and the
//! stack is only handed out when no problem was found.

mod data;
mod hosts;
mod names;
mod network;
mod services;

use super::error::Errors;
use super::file::File;
use super::source::{Fault, Part, Path, Source, quoted};
use super::stack::{Image, Logs, Stack};
use super::{MAX_STACK_BYTES, words};

/// Checks a file whose shape is right. Fails with everything that AWS would refuse or that contradicts itself.
pub(super) fn check(file: &File, source: &Source<'_>) -> Result<Stack, Errors> {
    let File { app, environment, region, domain, network, database, uploads, image, release, services, logs } =
        file;
    let mut check = Check { source, faults: Vec::new() };
    names::app(&mut check, app);
    names::environment(&mut check, environment);
    if let Some(region) = region {
        names::region(&mut check, region);
    }
    let domain_is_good = domain.as_ref().is_none_or(|domain| names::domain(&mut check, domain));
    let production = is_production(environment);
    let stack = Stack {
        app: app.clone(),
        environment: environment.clone(),
        region: region.clone(),
        domain: domain.clone(),
        network: network::network(&mut check, network, production),
        database: database.as_ref().map(|database| data::database(&mut check, database, app, production)),
        uploads: uploads.as_ref().map(|uploads| data::uploads(&mut check, uploads, app, environment)),
        image: Image { deploy_on_push: data::deploy_on_push(&mut check, &image.deploy_on_push) },
        release: release.as_ref().and_then(|release| services::release(&mut check, release, services)),
        services: services::services(
            &mut check,
            services,
            // A bad domain was told once; its hosts would only repeat it.
            &services::Around {
                domain: domain.as_deref(),
                domain_is_good,
                has_database: database.is_some(),
                has_uploads: uploads.is_some(),
            },
        ),
        logs: Logs { retention_days: logs.retention_days },
    };
    size(&mut check, &stack);
    source.without(check.faults)?;
    Ok(stack)
}

/// Whether an environment is one that people depend on: NAT and deletion protection are then the defaults.
fn is_production(environment: &str) -> bool {
    matches!(environment, "production" | "prod")
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
                let list = words::name(path);
                self.problem(
                    &place,
                    format!("{} stands twice in `{list}`", quoted(entry.as_ref())),
                    "keep one",
                );
            }
        }
    }
}
