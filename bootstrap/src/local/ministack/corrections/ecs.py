"""Services, and tasks of their own."""

import re
import time
from typing import Any

from ministack.services import cloudwatch_logs, ecs

from corrections.register import correction
from patching import Answer, Json, Original, body_of, forgotten_on_reset, with_body, wrap


@correction("ecs: a service's availabilityZoneRebalancing comes back")
def keep_rebalancing() -> None:
    rebalancing: dict[tuple[str, str], str] = forgotten_on_reset({})

    def around(original: Original, data: Json) -> Answer:
        answer = original(data)
        body = body_of(answer)
        service = body.get("service")
        if answer[0] == 200 and service:
            wanted = data.get("availabilityZoneRebalancing")
            key = (data.get("cluster", "default").rsplit("/", 1)[-1], service["serviceName"])
            if wanted or key not in rebalancing:
                rebalancing[key] = wanted or "ENABLED"
            service["availabilityZoneRebalancing"] = rebalancing[key]
        return with_body(answer, body)

    def describe(original: Original, data: Json) -> Answer:
        answer = original(data)
        body = body_of(answer)
        for service in body.get("services", []):
            key = (data.get("cluster", "default").rsplit("/", 1)[-1], service["serviceName"])
            service["availabilityZoneRebalancing"] = rebalancing.get(key, "DISABLED")
        return with_body(answer, body)

    wrap(ecs, "_create_service", around)
    wrap(ecs, "_update_service", around)
    wrap(ecs, "_describe_services", describe)


@correction("ecs: a task of its own ends when its command does")
def end_tasks() -> None:
    """No container runs here. Its command is read: `echo WORDS` is the log, `exit N` the exit code."""
    started: dict[str, float] = forgotten_on_reset({})

    def command_of(task: Json) -> str:
        overrides = task.get("overrides", {}).get("containerOverrides", [])
        return " ".join(overrides[0].get("command", [])) if overrides else ""

    def write_log(task: Json, text: str) -> None:
        definition = ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"])) or {}
        for container in definition.get("containerDefinitions", []):
            options = (container.get("logConfiguration") or {}).get("options", {})
            group, prefix = options.get("awslogs-group"), options.get("awslogs-stream-prefix")
            if not group:
                continue
            stream = "/".join([prefix, container["name"], task["taskArn"].rsplit("/", 1)[-1]])
            place = {"logGroupName": group, "logStreamName": stream}
            now = int(time.time() * 1000)
            lines = [words.strip(" \"'") for words in re.findall(r"echo ([^;&]+)", text)]
            cloudwatch_logs._create_log_stream(place)
            if lines:
                events = [{"timestamp": now, "message": line} for line in lines]
                cloudwatch_logs._put_log_events({**place, "logEvents": events})

    def look(original: Original, task: Json, *arguments: Any, **named: Any) -> None:
        original(task, *arguments, **named)
        of_service = task.get("group", "").startswith("service:")
        if of_service or task.get("lastStatus") != "RUNNING" or ecs._get_docker():
            return
        began = started.setdefault(task["taskArn"], time.monotonic())
        if time.monotonic() - began < 0.3:
            return
        text = command_of(task)
        write_log(task, text)
        code = re.search(r"\bexit (\d+)", text)
        ecs._mark_task_stopped(
            task["taskArn"],
            task,
            "Essential container in task exited",
            "EssentialContainerExited",
            exit_code=int(code.group(1)) if code else 0,
        )

    wrap(ecs, "_maybe_mark_stopped", look)
