//! Reads what a step has to know: just what it says it has to.

use std::collections::BTreeMap;

use aws::failed;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use record::Described;
use statemachine::error::Optional as _;
use statemachine::message::{Document, Failure, StageReport};
use statemachine::naming::AwsNames;
use statemachine::resource::Name;
use statemachine::{Error, Part, Result, Stage};

use crate::Control;
use crate::carry_out::is_called_again;
use crate::decide::Decided;
use crate::decide::begin::{self, Begun};
use crate::decide::finish::{self, Worked};
use crate::decide::join::{self, Looked};

impl Control {
    /// Reads until a trigger can be decided on.
    pub(crate) async fn begin(&self, mut known: Begun) -> Result<Decided> {
        let environment = known.environment().to_owned();
        let record = self.bucket.record(&environment);
        loop {
            let unknown = match begin::begin(&known, Timestamp::now()) {
                Ok(decided) => return Ok(decided),
                Err(unknown) => unknown,
            };
            match unknown {
                begin::Unknown::Configuration(source) => {
                    let object = self.bucket.configuration(&source.key);
                    let bytes = object.bytes(source.version.as_deref()).await?;
                    known.see_configuration(&source, bytes.as_deref());
                }
                begin::Unknown::Turn(holder) => {
                    let lock = record.lock();
                    let claim = lock.claim(&holder, |execution| self.holder_state(execution)).await?;
                    known.turn = Some(claim);
                }
                begin::Unknown::WaitsFor => {
                    let request = record.run(&known.run).request().get().await?;
                    known.waits_for = Some(request.and_then(|request| request.waits_for));
                }
                begin::Unknown::Intent => {
                    known.intent = Some(record.intent().get().await?.unwrap_or_default());
                }
                begin::Unknown::NewestUpload(key) => {
                    known.newest = Some(self.bucket.configuration(&key).version().await?);
                }
                begin::Unknown::NewestImage(tag) => {
                    known.newest = Some(self.digest(&environment, &tag).await?);
                }
                begin::Unknown::Release(number) => {
                    known.earlier = Some(record.release(number).get().await?);
                }
            }
        }
    }

    /// Reads until the looks can be decided on.
    pub(crate) async fn join(&self, mut known: Looked) -> Result<Decided> {
        loop {
            match join::join(&known, Timestamp::now()) {
                Ok(decided) => return Ok(decided),
                Err(join::Unknown::Looks) => known.looks = Some(self.looks(&known.document).await?),
                Err(join::Unknown::Described) => {
                    known.described = Some(self.described(&known.document).await?);
                }
            }
        }
    }

    /// Reads until the end of a run can be decided on.
    pub(crate) async fn finish(&self, mut known: Worked) -> Result<Decided> {
        loop {
            let unknown = match finish::finish(&known, Timestamp::now()) {
                Ok(decided) => return Ok(decided),
                Err(unknown) => unknown,
            };
            let document = &known.document;
            match unknown {
                finish::Unknown::Reports => known.reports = Some(self.reports(document).await?),
                finish::Unknown::Diagnosis => {
                    known.diagnosis = Some(self.bucket.run(&document.run).diagnosis().get().await?);
                }
                finish::Unknown::Looks => known.looks = Some(self.looks(document).await?),
                finish::Unknown::Described => {
                    // A run that is done is to end, whatever stands there.
                    known.described = Some(match self.described(document).await {
                        Ok(described) => Ok(described),
                        Err(error) if is_called_again(&error) => return Err(error),
                        Err(error) => Err(Failure::of(Part::Control, &Name::from_tag("*"), &error)),
                    });
                }
            }
        }
    }

    async fn described(&self, document: &Document) -> Result<Described> {
        let described = self.bucket.record(&document.run.environment).described();
        Ok(described.get().await?.unwrap_or_default())
    }

    /// The digest of the image with this tag.
    async fn digest(&self, environment: &str, tag: &str) -> Result<Option<String>> {
        let image = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag(tag).build();
        let repository = AwsNames::new(&self.scope.app, environment).repository();
        let answer = self.ecr.describe_images().repository_name(repository).image_ids(image).send().await;
        let answer = answer.map_err(failed("ecr:DescribeImages")).optional()?;
        Ok(answer.and_then(|answer| {
            answer.image_details().first().and_then(|image| image.image_digest()).map(str::to_owned)
        }))
    }

    /// The stages' look reports.
    async fn looks(&self, document: &Document) -> Result<BTreeMap<Stage, StageReport>> {
        let reports = Stage::ALL.map(|stage| async move {
            let look = self.bucket.last_report(document, stage).await?;
            let missing = || Error::internal(format!("the look of {stage} is not there"));
            look.map(|look| (stage, look)).ok_or_else(missing)
        });
        Ok(try_join_all(reports).await?.into_iter().collect())
    }

    /// What each stage has to tell at the end.
    async fn reports(&self, document: &Document) -> Result<BTreeMap<Stage, StageReport>> {
        let reports = Stage::ALL.map(|stage| async move {
            let report = self.bucket.end_report(document, stage).await?;
            Ok::<_, Error>(report.map(|report| (stage, report)))
        });
        Ok(try_join_all(reports).await?.into_iter().flatten().collect())
    }
}
