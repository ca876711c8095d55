//! `deploy`: rolls the services to an image.

use std::path::PathBuf;

use aws::failed;
use clap::Args;
use statemachine::config::near;
use statemachine::error::Optional as _;
use statemachine::message::{Operation, Parameters};

use super::docker::build_and_push;
use super::start::start;
use crate::cli::{Global, Start};
use crate::error::{CliError, Code, Result};
use crate::session::Session;

/// `deploy`
#[derive(Debug, Args)]
pub struct Deploy {
    /// A tag or a digest (`sha256:…`) in the stack's repository
    #[arg(required_unless_present = "build")]
    pub image: Option<String>,
    /// Build this directory with docker and push it first
    #[arg(long, value_name = "DIR", conflicts_with = "image")]
    pub build: Option<PathBuf>,
    /// With --build: what it is built for, `linux/arm64` or `linux/amd64`; else what docker builds for here
    #[arg(long, requires = "build")]
    pub platform: Option<String>,
    /// How it starts
    #[command(flatten)]
    pub start: Start,
}

pub(crate) async fn deploy(global: &Global, deploy: &Deploy) -> Result<Code> {
    let session = Session::open(global).await?;
    let built = match &deploy.build {
        Some(directory) => Some(build_and_push(&session, directory, deploy.platform.as_deref()).await?),
        None => None,
    };
    let image = built.as_deref().or(deploy.image.as_deref()).unwrap_or_default();
    let (digest, tag) = resolve(&session, image).await?;
    let parameters = Parameters { image: Some(digest), tag, ..Parameters::default() };
    start(&session, Operation::Deploy, parameters, &deploy.start).await
}

/// The digest of a tag or digest in the stack's repository, and the tag where it is one.
async fn resolve(session: &Session, image: &str) -> Result<(String, Option<String>)> {
    let wanted = image.rsplit('@').next().filter(|part| part.starts_with("sha256:"));
    let tag = wanted.is_none().then(|| image.rsplit(':').next().unwrap_or(image));
    let id = aws_sdk_ecr::types::ImageIdentifier::builder()
        .set_image_digest(wanted.map(str::to_owned))
        .set_image_tag(tag.map(str::to_owned));
    let ecr = aws_sdk_ecr::Client::new(&session.config);
    let found = ecr.describe_images().repository_name(session.stack()).image_ids(id.build()).send().await;
    let found = found.map_err(failed("ecr:DescribeImages")).optional()?;
    let digest = found.and_then(|found| {
        found.image_details().first().and_then(|image| image.image_digest().map(str::to_owned))
    });
    if let Some(digest) = digest {
        return Ok((digest, tag.map(str::to_owned)));
    }
    let known = tags(&ecr, &session.stack()).await?;
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let message = format!("There is no image {image:?} in the repository {}.", session.stack());
    let error = CliError::refused(message);
    Err(match tag.and_then(|tag| near(tag, &known)) {
        Some(near) => error.help(format!("Did you mean {near:?}?")),
        None if known.is_empty() => {
            error.help("Push it first, or build and deploy it with `deploy --build DIR`.")
        }
        None => error.help(format!("Push it first, or name one of the newest tags: {}.", known.join(", "))),
    })
}

/// The newest tags of a repository, without the engine's own.
async fn tags(ecr: &aws_sdk_ecr::Client, repository: &str) -> Result<Vec<String>> {
    let pages = ecr.describe_images().repository_name(repository).into_paginator().items().send();
    let images =
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ecr:DescribeImages")).optional()?;
    let mut images = images.unwrap_or_default();
    images.sort_by_key(|image| {
        std::cmp::Reverse(image.image_pushed_at().map_or(0, aws_sdk_ecr::primitives::DateTime::secs))
    });
    let tags = images.iter().flat_map(|image| image.image_tags());
    Ok(tags.filter(|tag| !tag.starts_with("release-")).take(10).cloned().collect())
}
