//! The record in the provisioner's bucket, as far as commands read it.

use std::num::NonZeroU32;

use aws::failed;
use record::keys;
use record::lock::Lock;
use serde::de::DeserializeOwned;
use statemachine::config::{Stack, parse};
use statemachine::error::Optional as _;
use statemachine::message::{Intent, PlanRecord, ReleaseRecord, RunRecord, RunResult, StageReport};
use statemachine::{ErrorKind, Stage};

use super::Session;
use crate::error::{CliError, Result};

impl Session {
    /// What a run was asked for; `None` until it has begun.
    pub(crate) async fn run_record(&self, run: &str) -> Result<Option<RunRecord>> {
        self.get(&keys::of_run(&self.environment, run, "request.json")).await
    }

    /// What a run plans; `None` where it has made no plan.
    pub(crate) async fn plan_record(&self, run: &str) -> Result<Option<PlanRecord>> {
        self.get(&keys::of_run(&self.environment, run, "plan.json")).await
    }

    /// How a run ended; `None` until it has.
    pub(crate) async fn run_result(&self, run: &str) -> Result<Option<RunResult>> {
        self.get(&keys::of_run(&self.environment, run, "result.json")).await
    }

    /// What a stage of a run says; `None` where the run has only looked at it.
    pub(crate) async fn report(&self, run: &str, stage: Stage) -> Result<Option<StageReport>> {
        self.get(&keys::report(&self.environment, run, stage)).await
    }

    /// The stages' reports of a run, in order; those it only looked at are left out.
    pub(crate) async fn reports(&self, run: &str) -> Result<Vec<StageReport>> {
        let mut reports = Vec::new();
        for stage in Stage::ALL {
            reports.extend(self.report(run, stage).await?);
        }
        Ok(reports)
    }

    /// What was accepted last; `None` where there is no such environment.
    pub(crate) async fn intent(&self) -> Result<Option<Intent>> {
        self.get(&keys::intent(&self.environment)).await
    }

    /// The lock; `None` where nobody ever took it.
    pub(crate) async fn lock(&self) -> Result<Option<Lock>> {
        self.get(&keys::lock(&self.environment)).await
    }

    /// The release of this number.
    pub(crate) async fn release_record(&self, number: NonZeroU32) -> Result<Option<ReleaseRecord>> {
        self.get(&keys::release(&self.environment, number)).await
    }

    /// An object of the record, as JSON; `None` when there is none.
    pub(crate) async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let Some(text) = self.text(key).await? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            CliError::failed(format!("{key} cannot be read: {error}. Is the program as new as the engine?"))
        })
    }

    /// An object of the provisioner's bucket, as text; `None` when there is none.
    pub(crate) async fn text(&self, key: &str) -> Result<Option<String>> {
        let get = self.s3.get_object().bucket(self.scope.bucket()).key(key).send().await;
        let Some(object) = get.map_err(failed("s3:GetObject")).optional()? else { return Ok(None) };
        let bytes = object.body.collect().await.map_err(|error| CliError {
            kind: Some(ErrorKind::Transient),
            ..CliError::failed(format!("Reading {key} broke off: {error}"))
        })?;
        Ok(Some(String::from_utf8_lossy(&bytes.into_bytes()).into_owned()))
    }

    /// The configuration that was accepted last; `None` where there is no such environment.
    pub(crate) async fn accepted_stack(&self) -> Result<Option<Stack>> {
        let Some(run) = self.intent().await?.and_then(|intent| intent.run) else { return Ok(None) };
        let key = keys::of_run(&self.environment, &run, "config.toml");
        let text = self.text(&key).await?;
        let name = "the configuration that was accepted last";
        Ok(text.map(|text| parse(text.as_bytes(), name)).transpose()?)
    }

    /// The keys below a prefix, each with its ETag; none when there is no bucket.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        let pages =
            self.s3.list_objects_v2().bucket(self.scope.bucket()).prefix(prefix).into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("s3:ListBucket")).optional()?;
        let one = |object: &aws_sdk_s3::types::Object| {
            Some((object.key()?.to_owned(), object.e_tag().unwrap_or_default().to_owned()))
        };
        Ok(pages.unwrap_or_default().iter().flat_map(|page| page.contents()).filter_map(one).collect())
    }

    /// The ids of the environment's runs, oldest first.
    pub(crate) async fn runs(&self) -> Result<Vec<String>> {
        let prefix = keys::runs(&self.environment);
        let list = self
            .s3
            .list_objects_v2()
            .bucket(self.scope.bucket())
            .prefix(&prefix)
            .delimiter("/")
            .into_paginator()
            .send();
        let pages = list.collect::<Result<Vec<_>, _>>().await.map_err(failed("s3:ListBucket")).optional()?;
        let run = |common: &aws_sdk_s3::types::CommonPrefix| {
            common.prefix()?.strip_prefix(&prefix).map(|rest| rest.trim_end_matches('/').to_owned())
        };
        let mut runs: Vec<String> = pages
            .unwrap_or_default()
            .iter()
            .flat_map(|page| page.common_prefixes())
            .filter_map(run)
            .collect();
        runs.sort();
        Ok(runs)
    }
}
