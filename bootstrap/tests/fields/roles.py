"""Roles and log groups."""

import json

from probe import ACCOUNT, POLICY, REGION, TAGS, TRUST, UPPER, WORLD, client, compare, refused, tags


def roles():
    iam = client("iam")
    boundary = iam.create_policy(
        PolicyName="probe-boundary",
        Path="/stepstack/probe/",
        PolicyDocument=json.dumps(POLICY),
        Description="d",
        Tags=UPPER,
    )["Policy"]["Arn"]
    came = iam.get_policy(PolicyArn=boundary)["Policy"]
    compare("iam policy", {"Path": "/stepstack/probe/", "Description": "d", "DefaultVersionId": "v1"}, came)
    tags("iam policy", came.get("Tags"))
    compare(
        "iam policy", {"Document": POLICY}, iam.get_policy_version(PolicyArn=boundary, VersionId="v1")["PolicyVersion"]
    )
    iam.create_policy_version(PolicyArn=boundary, PolicyDocument=json.dumps(POLICY), SetAsDefault=True)
    compare("iam policy, changed", {"DefaultVersionId": "v2"}, iam.get_policy(PolicyArn=boundary)["Policy"])
    compare("iam policy", {"count": 2}, {"count": len(iam.list_policy_versions(PolicyArn=boundary)["Versions"])})

    iam.create_role(
        RoleName="probe",
        Path="/stepstack/probe/one/",
        AssumeRolePolicyDocument=json.dumps(TRUST),
        Description="What for",
        MaxSessionDuration=7200,
        PermissionsBoundary=boundary,
        Tags=UPPER,
    )
    iam.put_role_policy(RoleName="probe", PolicyName="inline", PolicyDocument=json.dumps(POLICY))
    came = iam.get_role(RoleName="probe")["Role"]
    compare(
        "iam role",
        {
            "Path": "/stepstack/probe/one/",
            "Description": "What for",
            "MaxSessionDuration": 7200,
            "AssumeRolePolicyDocument": TRUST,
            "PermissionsBoundary": {"PermissionsBoundaryArn": boundary},
        },
        came,
    )
    tags("iam role", came.get("Tags"))
    tags("iam role", iam.list_role_tags(RoleName="probe")["Tags"])
    compare("iam role", {"PolicyDocument": POLICY}, iam.get_role_policy(RoleName="probe", PolicyName="inline"))
    compare("iam role", {"PolicyNames": ["inline"]}, iam.list_role_policies(RoleName="probe"))
    listed = iam.list_roles(PathPrefix="/stepstack/probe/")["Roles"]
    compare("iam role listed", {"names": ["probe"]}, {"names": [one["RoleName"] for one in listed]})
    iam.update_role(RoleName="probe", Description="Other", MaxSessionDuration=3600)
    iam.update_assume_role_policy(RoleName="probe", PolicyDocument=json.dumps(POLICY))
    came = iam.get_role(RoleName="probe")["Role"]
    compare(
        "iam role, changed",
        {"Description": "Other", "MaxSessionDuration": 3600, "AssumeRolePolicyDocument": POLICY},
        came,
    )
    iam.update_assume_role_policy(RoleName="probe", PolicyDocument=json.dumps(TRUST))
    refused("iam role absent", "NoSuchEntity", lambda: iam.get_role(RoleName="absent"))
    refused(
        "iam role twice",
        "EntityAlreadyExists",
        lambda: iam.create_role(RoleName="probe", AssumeRolePolicyDocument=json.dumps(TRUST)),
    )
    refused("iam role in use", "DeleteConflict", lambda: iam.delete_role(RoleName="probe"))
    refused("iam policy absent", "NoSuchEntity", lambda: iam.get_role_policy(RoleName="probe", PolicyName="absent"))
    iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
    refused(
        "iam service-linked role twice",
        "InvalidInput",
        lambda: iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com"),
    )
    WORLD.update(role=f"arn:aws:iam::{ACCOUNT}:role/stepstack/probe/one/probe")


def log_group():
    logs = client("logs")
    logs.create_log_group(logGroupName="/probe/one", tags=TAGS)
    logs.put_retention_policy(logGroupName="/probe/one", retentionInDays=7)
    came = logs.describe_log_groups(logGroupNamePrefix="/probe/one")["logGroups"][0]
    compare("logs group", {"retentionInDays": 7, "logGroupClass": "STANDARD"}, came)
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/probe/one"
    compare("logs group", {"arn": f"{arn}:*", "logGroupArn": arn}, came)
    tags("logs group", logs.list_tags_for_resource(resourceArn=arn)["tags"])
    refused(
        "logs group twice", "ResourceAlreadyExistsException", lambda: logs.create_log_group(logGroupName="/probe/one")
    )
    refused("logs group absent", "ResourceNotFoundException", lambda: logs.delete_log_group(logGroupName="/absent"))
