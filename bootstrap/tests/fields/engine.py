"""What the installer creates: functions, state machine, rules and their events."""

import base64
import hashlib
import io
import json
import time
import zipfile

from probe import ACCOUNT, LOWER, REGION, TAGS, UPPER, WORLD, client, compare, refused, tags


def functions():
    lambdas = client("lambda")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("bootstrap", "#!/bin/sh\nexit 1\n")
    sent = {
        "FunctionName": "probe",
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": WORLD.get("role", "role"),
        "Description": "What for",
        "Timeout": 90,
        "MemorySize": 256,
        "Architectures": ["x86_64"],
        "PackageType": "Zip",
        "Environment": {"Variables": {"STEPSTACK_BUCKET": "b"}},
        "TracingConfig": {"Mode": "PassThrough"},
        "LoggingConfig": {
            "LogFormat": "JSON",
            "LogGroup": "/probe/one",
            "ApplicationLogLevel": "INFO",
            "SystemLogLevel": "WARN",
        },
        "EphemeralStorage": {"Size": 512},
    }
    made = lambdas.create_function(Code={"ZipFile": content.getvalue()}, Tags=TAGS, Publish=True, **sent)
    compare("lambda function made", {"Version": "1"}, made)
    came = updated(lambdas)
    compare("lambda function", {**sent, "State": "Active", "LastUpdateStatus": "Successful"}, came["Configuration"])
    tags("lambda function", came.get("Tags"))
    digest = base64.b64encode(hashlib.sha256(content.getvalue()).digest()).decode()
    compare("lambda function", {"CodeSha256": digest}, came["Configuration"])
    lambdas.update_function_configuration(
        FunctionName="probe", Timeout=60, Environment={"Variables": {"STEPSTACK_BUCKET": "c"}}, MemorySize=128
    )
    came = updated(lambdas)["Configuration"]
    compare(
        "lambda function, changed",
        {"Timeout": 60, "MemorySize": 128, "Environment": {"Variables": {"STEPSTACK_BUCKET": "c"}}},
        came,
    )
    compare("lambda version", {"Version": "2"}, lambdas.publish_version(FunctionName="probe", Description="two"))
    compare("lambda version again", {"Version": "2"}, lambdas.publish_version(FunctionName="probe"))
    came = lambdas.get_function_configuration(FunctionName="probe", Qualifier="1")
    compare("lambda version 1", {"Timeout": 90, "Version": "1", "CodeSha256": digest}, came)
    versions = [one["Version"] for one in lambdas.list_versions_by_function(FunctionName="probe")["Versions"]]
    compare("lambda versions", {"Versions": ["$LATEST", "1", "2"]}, {"Versions": versions})
    lambdas.create_alias(FunctionName="probe", Name="live", FunctionVersion="1", Description="d")
    compare(
        "lambda alias",
        {"FunctionVersion": "1", "Description": "d"},
        lambdas.get_alias(FunctionName="probe", Name="live"),
    )
    lambdas.delete_alias(FunctionName="probe", Name="live")
    lambdas.delete_function(FunctionName="probe", Qualifier="1")
    refused("lambda function absent", "ResourceNotFoundException", lambda: lambdas.get_function(FunctionName="absent"))
    refused(
        "lambda function twice",
        "ResourceConflictException",
        lambda: lambdas.create_function(Code={"ZipFile": content.getvalue()}, **sent),
    )
    WORLD.update(function=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:probe:2")


def updated(lambdas):
    """Reads until the function is ready, for two seconds at most."""
    for _ in range(20):
        came = lambdas.get_function(FunctionName="probe")
        if came["Configuration"]["State"] == "Active" and came["Configuration"]["LastUpdateStatus"] == "Successful":
            break
        time.sleep(0.1)
    return came


def state_machine():
    states = client("stepfunctions")
    definition = json.dumps({"StartAt": "One", "States": {"One": {"Type": "Pass", "End": True}}})
    logging = {
        "level": "ERROR",
        "includeExecutionData": False,
        "destinations": [
            {"cloudWatchLogsLogGroup": {"logGroupArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/probe/one:*"}}
        ],
    }
    sent = {
        "definition": definition,
        "roleArn": WORLD.get("role", "role"),
        "type": "STANDARD",
        "loggingConfiguration": logging,
    }
    arn = states.create_state_machine(name="probe", tags=LOWER, **sent)["stateMachineArn"]
    compare(
        "state machine",
        {**sent, "name": "probe", "status": "ACTIVE"},
        states.describe_state_machine(stateMachineArn=arn),
    )
    tags("state machine", states.list_tags_for_resource(resourceArn=arn)["tags"])
    other = definition.replace("One", "Two")
    states.update_state_machine(
        stateMachineArn=arn, definition=other, loggingConfiguration={"level": "OFF", "includeExecutionData": False}
    )
    compare(
        "state machine, changed",
        {"definition": other, "loggingConfiguration": {"level": "OFF"}, "roleArn": sent["roleArn"]},
        states.describe_state_machine(stateMachineArn=arn),
    )
    run = states.start_execution(stateMachineArn=arn, name="one", input=json.dumps({"a": 1}))["executionArn"]
    time.sleep(0.3)
    compare(
        "execution",
        {"status": "SUCCEEDED", "input": json.dumps({"a": 1}), "name": "one"},
        states.describe_execution(executionArn=run),
    )
    refused(
        "execution twice",
        "ExecutionAlreadyExists",
        lambda: states.start_execution(stateMachineArn=arn, name="one", input="{}"),
    )
    refused("execution absent", "ExecutionDoesNotExist", lambda: states.describe_execution(executionArn=run + "0"))
    refused(
        "state machine absent",
        "StateMachineDoesNotExist",
        lambda: states.describe_state_machine(stateMachineArn=arn + "0"),
    )
    WORLD.update(machine=arn)


def events():
    bridge = client("events")
    pattern = {
        "source": ["aws.ecr"],
        "detail-type": ["ECR Image Action"],
        "detail": {"action-type": ["PUSH"], "repository-name": ["probe/one"]},
    }
    arn = bridge.put_rule(Name="probe", EventPattern=json.dumps(pattern), State="ENABLED", Description="d", Tags=UPPER)[
        "RuleArn"
    ]
    came = bridge.describe_rule(Name="probe")
    compare("events rule", {"State": "ENABLED", "Description": "d"}, came)
    compare("events rule", {"EventPattern": pattern}, {"EventPattern": json.loads(came["EventPattern"])})
    tags("events rule", bridge.list_tags_for_resource(ResourceARN=arn)["Tags"])
    target = {
        "Id": "machine",
        "Arn": WORLD.get("machine", "machine"),
        "RoleArn": WORLD.get("role", "role"),
        "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
    }
    failed = bridge.put_targets(Rule="probe", Targets=[target])
    compare("events target made", {"FailedEntryCount": 0}, failed)
    compare("events target", {"Targets": [target]}, bridge.list_targets_by_rule(Rule="probe"))
    bridge.disable_rule(Name="probe")
    compare("events rule disabled", {"State": "DISABLED"}, bridge.describe_rule(Name="probe"))
    bridge.enable_rule(Name="probe")
    listed = [one["Name"] for one in bridge.list_rules(NamePrefix="probe")["Rules"]]
    compare("events rule listed", {"names": ["probe"]}, {"names": listed})
    refused("events rule absent", "ResourceNotFoundException", lambda: bridge.describe_rule(Name="absent"))
    pushed()


def pushed():
    """A pushed image starts the execution that its rule names; so does an object put into the bucket."""
    ecr, states, s3 = client("ecr"), client("stepfunctions"), client("s3")
    manifest = json.dumps({"schemaVersion": 2, "config": {"digest": "sha256:0", "size": 1}, "layers": []})
    ecr.put_image(repositoryName="probe/one", imageManifest=manifest, imageTag="pushed")
    event = next_input(states, lambda event: event.get("source") == "aws.ecr")
    compare("ecr push event", {"detail-type": "ECR Image Action", "account": ACCOUNT, "region": REGION}, event)
    compare(
        "ecr push event",
        {"action-type": "PUSH", "result": "SUCCESS", "repository-name": "probe/one", "image-tag": "pushed"},
        event.get("detail", {}),
    )
    compare(
        "ecr push event",
        {"digest": True},
        {"digest": str(event.get("detail", {}).get("image-digest")).startswith("sha256:")},
    )

    bridge = client("events")
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["probe-one"]}, "object": {"key": [{"prefix": "environments/"}]}},
    }
    bridge.put_rule(Name="probe-s3", EventPattern=json.dumps(pattern))
    bridge.put_targets(
        Rule="probe-s3",
        Targets=[{"Id": "machine", "Arn": WORLD.get("machine", "machine"), "RoleArn": WORLD.get("role", "role")}],
    )
    put = s3.put_object(Bucket="probe-one", Key="environments/one.toml", Body=b"x")
    event = next_input(states, lambda event: event.get("source") == "aws.s3")
    compare("s3 event", {"reason": "PutObject", "bucket": {"name": "probe-one"}}, event.get("detail", {}))
    compare(
        "s3 event object",
        {"key": "environments/one.toml", "version-id": put["VersionId"]},
        event.get("detail", {}).get("object", {}),
    )


def next_input(states, wanted):
    for _ in range(20):
        for one in states.list_executions(stateMachineArn=WORLD["machine"])["executions"]:
            event = json.loads(states.describe_execution(executionArn=one["executionArn"])["input"])
            if wanted(event):
                return event
        time.sleep(0.1)
    return {}
