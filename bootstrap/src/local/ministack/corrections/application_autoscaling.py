"""Scalable targets and their policies. MiniStack has none: the whole service is here."""

import json
import uuid
from typing import Any

from ministack import app

from corrections.register import correction
from patching import Answer, Json, Original, as_json, forgotten_on_reset, wrap

# Service namespace, resource and dimension.
Target = tuple[Any, ...]

TARGETS: dict[Target, Json] = forgotten_on_reset({})
# By target and the policy's name.
POLICIES: dict[Target, Json] = forgotten_on_reset({})

IDENTITY = ("ServiceNamespace", "ResourceId", "ScalableDimension")
SHOWN = (*IDENTITY, "MinCapacity", "MaxCapacity", "RoleARN", "SuspendedState")


class Refused(Exception):
    """A call that AWS refuses."""

    def __init__(self, code: str, message: str):
        super().__init__(code, message)
        self.code, self.message = code, message


def identity(data: Json) -> Target:
    return tuple(data.get(field) for field in IDENTITY)


def register_target(data: Json) -> Json:
    arn = f"arn:aws:application-autoscaling:us-east-1:000000000000:scalable-target/{uuid.uuid4().hex[:28]}"
    known = TARGETS.setdefault(identity(data), {"ScalableTargetARN": arn, "CreationTime": 0, "tags": {}})
    known.update({field: data[field] for field in SHOWN if field in data})
    known["tags"].update(data.get("Tags", {}))
    return {"ScalableTargetARN": known["ScalableTargetARN"]}


def describe_targets(data: Json) -> Json:
    ids = data.get("ResourceIds") or []
    found = [one for one in TARGETS.values() if not ids or one["ResourceId"] in ids]
    return {"ScalableTargets": [{key: value for key, value in one.items() if key != "tags"} for one in found]}


def deregister_target(data: Json) -> Json:
    target = identity(data)
    if TARGETS.pop(target, None) is None:
        raise Refused("ObjectNotFoundException", f"No scalable target found for {named(data)}")
    for policy in [one for one in POLICIES if one[:3] == target]:
        del POLICIES[policy]
    return {}


def put_policy(data: Json) -> Json:
    target, name = identity(data), data["PolicyName"]
    if target not in TARGETS:
        raise Refused("ObjectNotFoundException", f"No scalable target registered for {named(data)}")
    arn = f"arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:{uuid.uuid4()}:policyName/{name}"
    key = (*target, name)
    before = POLICIES.get(key, {"PolicyARN": arn, "CreationTime": 0, "Alarms": []})
    POLICIES[key] = {**before, **data}
    return {"PolicyARN": before["PolicyARN"], "Alarms": []}


def describe_policies(data: Json) -> Json:
    names = data.get("PolicyNames") or []
    found = [one for one in POLICIES.values() if data.get("ResourceId") in (None, one["ResourceId"])]
    return {"ScalingPolicies": [one for one in found if not names or one["PolicyName"] in names]}


def delete_policy(data: Json) -> Json:
    if POLICIES.pop((*identity(data), data["PolicyName"]), None) is None:
        raise Refused("ObjectNotFoundException", f"No scaling policy found for {named(data)}")
    return {}


def list_tags(data: Json) -> Json:
    return {"Tags": tags(data)}


def tag(data: Json) -> Json:
    tags(data).update(data["Tags"])
    return {}


def untag(data: Json) -> Json:
    for name in data["TagKeys"]:
        tags(data).pop(name, None)
    return {}


def tags(data: Json) -> dict[str, str]:
    """The tags of the target whose ARN the call names."""
    arn = data.get("ResourceARN")
    for target in TARGETS.values():
        if target["ScalableTargetARN"] == arn:
            held: dict[str, str] = target["tags"]
            return held
    raise Refused("ResourceNotFoundException", f"there is no {arn}")


def named(data: Json) -> str:
    return f"{data.get('ResourceId')}, {data.get('ScalableDimension')}"


OPERATIONS = {
    "RegisterScalableTarget": register_target,
    "DescribeScalableTargets": describe_targets,
    "DeregisterScalableTarget": deregister_target,
    "PutScalingPolicy": put_policy,
    "DescribeScalingPolicies": describe_policies,
    "DeleteScalingPolicy": delete_policy,
    "ListTagsForResource": list_tags,
    "TagResource": tag,
    "UntagResource": untag,
}


@correction("application-autoscaling: scalable targets and policies, in memory")
def answer_autoscaling() -> None:
    async def answered(operation: str, body: bytes) -> Answer:
        try:
            if operation not in OPERATIONS:
                raise Refused("UnknownOperationException", f"{operation} is not known")
            status, said = 200, OPERATIONS[operation](json.loads(body or b"{}"))
        except Refused as refused:
            status, said = 400, {"__type": refused.code, "Message": refused.message}
        _, _, text = as_json(said)
        return status, {"Content-Type": "application/x-amz-json-1.1"}, text

    def dispatched(original: Original, method: str, path: str, headers: Json, body: bytes, *others: Any) -> Any:
        target = headers.get("x-amz-target", "")
        if not target.startswith("AnyScaleFrontendService."):
            return original(method, path, headers, body, *others)
        return answered(target.rsplit(".", 1)[-1], body)

    wrap(app, "_dispatch_service_request", dispatched)
