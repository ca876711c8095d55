//! How each thing that a course writes is written.

use aws::failed;
use statemachine::error::Optional as _;
use statemachine::message::{Release, Run, RunRecord};
use statemachine::naming::AwsNames;
use statemachine::{ErrorKind, Result};

use crate::Control;
use crate::carry_out::Write;

impl Control {
    /// Writes in order, up to what cannot be written.
    pub(crate) async fn write_all(&self, writes: Vec<Write>, run: &mut Run) -> Result<()> {
        for write in writes {
            self.write(write, run).await?;
        }
        Ok(())
    }

    async fn write(&self, write: Write, run: &mut Run) -> Result<()> {
        let (record, of_run) = (self.bucket.record(&run.environment), self.bucket.run(run));
        match write {
            Write::Request(waits_for) => {
                of_run.request().put(&RunRecord { run: run.clone(), waits_for }).await
            }
            Write::Configuration(text) => of_run.configuration().put_text(text).await,
            Write::Plan(plan) => of_run.plan().put(&plan).await,
            Write::Accept => of_run.configuration().copy_to(&record.configuration()).await,
            Write::Intent(intent) => record.intent().put(&intent).await,
            Write::Described(described) => record.described().put(&described).await,
            Write::Release(release) => record.release(release.release.number).put(&release).await,
            Write::Tag(release) => self.tag(run, &release).await,
            Write::Forget => record.forget().await,
            Write::Resume => {
                run.lock_etag = record.lock().resume(&run.execution).await?;
                Ok(())
            }
        }
    }

    /// The tag `release-{n}` on the image, so that it is never expired.
    async fn tag(&self, run: &Run, release: &Release) -> Result<()> {
        let repository = AwsNames::new(&run.app, &run.environment).repository();
        let image =
            aws_sdk_ecr::types::ImageIdentifier::builder().image_digest(&release.image.digest).build();
        let get = self.ecr.batch_get_image().repository_name(&repository).image_ids(image).send().await;
        let Some(found) = get.map_err(failed("ecr:BatchGetImage")).optional()? else { return Ok(()) };
        let Some(image) = found.images().first() else { return Ok(()) };
        let put = self
            .ecr
            .put_image()
            .repository_name(repository)
            .set_image_manifest(image.image_manifest().map(str::to_owned))
            .set_image_manifest_media_type(image.image_manifest_media_type().map(str::to_owned))
            .image_digest(&release.image.digest)
            .image_tag(format!("release-{}", release.number));
        match put.send().await.map_err(failed("ecr:PutImage")) {
            // Already tagged by an earlier try of this step.
            Ok(_) => Ok(()),
            Err(error) if error.kind == ErrorKind::Exists => Ok(()),
            Err(error) => Err(error),
        }
    }
}
