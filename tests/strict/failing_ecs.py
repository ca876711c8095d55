"""ECS: what a deployment that fails leaves behind: stopped tasks with their reasons, their last lines, the
service's events."""

import time
import uuid

from rules import after
from wire import Call, Value
from world import World

# Cluster and service.
Key = tuple[str, str]

# What a task that fails says, unless the test says otherwise.
FAILURE = {
    "stopCode": "EssentialContainerExited",
    "stoppedReason": "Essential container in task exited",
    "exitCode": 1,
    "log": [],
}


def leave_tasks(world: World, key: Key, definition_arn: str, failure: Value) -> None:
    """Three stopped tasks of the service, the newest first, with their log."""
    cluster, service = key
    told = {**FAILURE, **failure}
    definition = world.ask("ecs", "DescribeTaskDefinition", taskDefinition=definition_arn)["taskDefinition"]
    container = definition["containerDefinitions"][0]
    for number in range(3):
        task_id = uuid.uuid4().hex
        prefix = definition_arn.partition(":task-definition/")[0]
        stopped = {"name": container["name"], "lastStatus": "STOPPED", "image": container["image"]}
        if told["exitCode"] is not None:
            stopped["exitCode"] = told["exitCode"]
        task = {
            "taskArn": f"{prefix}:task/{cluster}/{task_id}",
            "clusterArn": f"{prefix}:cluster/{cluster}",
            "taskDefinitionArn": definition_arn,
            "group": f"service:{service}",
            "lastStatus": "STOPPED",
            "desiredStatus": "STOPPED",
            "stopCode": told["stopCode"],
            "stoppedReason": told["stoppedReason"],
            "stoppedAt": time.time() - number,
            "containers": [stopped],
        }
        world.note("failed-tasks")[task["taskArn"]] = task
        _write_log(world, container, task_id, told["log"])


def _write_log(world: World, container: Value, task_id: str, lines: list[str]) -> None:
    options = (container.get("logConfiguration") or {}).get("options", {})
    if not lines or not options:
        return
    stream = "/".join([options["awslogs-stream-prefix"], container["name"], task_id])
    place = {"logGroupName": options["awslogs-group"], "logStreamName": stream}
    world.ask("logs", "CreateLogStream", **place)
    world.ask(
        "logs",
        "PutLogEvents",
        logEvents=[{"timestamp": int(time.time() * 1000), "message": line} for line in lines],
        **place,
    )


def event(message: str) -> Value:
    return {"id": str(uuid.uuid4()), "createdAt": time.time(), "message": message}


def _of(world: World, call: Call) -> dict[str, Value]:
    cluster = call.params.get("cluster", "default").rpartition("/")[2]
    return {arn: task for arn, task in world.note("failed-tasks").items() if f":task/{cluster}/" in arn}


@after("ecs", "ListTasks")
def list_tasks(world: World, call: Call, value: Value) -> None:
    if call.params.get("desiredStatus") == "STOPPED":
        group = f"service:{call.params.get('serviceName', '').rpartition('/')[2]}"
        found = [arn for arn, task in _of(world, call).items() if task["group"] == group]
        value["taskArns"] = found + value.get("taskArns", [])


@after("ecs", "DescribeTasks")
def describe_tasks(world: World, call: Call, value: Value) -> None:
    known = _of(world, call)
    value["tasks"] = value.get("tasks", []) + [known[arn] for arn in call.params.get("tasks", []) if arn in known]
    value["failures"] = [one for one in value.get("failures", []) if one.get("arn") not in known]
    for task in value["tasks"]:
        if task.get("stoppedReason") == "Deployment completed":
            # The emulator's words for a task that was replaced; these are ECS's.
            task.update(
                stoppedReason="Scaling activity initiated by (deployment ecs-svc/0)",
                stopCode="ServiceSchedulerInitiated",
            )
