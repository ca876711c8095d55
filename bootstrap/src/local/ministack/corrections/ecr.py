"""Images and their layers."""

import base64
import fnmatch
import hashlib
import json
import os

from ministack.services import ecr, eventbridge

import door
from corrections.register import correction
from patching import Answer, Json, Original, body_of, forgotten_on_reset, handle, with_body, wrap


@correction("ecr: a push emits the event `ECR Image Action`")
def emit_image_action() -> None:
    def around(original: Original, data: Json) -> Answer:
        answer = original(data)
        if answer[0] == 200:
            image = body_of(answer)["image"]
            detail = {
                "action-type": "PUSH",
                "result": "SUCCESS",
                "repository-name": data["repositoryName"],
                "image-digest": image["imageId"]["imageDigest"],
                "manifest-media-type": image.get("imageManifestMediaType", ""),
            }
            if data.get("imageTag"):
                detail["image-tag"] = data["imageTag"]
            entry = {
                "Source": "aws.ecr",
                "DetailType": "ECR Image Action",
                "Detail": json.dumps(detail),
                "Resources": [],
            }
            eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
        return answer

    wrap(ecr, "_put_image", around)


@correction("ecr: layers are kept, and can be looked for and downloaded")
def keep_layers() -> None:
    parts: dict[str, bytes] = forgotten_on_reset({})
    layers: dict[tuple[str, str], bytes] = forgotten_on_reset({})

    def upload(original: Original, data: Json) -> Answer:
        answer = original(data)
        content = base64.b64decode(data.get("layerPartBlob", ""))
        parts[data["uploadId"]] = parts.get(data["uploadId"], b"") + content
        body = {**body_of(answer), "lastByteReceived": data.get("partLastByte", 0)}
        return with_body(answer, body)

    def complete(original: Original, data: Json) -> Answer:
        content = parts.pop(data["uploadId"], b"")
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if digest not in data.get("layerDigests", []):
            return ecr.error_response_json("InvalidLayerException", f"The layer's digest is {digest}.", 400)
        layers[(data["repositoryName"], digest)] = content
        return original(data)

    def look(original: Original, data: Json) -> Answer:
        answer = original(data)
        body = body_of(answer)
        for layer in body.get("layers", []):
            content = layers.get((data["repositoryName"], layer["layerDigest"]))
            if content is not None:
                layer.update({"layerAvailability": "AVAILABLE", "layerSize": len(content)})
        return with_body(answer, body)

    def address(original: Original, data: Json) -> Answer:
        answer = original(data)
        if answer[0] != 200:
            return answer
        if (data["repositoryName"], data.get("layerDigest")) not in layers:
            return ecr.error_response_json(
                "LayersNotFoundException", f"There is no layer {data.get('layerDigest')}.", 400
            )
        port = os.environ.get("GATEWAY_PORT", "4566")
        path = door.ticket(f"{door.DOWNLOADS}{data['repositoryName']}/{data['layerDigest']}")
        return with_body(answer, {**body_of(answer), "downloadUrl": f"http://127.0.0.1:{port}{path}"})

    def download(path: str) -> Answer:
        repository, _, digest = path.rpartition("/")
        content = layers.get((repository, digest))
        if content is None:
            return 404, {}, b""
        return 200, {"Content-Type": "application/octet-stream"}, content

    wrap(ecr, "_upload_layer_part", upload)
    wrap(ecr, "_complete_layer_upload", complete)
    wrap(ecr, "_batch_check_layer_availability", look)
    wrap(ecr, "_get_download_url_for_layer", address)
    handle("GET", door.DOWNLOADS, download)


@correction("ecr: imageTagMutabilityExclusionFilters come back")
def keep_exclusion_filters() -> None:
    field = "imageTagMutabilityExclusionFilters"

    def remember(original: Original, data: Json) -> Answer:
        answer = original(data)
        repository = ecr._repositories.get(data.get("repositoryName", ""))
        if answer[0] == 200 and repository is not None:
            repository[field] = data.get(field, [])
            shown = body_of(answer)
            if "repository" in shown:
                shown["repository"] = ecr._repo_shape(repository)
                return with_body(answer, shown)
        return answer

    def show(original: Original, repository: Json) -> Json:
        shape: Json = original(repository)
        if repository.get(field):
            shape[field] = repository[field]
        return shape

    wrap(ecr, "_repo_shape", show)
    wrap(ecr, "_create_repository", remember)
    wrap(ecr, "_put_image_tag_mutability", remember)


@correction("ecr: an image is put under a tag once, and an immutable tag does not move")
def refuse_images() -> None:
    def put(original: Original, data: Json) -> Answer:
        repository, tag = ecr._repositories.get(data.get("repositoryName", "")), data.get("imageTag")
        held = ecr._find_image(data.get("repositoryName", ""), {"imageTag": tag}) if repository and tag else None
        if held:
            digest = data.get("imageDigest") or ecr._image_digest(data.get("imageManifest", ""))
            if held["imageDigest"] == digest:
                said = f"Image with digest '{digest}' and tag '{tag}' already exists in the repository."
                return ecr.error_response_json("ImageAlreadyExistsException", said, 400)
            filters = [one["filter"] for one in repository.get("imageTagMutabilityExclusionFilters") or []]
            excluded = any(fnmatch.fnmatchcase(tag, pattern) for pattern in filters)
            mutability = repository.get("imageTagMutability")
            if mutability == "IMMUTABLE" or (mutability == "IMMUTABLE_WITH_EXCLUSION" and not excluded):
                said = f"The image tag '{tag}' already exists and cannot be overwritten: it is immutable."
                return ecr.error_response_json("ImageTagAlreadyExistsException", said, 400)
        return original(data)

    wrap(ecr, "_put_image", put)


@correction("ecr: describing an image that is not there is refused")
def refuse_absent_images() -> None:
    def describe(original: Original, data: Json) -> Answer:
        answer = original(data)
        for one in data.get("imageIds") or [] if answer[0] == 200 else []:
            if ecr._find_image(data["repositoryName"], one) is None:
                return ecr.error_response_json("ImageNotFoundException", f"There is no image {json.dumps(one)}.", 400)
        return answer

    wrap(ecr, "_describe_images", describe)
