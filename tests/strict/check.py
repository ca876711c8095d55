"""Checks a request against its model, and against limits that AWS documents and the model leaves out."""

import functools
from collections.abc import Iterator
from typing import Any

import regex

from wire import Call

# By service and place, lists without their numbers: what AWS's pages say beyond the model.
EC2_TEXT = r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}"
LB_NAME = r"(?!internal-)[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?"
RDS_NAME = r"(?!.*--)[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
ECS_NAME = r"[A-Za-z0-9_-]{1,255}"
LIMITS = {
    ("ec2", "ClientToken"): r"[!-~]{1,64}",
    ("ec2", "CreateSecurityGroup", "GroupName"): EC2_TEXT,
    ("ec2", "CreateSecurityGroup", "Description"): EC2_TEXT,
    ("ec2", "IpPermissions.IpRanges.Description"): EC2_TEXT,
    ("ec2", "IpPermissions.Ipv6Ranges.Description"): EC2_TEXT,
    ("ec2", "IpPermissions.UserIdGroupPairs.Description"): EC2_TEXT,
    ("ec2", "SecurityGroupRules.SecurityGroupRule.Description"): EC2_TEXT,
    ("ec2", "TagSpecifications.Tags.Key"): r"(?!aws:).{1,127}",
    ("ec2", "TagSpecifications.Tags.Value"): r".{0,255}",
    ("elbv2", "CreateLoadBalancer", "Name"): LB_NAME,
    ("elbv2", "CreateTargetGroup", "Name"): LB_NAME,
    ("rds", "CreateDBCluster", "DBClusterIdentifier"): RDS_NAME,
    ("rds", "CreateDBInstance", "DBInstanceIdentifier"): RDS_NAME,
    ("rds", "CreateDBClusterSnapshot", "DBClusterSnapshotIdentifier"): RDS_NAME,
    ("rds", "DeleteDBCluster", "FinalDBSnapshotIdentifier"): RDS_NAME,
    ("rds", "CreateDBSubnetGroup", "DBSubnetGroupName"): r"(?!default$)[A-Za-z0-9._ -]{1,255}",
    (
        "rds",
        "CreateDBClusterParameterGroup",
        "DBClusterParameterGroupName",
    ): r"(?!.*--)[A-Za-z][A-Za-z0-9.-]{0,254}(?<!-)",
    ("rds", "MasterUserPassword"): r"[!#-.0-?A-~]{8,128}",
    ("rds", "CreateDBCluster", "MasterUsername"): r"[A-Za-z][A-Za-z0-9_]{0,62}",
    ("rds", "CreateDBCluster", "DatabaseName"): r"[A-Za-z][A-Za-z0-9_]{0,62}",
    ("ecs", "CreateCluster", "clusterName"): ECS_NAME,
    ("ecs", "CreateService", "serviceName"): ECS_NAME,
    ("ecs", "RegisterTaskDefinition", "family"): ECS_NAME,
    ("ecs", "CreateService", "clientToken"): r"[!-~]{1,36}",
    ("secretsmanager", "CreateSecret", "Name"): r"[A-Za-z0-9/_+=.@-]{1,512}",
    ("s3", "CreateBucket", "Bucket"): r"(?!xn--|\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    ("stepfunctions", "StartExecution", "name"): r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}",
}

# What services answer to a request that their model refuses; the others say ValidationException.
CODES = {
    "ec2": "InvalidParameterValue",
    "rds": "InvalidParameterValue",
    "iam": "ValidationError",
    "elbv2": "ValidationError",
    "sts": "ValidationError",
    "ecs": "InvalidParameterException",
    "ecr": "InvalidParameterException",
    "logs": "InvalidParameterException",
    "route53": "InvalidInput",
    "s3": "InvalidArgument",
}


def violation(call: Call) -> tuple[str, str] | None:
    """What is wrong with a call, as code and message; nothing where it is valid. No value is ever named."""
    shape = call.model.input_shape
    if shape is None or call.params is None:
        return None
    found = next(_look(call, shape, call.params, ""), None)
    if found is None:
        return None
    place, constraint = found
    if constraint == "required":
        code = "MissingParameter" if call.service in ("ec2", "rds") else CODES.get(call.service, "ValidationException")
        said = f"1 validation error detected: Value null at '{place}' failed to satisfy constraint: "
        return code, said + "Member must not be null"
    code = CODES.get(call.service, "ValidationException")
    return code, f"1 validation error detected: Value at '{place}' failed to satisfy constraint: {constraint}"


def _look(call: Call, shape: Any, value: Any, place: str) -> Iterator[Any]:
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            yield place, f"Member must be a structure, and is a {type(value).__name__}"
            return
        for name in shape.required_members:
            if value.get(name) is None:
                yield _in(place, name), "required"
        for name, inner in value.items():
            if name in shape.members and inner is not None:
                yield from _look(call, shape.members[name], inner, _in(place, name))
    elif kind == "list":
        yield from _bounds(shape, len(value), place, "Member must have length")
        for inner in value:
            yield from _look(call, shape.member, inner, place)
    elif kind == "map":
        yield from _bounds(shape, len(value), place, "Member must have length")
        for key, inner in value.items():
            yield from _look(call, shape.key, key, place)
            yield from _look(call, shape.value, inner, _in(place, key))
    else:
        yield from _look_at_scalar(call, shape, value, place)


def _look_at_scalar(call: Call, shape: Any, value: Any, place: str) -> Iterator[Any]:
    kind = shape.type_name
    if kind in ("integer", "long", "float", "double"):
        try:
            yield from _bounds(shape, float(value), place, "Member must have value")
        except (TypeError, ValueError):
            yield place, "Member must be a number"
    elif kind == "boolean":
        if value not in (True, False, "true", "false"):
            yield place, "Member must be true or false"
    elif kind == "blob":
        if isinstance(value, bytes):
            yield from _bounds(shape, len(value), place, "Member must have length")
    elif kind == "string":
        if not isinstance(value, str):
            yield place, f"Member must be a text, and is a {type(value).__name__}"
            return
        yield from _bounds(shape, len(value), place, "Member must have length")
        if shape.enum and value not in shape.enum:
            yield place, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
        pattern = shape.metadata.get("pattern")
        if pattern and not _compiled(pattern).fullmatch(value):
            yield place, f"Member must satisfy regular expression pattern: {pattern}"
        for key in ((call.service, call.operation, place), (call.service, place)):
            if key in LIMITS and not _compiled(LIMITS[key]).fullmatch(value):
                yield place, f"Member must satisfy AWS's documented form: {LIMITS[key]}"


def _bounds(shape: Any, size: float, place: str, words: str) -> Iterator[Any]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield place, f"{words} greater than or equal to {least}"
    if most is not None and size > most:
        yield place, f"{words} less than or equal to {most}"


def _in(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


@functools.cache
def _compiled(pattern: str) -> Any:
    """Java's patterns, as far as they differ from ours: pairs of surrogates, a bare hyphen after a class."""
    pattern = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF").replace(r"[\w-_", r"[\w\-_")
    return regex.compile(pattern, regex.DOTALL)
