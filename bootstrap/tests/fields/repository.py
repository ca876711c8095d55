"""The image repository."""

import hashlib
import json
import urllib.request

from probe import ACCOUNT, REGION, UPPER, WORLD, client, compare, refused, tags


def repository():
    ecr = client("ecr")
    filters = [{"filterType": "WILDCARD", "filter": "latest"}]
    sent = {
        "repositoryName": "probe/one",
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": filters,
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }
    compare("ecr repository made", sent, ecr.create_repository(tags=UPPER, **sent)["repository"])
    came = ecr.describe_repositories(repositoryNames=["probe/one"])["repositories"][0]
    compare("ecr repository", sent, came)
    tags("ecr repository", ecr.list_tags_for_resource(resourceArn=came["repositoryArn"])["tags"])
    policy = json.dumps(
        {
            "rules": [
                {
                    "rulePriority": 1,
                    "description": "d",
                    "action": {"type": "expire"},
                    "selection": {
                        "tagStatus": "untagged",
                        "countType": "sinceImagePushed",
                        "countUnit": "days",
                        "countNumber": 14,
                    },
                }
            ]
        }
    )
    ecr.put_lifecycle_policy(repositoryName="probe/one", lifecyclePolicyText=policy)
    compare("ecr repository", {"lifecyclePolicyText": policy}, ecr.get_lifecycle_policy(repositoryName="probe/one"))
    other = [{"filterType": "WILDCARD", "filter": "main"}]
    ecr.put_image_tag_mutability(
        repositoryName="probe/one",
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=other,
    )
    ecr.put_image_scanning_configuration(repositoryName="probe/one", imageScanningConfiguration={"scanOnPush": False})
    came = ecr.describe_repositories(repositoryNames=["probe/one"])["repositories"][0]
    changed = {"imageTagMutabilityExclusionFilters": other, "imageScanningConfiguration": {"scanOnPush": False}}
    compare("ecr repository, changed", changed, came)
    refused(
        "ecr repository absent",
        "RepositoryNotFoundException",
        lambda: ecr.describe_repositories(repositoryNames=["absent"]),
    )
    refused("ecr policy absent", "LifecyclePolicyNotFoundException", no_lifecycle)
    image(ecr)


def no_lifecycle():
    client("ecr").create_repository(repositoryName="probe/bare")
    client("ecr").get_lifecycle_policy(repositoryName="probe/bare")


def image(ecr):
    def digest(content):
        return "sha256:" + hashlib.sha256(content).hexdigest()

    config = json.dumps({"architecture": "arm64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    begun = ecr.initiate_layer_upload(repositoryName="probe/one")["uploadId"]
    ecr.upload_layer_part(
        repositoryName="probe/one", uploadId=begun, partFirstByte=0, partLastByte=len(config) - 1, layerPartBlob=config
    )
    made = ecr.complete_layer_upload(repositoryName="probe/one", uploadId=begun, layerDigests=[digest(config)])
    compare("ecr layer", {"layerDigest": digest(config)}, made)
    came = ecr.batch_check_layer_availability(repositoryName="probe/one", layerDigests=[digest(config)])
    compare("ecr layer", {"layerAvailability": "AVAILABLE"}, (came["layers"] or [{}])[0])
    url = ecr.get_download_url_for_layer(repositoryName="probe/one", layerDigest=digest(config))["downloadUrl"]
    compare("ecr layer", {"content": config.decode()}, {"content": get(url)})

    media = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media,
            "config": {"digest": digest(config), "size": len(config)},
            "layers": [],
        }
    )
    put = {"repositoryName": "probe/one", "imageManifest": manifest, "imageManifestMediaType": media}
    made = ecr.put_image(**put, imageTag="v1")["image"]
    compare("ecr image made", {"imageId": {"imageDigest": digest(manifest.encode()), "imageTag": "v1"}}, made)
    ecr.put_image(**put, imageTag="release-1")
    came = ecr.batch_get_image(repositoryName="probe/one", imageIds=[{"imageTag": "v1"}], acceptedMediaTypes=[media])[
        "images"
    ]
    compare("ecr image", {"imageManifest": manifest, "imageManifestMediaType": media}, came[0] if came else {})
    came = ecr.describe_images(repositoryName="probe/one", imageIds=[{"imageDigest": digest(manifest.encode())}])[
        "imageDetails"
    ][0]
    compare("ecr image", {"imageTags": ["release-1", "v1"], "imageManifestMediaType": media}, came)
    refused("ecr tag and digest twice", "ImageAlreadyExistsException", lambda: ecr.put_image(**put, imageTag="v1"))
    refused(
        "ecr image absent",
        "ImageNotFoundException",
        lambda: ecr.describe_images(repositoryName="probe/one", imageIds=[{"imageTag": "absent"}]),
    )
    refused(
        "ecr repository with images",
        "RepositoryNotEmptyException",
        lambda: ecr.delete_repository(repositoryName="probe/one"),
    )
    WORLD.update(image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/probe/one@{digest(manifest.encode())}")


def get(url):
    # Without the correction it is a host of AWS's, which this program must not call.
    if not url.startswith("http://127.0.0.1:"):
        return None
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()
