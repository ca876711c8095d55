"""Faults on purpose, per operation, in AWS's own wire format.

A fault is {"service": "ec2", "operation": "CreateVpc", "kind": KIND, "times": 2}; the kinds:
  throttle   refused with the service's throttling error, and not carried out
  error500   an internal error, and not carried out
  reset      the connection is reset before anything is done
  lost       carried out, and the connection is reset before the answer
  denied     refused for want of permission
  invisible  carried out; what was created is in no listing for `seconds`
  kill       carried out; the function that asked is killed before it hears of it
  stop       every execution that runs is stopped, then the call is carried out
  twice      carried out; the function that asked is invoked once more with the same event, beside this one
Only calls of functions meet faults, unless `"caller": "program"` says otherwise.
"""

import os
import signal
from collections.abc import Callable

import models
import twice
from record import Caller
from wire import Answer, Call, Value
from world import World

KINDS = ("throttle", "error500", "reset", "lost", "denied", "invisible", "kill", "stop", "twice")

THROTTLED = {
    "ec2": ("RequestLimitExceeded", 503),
    "s3": ("SlowDown", 503),
    "lambda": ("TooManyRequestsException", 429),
    "events": ("ThrottlingException", 400),
    "route53": ("Throttling", 400),
    "iam": ("Throttling", 400),
    "rds": ("Throttling", 400),
    "elbv2": ("Throttling", 400),
    "sts": ("Throttling", 400),
}
DENIED = {"ec2": ("UnauthorizedOperation", 403), "s3": ("AccessDenied", 403)}


class Reset(Exception):
    """The connection is to be reset. `answered` says whether the call was carried out."""


class Fault:
    def __init__(self, told: Value) -> None:
        unknown = set(told) - {"service", "operation", "kind", "times", "seconds", "caller"}
        if unknown or told["kind"] not in KINDS or told["operation"] not in models.operations(told["service"]):
            raise ValueError(f"no such fault: {told}")
        self.service, self.operation, self.kind = told["service"], told["operation"], told["kind"]
        self.times, self.seconds = told.get("times", 1), told.get("seconds", 1.0)
        self.of_program = told.get("caller") == "program"

    def meets(self, call: Call, caller: Caller) -> bool:
        if (call.service, call.operation) != (self.service, self.operation) or not self.times:
            return False
        return (caller == "program") == self.of_program


def take(world: World, call: Call, caller: Caller) -> Fault | None:
    """The fault that this call meets, which has one time less to go; nothing for most calls."""
    if not world.faults:
        return None
    with world.lock:
        for fault in world.faults:
            if fault.meets(call, caller):
                fault.times -= 1
                return fault
    return None


def error(call: Call, kind: str) -> Answer:
    """The service's answer to a call that is throttled, denied, or fails inside AWS."""
    if kind == "throttle":
        code, status = THROTTLED.get(call.service, ("ThrottlingException", 400))
        return call.error(code, "Rate exceeded", status)
    if kind == "denied":
        protocol = models.service(call.service).protocol
        code, status = DENIED.get(
            call.service, ("AccessDeniedException", 400) if protocol in ("json", "rest-json") else ("AccessDenied", 403)
        )
        prefix = {"elbv2": "elasticloadbalancing", "stepfunctions": "states"}.get(call.service, call.service)
        user = "arn:aws:sts::000000000000:assumed-role/function/run"
        return call.error(code, f"User: {user} is not authorized to perform: {prefix}:{call.operation}", status)
    return call.error(
        "InternalFailure" if call.service != "ec2" else "InternalError", "An internal error has occurred", 500
    )


def carry_out(world: World, call: Call, caller: Caller, fault: Fault, send: Callable[[], Answer]) -> Answer:
    """Carries out a call that meets a fault; `send` is its ordinary way. Fails with `Reset`."""
    if fault.kind in ("throttle", "error500", "denied"):
        return error(call, fault.kind)
    if fault.kind == "reset":
        raise Reset(False)
    if fault.kind == "stop":
        _stop_executions(world)
        return send()
    if fault.kind == "twice":
        twice.invoke(world, caller)
        return send()
    answer = send()
    if fault.kind == "invisible":
        if answer.status < 300:
            _hide(world, call, answer, fault.seconds)
        return answer
    if fault.kind == "kill" and caller.pid:
        os.kill(caller.pid, signal.SIGKILL)
    raise Reset(True)


def _stop_executions(world: World) -> None:
    for machine in world.ask("stepfunctions", "ListStateMachines").get("stateMachines", []):
        running = world.ask(
            "stepfunctions", "ListExecutions", stateMachineArn=machine["stateMachineArn"], statusFilter="RUNNING"
        )
        for execution in running.get("executions", []):
            world.ask("stepfunctions", "StopExecution", executionArn=execution["executionArn"])


# What was created and is not to be seen: by service and noun, such as ("ec2", "Vpc").


def _noun(operation: str) -> str | None:
    for verb in ("Create", "Allocate", "Request", "Register", "Restore"):
        if operation.startswith(verb):
            return operation[len(verb) :]
    return None


def _hide(world: World, call: Call, answer: Answer, seconds: float) -> None:
    noun = _noun(call.operation)
    end = world.now() + seconds
    for name in _ids(call.value(answer), noun):
        world.note("hidden")[(call.service, noun, name)] = end


def _ids(value: Value, noun: str | None) -> list[str]:
    """The ids and ARNs that an answer names first: `VpcId`, `AllocationId`, `FlowLogIds`."""
    inner = next((one for one in value.values() if isinstance(one, dict)), value)
    for key, one in inner.items():
        if key in (f"{noun}Id", f"{noun}Arn", f"{noun}Identifier", "AllocationId", "GroupId", "CertificateArn"):
            return [one]
        if key == f"{noun}Ids":
            return one
    return []


def hide(world: World, call: Call, answer: Answer) -> Answer:
    """Takes what is hidden out of a listing."""
    hidden = world.notes.get("hidden")
    if not hidden or answer.status >= 300 or not call.operation.startswith(("Describe", "List")):
        return answer
    now = world.now()
    names = {
        name
        for (service, noun, name), end in hidden.items()
        if service == call.service
        and now < end
        and call.operation.removeprefix("Describe").removeprefix("List").startswith(noun)
    }
    if not names:
        return answer
    value, changed = call.value(answer), False
    for key, items in value.items():
        if isinstance(items, list):
            kept = [
                item
                for item in items
                if not (isinstance(item, dict) and names & {one for one in item.values() if isinstance(one, str)})
            ]
            changed |= len(kept) != len(items)
            value[key] = kept
    return call.answer(value, answer.status) if changed else answer
