//! The image that all services run: which one, and for which architecture.

use aws::failed;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageDetail, ImageIdentifier};
use serde::Deserialize;
use statemachine::error::{Optional as _, required};
use statemachine::{Error, ErrorKind, Result};

/// An image and the architecture that its tasks run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `sha256:…`
    pub digest: String,
    /// `ARM64` or `X86_64`, as ECS names them.
    pub architecture: String,
}

/// The newest image with one of these tags; else the newest that has any tag. `None`: there is none.
pub(crate) async fn newest(ecr: &Client, repository: &str, tags: &[String]) -> Result<Option<String>> {
    let pages = ecr.describe_images().repository_name(repository).into_paginator().items().send();
    let images = pages
        .collect::<Result<Vec<_>, _>>()
        .await
        .map_err(failed("ecr:DescribeImages"))
        .optional()?
        .unwrap_or_default();
    let has_wanted_tag = |image: &&ImageDetail| image.image_tags().iter().any(|tag| tags.contains(tag));
    let newest = |images: Vec<&ImageDetail>| {
        let at =
            |image: &&ImageDetail| image.image_pushed_at().map_or(0, aws_sdk_ecr::primitives::DateTime::secs);
        images.into_iter().max_by_key(at).and_then(|image| image.image_digest().map(str::to_owned))
    };
    // Signatures and attestations stand beside the images, tagged with the digest that they are about.
    let has_any_tag = |image: &&ImageDetail| image.image_tags().iter().any(|tag| !tag.starts_with("sha256-"));
    let wanted = newest(images.iter().filter(has_wanted_tag).collect());
    Ok(wanted.or_else(|| newest(images.iter().filter(has_any_tag).collect())))
}

/// As much of a manifest or index as tells the architecture.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Manifest {
    manifests: Vec<Entry>,
    config: Option<Config>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    platform: Platform,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Platform {
    architecture: String,
}

#[derive(Debug, Deserialize)]
struct Config {
    digest: String,
}

/// Reads the architecture from the index, or from the image's configuration. An index that offers both is
/// run on ARM64, which is cheaper. An image that the repository does not hold is [`ErrorKind::Missing`].
pub(crate) async fn architecture(ecr: &Client, repository: &str, digest: &str) -> Result<String> {
    let media = [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ];
    let id = ImageIdentifier::builder().image_digest(digest).build();
    let get = ecr
        .batch_get_image()
        .repository_name(repository)
        .image_ids(id)
        .set_accepted_media_types(Some(media.map(str::to_owned).into()));
    let images = get.send().await.map_err(failed("ecr:BatchGetImage"))?;
    let Some(text) = images.images().first().and_then(|image| image.image_manifest()) else {
        let message = format!(
            "The image {digest} is not in the repository {repository} any more. Push it again, or deploy another."
        );
        return Err(Error::new(ErrorKind::Missing, message));
    };
    let unreadable = |error: serde_json::Error| {
        Error::internal(format!("the manifest of {digest} cannot be read: {error}"))
    };
    let manifest: Manifest = serde_json::from_str(text).map_err(unreadable)?;
    let offered: Vec<String> = if manifest.manifests.is_empty() {
        let Some(config) = manifest.config else {
            return Err(Error::internal(format!("the manifest of {digest} names no configuration")));
        };
        vec![configured(ecr, repository, &config.digest).await?]
    } else {
        manifest.manifests.into_iter().map(|entry| entry.platform.architecture).collect()
    };
    choose(&offered).ok_or_else(|| {
        let message =
            format!("The image {digest} is built for {}; Fargate runs arm64 and amd64.", offered.join(", "));
        Error::new(ErrorKind::Invalid, message)
    })
}

fn choose(offered: &[String]) -> Option<String> {
    let has = |name: &str| offered.iter().any(|one| one == name);
    match (has("arm64"), has("amd64")) {
        (true, _) => Some("ARM64".to_owned()),
        (false, true) => Some("X86_64".to_owned()),
        (false, false) => None,
    }
}

/// The architecture in an image's configuration, a blob of the repository.
async fn configured(ecr: &Client, repository: &str, digest: &str) -> Result<String> {
    let url = ecr.get_download_url_for_layer().repository_name(repository).layer_digest(digest).send().await;
    let url = url.map_err(failed("ecr:GetDownloadUrlForLayer"))?;
    let url = required(url.download_url(), "layer", "a download URL")?.to_owned();
    let bytes = aws::download(&url).await?;
    let platform: Platform = serde_json::from_slice(&bytes)
        .map_err(|error| Error::internal(format!("the configuration {digest} cannot be read: {error}")))?;
    Ok(platform.architecture)
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn the_cheaper_architecture_is_chosen_where_the_image_offers_both() {
        let offered = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(choose(&offered(&["amd64", "arm64"])).as_deref(), Some("ARM64"));
        assert_eq!(choose(&offered(&["amd64"])).as_deref(), Some("X86_64"));
        assert_eq!(choose(&offered(&["riscv64"])), None);
    }
}
