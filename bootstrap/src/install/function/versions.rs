//! What Lambda holds of a function: its latest configuration and the versions that were published.

use aws::failed;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{Architecture, FunctionConfiguration, Runtime};
use futures_util::future::try_join;
use statemachine::Result;
use statemachine::error::Optional as _;
use statemachine::resource::{Context, Name, Names};

use super::Function;
use crate::install::function::Code;
use crate::install::names;

/// Versions that stay: the one that runs, and those that running executions may have begun with.
const KEPT_VERSIONS: usize = 5;

/// A function, its tags and its published versions.
pub struct Raw {
    pub(super) latest: FunctionConfiguration,
    pub(super) owned: Option<Name>,
    versions: Vec<FunctionConfiguration>,
}

impl Raw {
    /// The newest published version.
    pub(super) fn newest(&self) -> Option<(u64, &FunctionConfiguration)> {
        let numbered = self.versions.iter().filter_map(|version| Some((number(version)?, version)));
        numbered.max_by_key(|(number, _)| *number)
    }

    pub(super) fn published(&self, names: &Names) -> Function {
        match self.newest() {
            Some((_, version)) => describe(version, names),
            None => Function { code_sha256: String::new(), ..describe(&self.latest, names) },
        }
    }
}

pub(super) async fn look_at(ctx: &Context, client: &Client, id: &str) -> Result<Option<Raw>> {
    let function = async {
        let get = client.get_function().function_name(id).send().await;
        get.map_err(failed("lambda:GetFunction")).optional()
    };
    let (function, versions) = try_join(function, versions(client, id)).await?;
    let Some(function) = function else { return Ok(None) };
    let Some(latest) = function.configuration else { return Ok(None) };
    let tags = function.tags.unwrap_or_default();
    let owned = ctx.owned(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    Ok(Some(Raw { latest, owned, versions }))
}

async fn versions(client: &Client, id: &str) -> Result<Vec<FunctionConfiguration>> {
    let pages = client.list_versions_by_function().function_name(id).into_paginator().items().send();
    let versions = pages.collect::<Result<Vec<_>, _>>().await;
    Ok(versions.map_err(failed("lambda:ListVersionsByFunction")).optional()?.unwrap_or_default())
}

pub(super) async fn delete_old_versions(client: &Client, id: &str) -> Result<()> {
    let mut numbers: Vec<u64> = versions(client, id).await?.iter().filter_map(number).collect();
    numbers.sort_unstable();
    for old in numbers.iter().rev().skip(KEPT_VERSIONS) {
        let delete = client.delete_function().function_name(id).qualifier(old.to_string()).send().await;
        delete.map_err(failed("lambda:DeleteFunction")).optional()?;
    }
    Ok(())
}

/// The number of a published version; `$LATEST` has none.
fn number(version: &FunctionConfiguration) -> Option<u64> {
    version.version()?.parse().ok()
}

pub(super) fn describe(version: &FunctionConfiguration, names: &Names) -> Function {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let environment = version.environment().and_then(|environment| environment.variables().cloned());
    Function {
        what: String::new(),
        description: text(version.description()),
        code_sha256: text(version.code_sha256()),
        architecture: text(version.architectures().first().map(Architecture::as_str)),
        runtime: text(version.runtime().map(Runtime::as_str)),
        handler: text(version.handler()),
        memory_mb: version.memory_size().unwrap_or_default(),
        timeout_s: version.timeout().unwrap_or_default(),
        role: names.name_of(names::role_of_arn(version.role().unwrap_or_default())),
        environment: environment.unwrap_or_default().into_iter().collect(),
        code: Code::default(),
    }
}
