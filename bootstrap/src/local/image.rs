//! A sample image for local mode: the smallest that ECR takes and the services function can read.

use aws::failed;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::primitives::Blob;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use statemachine::Result;
use statemachine::error::Optional as _;
use statemachine::resource::hex;

/// What an OCI image's manifest calls itself.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Whether the repository holds any image; a repository that does not exist holds none.
pub async fn has_images(ecr: &Client, repository: &str) -> Result<bool> {
    let answer =
        ecr.describe_images().repository_name(repository).send().await.map_err(failed("ecr:DescribeImages"));
    Ok(answer.optional()?.is_some_and(|images| !images.image_details().is_empty()))
}

/// Puts the sample image into the repository with a tag, by the calls that `docker push` makes. Answers its
/// digest. `marker` makes it another image: another marker, another digest.
pub async fn push_sample(ecr: &Client, repository: &str, tag: &str, marker: &str) -> Result<String> {
    let (config, manifest) = sample(marker);
    upload(ecr, repository, &config).await?;
    let digest = digest(manifest.as_bytes());
    let put = ecr
        .put_image()
        .repository_name(repository)
        .image_manifest(manifest)
        .image_manifest_media_type(MANIFEST);
    match put.image_tag(tag).send().await.map_err(failed("ecr:PutImage")) {
        Ok(_) => Ok(digest),
        // The same image under the same tag is what was asked for.
        Err(error) if error.code.as_deref() == Some("ImageAlreadyExistsException") => Ok(digest),
        Err(error) => Err(error),
    }
}

/// The sample's configuration and its manifest. Nothing runs it, so it has no layer, like an image `FROM scratch`.
fn sample(marker: &str) -> (Vec<u8>, String) {
    let config = json!({
        "architecture": "arm64",
        "os": "linux",
        "config": { "Labels": { "stepstack.sample": marker } },
        "rootfs": { "type": "layers", "diff_ids": [] },
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest(&config),
            "size": config.len(),
        },
        "layers": [],
    });
    (config, manifest.to_string())
}

async fn upload(ecr: &Client, repository: &str, blob: &[u8]) -> Result<()> {
    let begun = ecr
        .initiate_layer_upload()
        .repository_name(repository)
        .send()
        .await
        .map_err(failed("ecr:InitiateLayerUpload"))?;
    let id = begun.upload_id().unwrap_or_default();
    ecr.upload_layer_part()
        .repository_name(repository)
        .upload_id(id)
        .part_first_byte(0)
        .part_last_byte(i64::try_from(blob.len()).unwrap_or(1) - 1)
        .layer_part_blob(Blob::new(blob))
        .send()
        .await
        .map_err(failed("ecr:UploadLayerPart"))?;
    let complete = ecr
        .complete_layer_upload()
        .repository_name(repository)
        .upload_id(id)
        .layer_digests(digest(blob))
        .send()
        .await;
    match complete.map_err(failed("ecr:CompleteLayerUpload")) {
        Ok(_) => Ok(()),
        Err(error) if error.kind == statemachine::ErrorKind::Exists => Ok(()),
        Err(error) => Err(error),
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_its_configuration_by_its_digest() {
        let (config, manifest) = sample("one");
        let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
        assert_eq!(manifest["config"]["digest"], digest(&config));
        let config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
        assert_eq!(config["architecture"], "arm64");
    }

    #[test]
    fn another_marker_is_another_image() {
        assert_ne!(sample("one").1, sample("two").1);
        assert_eq!(sample("one").1, sample("one").1);
    }
}
