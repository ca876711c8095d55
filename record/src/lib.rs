//! The provisioner's bucket as one typed thing, for the functions and the program: configurations, intents, locks,
//! the record of each run, releases.
//!
//! A [`Bucket`] has a [`Record`] per environment, that has one [`OfRun`] per run, and both answer with [`Object`]s,
//! which know their key and what stands there. Nothing else makes a key or reads and writes an object.

pub mod keys;
pub mod lock;
mod object;
mod report;
#[cfg(test)]
mod testing;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use aws::failed;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::CommonPrefix;
use aws_types::SdkConfig;
use futures_util::future::try_join;
use serde_json::Value;
use statemachine::error::Optional as _;
use statemachine::message::{
    Diagnosis, Intent, PlanRecord, ReleaseRecord, Run, RunRecord, RunResult, StageReport,
};
use statemachine::resource::Name;
use statemachine::{Result, Stage};

pub use lock::{Holder, Lock};
pub use object::{Object, Toml};

/// `intent/{env}.asked.json`: what the last good run described, by stage and resource.
pub type Described = BTreeMap<Stage, BTreeMap<String, Value>>;

/// A stage's note of the token-less creates that it asked for: milliseconds since the epoch, by resource.
pub type Notes = BTreeMap<Name, u64>;

/// The provisioner's bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The client.
    pub s3: Client,
    /// `stepstack-{app}-{account}-{region}`
    pub name: String,
}

impl Bucket {
    /// The bucket of this name, with a client of its own.
    pub fn new(config: &SdkConfig, name: String) -> Self {
        // Path style: emulators have no name per bucket; AWS takes both.
        let s3 = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(config.endpoint_url().is_some())
            .build();
        Self { s3: Client::from_conf(s3), name }
    }

    /// What stands there of an environment.
    pub fn record(&self, environment: &str) -> Record {
        Record { bucket: self.clone(), environment: environment.to_owned() }
    }

    /// What stands there of a run.
    pub fn run(&self, run: &Run) -> OfRun {
        self.record(&run.environment).run(&run.id)
    }

    /// The environments of which something is asked for: they have a configuration or an intent.
    pub async fn environments(&self) -> Result<BTreeSet<String>> {
        let (configurations, intents) =
            try_join(self.list(keys::ENVIRONMENTS), self.list(keys::INTENTS)).await?;
        let keys = configurations.iter().chain(&intents).map(|(key, _)| key);
        Ok(keys.map(|key| keys::environment_of(key).to_owned()).collect())
    }

    /// The runs that hold locks, by environment.
    pub async fn holders(&self) -> Result<BTreeMap<String, Holder>> {
        let mut holders = BTreeMap::new();
        for (key, _) in self.list(keys::LOCKS).await? {
            let environment = keys::environment_of(&key);
            let lock = self.record(environment).lock().get().await?;
            holders.extend(lock.and_then(|lock| Some((environment.to_owned(), lock.holder?))));
        }
        Ok(holders)
    }

    /// The keys below a prefix, in order, each with its ETag; none where there is no bucket.
    async fn list(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        let pages = self.s3.list_objects_v2().bucket(&self.name).prefix(prefix).into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("s3:ListBucket")).optional()?;
        let one = |object: &aws_sdk_s3::types::Object| {
            Some((object.key()?.to_owned(), object.e_tag().unwrap_or_default().to_owned()))
        };
        Ok(pages.unwrap_or_default().iter().flat_map(|page| page.contents()).filter_map(one).collect())
    }

    /// The configuration at a key that a run's request names.
    pub fn configuration(&self, key: &str) -> Object<Toml> {
        self.object(key.to_owned())
    }

    fn object<T>(&self, key: String) -> Object<T> {
        Object::new(self.clone(), key)
    }
}

/// What stands in the bucket of an environment.
#[derive(Clone, Debug)]
pub struct Record {
    bucket: Bucket,
    environment: String,
}

impl Record {
    /// The configuration last uploaded or accepted.
    pub fn configuration(&self) -> Object<Toml> {
        self.bucket.object(keys::environment(&self.environment))
    }

    /// What was last accepted, and what operations have laid over it.
    pub fn intent(&self) -> Object<Intent> {
        self.bucket.object(keys::intent(&self.environment))
    }

    /// What the last good run described: tells a changed file from a change outside.
    pub fn described(&self) -> Object<Described> {
        self.bucket.object(keys::asked(&self.environment))
    }

    /// The lock.
    pub fn lock(&self) -> Object<Lock> {
        self.bucket.object(keys::lock(&self.environment))
    }

    /// A release.
    pub fn release(&self, number: NonZeroU32) -> Object<ReleaseRecord> {
        self.bucket.object(keys::release(&self.environment, number))
    }

    /// A run.
    pub fn run(&self, run: &str) -> OfRun {
        OfRun { bucket: self.bucket.clone(), environment: self.environment.clone(), run: run.to_owned() }
    }

    /// The ids of the environment's runs, oldest first; none where there is no bucket.
    pub async fn runs(&self) -> Result<Vec<String>> {
        let prefix = keys::runs(&self.environment);
        let list = self.bucket.s3.list_objects_v2().bucket(&self.bucket.name).prefix(&prefix).delimiter("/");
        let pages = list.into_paginator().send().collect::<Result<Vec<_>, _>>().await;
        let pages = pages.map_err(failed("s3:ListBucket")).optional()?.unwrap_or_default();
        let run = |common: &CommonPrefix| {
            common.prefix()?.strip_prefix(&prefix).map(|rest| rest.trim_end_matches('/').to_owned())
        };
        let mut runs: Vec<String> =
            pages.iter().flat_map(|page| page.common_prefixes()).filter_map(run).collect();
        runs.sort();
        Ok(runs)
    }

    /// Deletes what was asked for: after a destroy, nothing is.
    pub async fn forget(&self) -> Result<()> {
        self.intent().delete().await?;
        self.described().delete().await?;
        self.configuration().delete().await
    }
}

/// What stands in the bucket of a run.
#[derive(Clone, Debug)]
pub struct OfRun {
    bucket: Bucket,
    environment: String,
    run: String,
}

impl OfRun {
    /// What was asked for: the first object that control writes.
    pub fn request(&self) -> Object<RunRecord> {
        self.object("request.json")
    }

    /// The configuration that it works from.
    pub fn configuration(&self) -> Object<Toml> {
        self.object("config.toml")
    }

    /// What a stage's look found, where that does not travel with the document.
    pub fn look(&self, stage: Stage) -> Object<StageReport> {
        self.bucket.object(keys::look(&self.environment, &self.run, stage))
    }

    /// The joined plan.
    pub fn plan(&self) -> Object<PlanRecord> {
        self.object("plan.json")
    }

    /// A stage's last report of making or removing.
    pub fn report(&self, stage: Stage) -> Object<StageReport> {
        self.bucket.object(keys::report(&self.environment, &self.run, stage))
    }

    /// A stage's note of token-less creates.
    pub fn notes(&self, stage: Stage) -> Object<Notes> {
        self.bucket.object(keys::notes(&self.environment, &self.run, stage))
    }

    /// What diagnose found.
    pub fn diagnosis(&self) -> Object<Diagnosis> {
        self.object("diagnosis.json")
    }

    /// How it ended: the last object.
    pub fn result(&self) -> Object<RunResult> {
        self.object("result.json")
    }

    /// What there is of it that is shown while it goes, each with its ETag.
    pub async fn news(&self) -> Result<Vec<(News, String)>> {
        let of_run = [News::Request, News::Plan, News::Result].into_iter();
        let all = of_run.chain(Stage::ALL.map(News::Report));
        let by_key: BTreeMap<String, News> = all.map(|news| (self.key_of(news), news)).collect();
        let there = self.bucket.list(&keys::run(&self.environment, &self.run)).await?;
        Ok(there.into_iter().filter_map(|(key, etag)| Some((*by_key.get(&key)?, etag))).collect())
    }

    fn key_of(&self, news: News) -> String {
        match news {
            News::Request => self.request().key().to_owned(),
            News::Plan => self.plan().key().to_owned(),
            News::Report(stage) => self.report(stage).key().to_owned(),
            News::Result => self.result().key().to_owned(),
        }
    }

    fn object<T>(&self, name: &str) -> Object<T> {
        self.bucket.object(keys::of_run(&self.environment, &self.run, name))
    }
}

/// An object of a run that is shown while it goes. Its looks are not: they stand in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// [`OfRun::request`]
    Request,
    /// [`OfRun::plan`]
    Plan,
    /// [`OfRun::report`]
    Report(Stage),
    /// [`OfRun::result`]
    Result,
}
