"""What the checks share: clients, comparisons, and what they send."""

import json
import sys

import botocore.config
import botocore.exceptions
import botocore.session

ENDPOINT = sys.argv[1]
ACCOUNT, REGION = "000000000000", "us-east-1"
TAGS = {"stepstack:stack": "probe/one", "stepstack:name": "a thing"}
UPPER = [{"Key": key, "Value": value} for key, value in TAGS.items()]
LOWER = [{"key": key, "value": value} for key, value in TAGS.items()]
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "One", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::a/*"]}],
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        }
    ],
}

SESSION = botocore.session.Session()
CLIENTS = {}
# Ids of what one check created and others use.
WORLD = {}


def client(name):
    if name not in CLIENTS:
        CLIENTS[name] = SESSION.create_client(
            name,
            region_name=REGION,
            endpoint_url=ENDPOINT,
            config=botocore.config.Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )
    return CLIENTS[name]


def lost(subject, field, sent, came):
    print(f"{subject}: {field}: sent {show(sent)}, came back {show(came)}")


def show(value):
    return json.dumps(value, sort_keys=True, default=str)


def compare(subject, sent, came):
    """Every field sent is there with the same value. Lists are compared as sets: AWS keeps no order either."""
    for field, value in sent.items():
        other = came.get(field) if isinstance(came, dict) else None
        if isinstance(value, dict) and isinstance(other, dict):
            compare(f"{subject}: {field}", value, other)
        elif (
            isinstance(value, list) and isinstance(other, list) and sorted(map(show, value)) == sorted(map(show, other))
        ):
            continue
        elif value != other:
            lost(subject, field, value, other)


def tags(subject, came):
    """Tags in any of the three forms that AWS has for them."""
    if isinstance(came, list):
        came = {one.get("Key", one.get("key")): one.get("Value", one.get("value")) for one in came}
    compare(f"{subject}: tags", TAGS, came or {})


def refused(subject, code, call):
    """AWS refuses this call with this code, and the product reads the code."""
    try:
        call()
        lost(subject, "error", code, None)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != code:
            lost(subject, "error", code, error.response["Error"]["Code"])


def specification(kind):
    return [{"ResourceType": kind, "Tags": UPPER}]


def tag_filter():
    return [{"Name": "tag:stepstack:stack", "Values": ["probe/one"]}]
