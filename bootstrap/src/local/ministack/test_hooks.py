"""What this repository's tests ask of a running MiniStack; installed only where they ask for it.

GET  /_stepstack/calls           the calls so far, by `service:Operation`
POST /_stepstack/calls/reset     forgets them
GET  /_stepstack/event/FUNCTION  the last event that Step Functions called a function with
GET  /_stepstack/at-work         how many functions Step Functions waits for
POST /_stepstack/front/PORT      takes requests that were sent to a proxy on another port

And where IAM is enforced:

GET  /_stepstack/actions                    the IAM actions that were allowed so far, by the caller's ARN
POST /_stepstack/actions/reset              forgets them
POST /_stepstack/withhold/FUNCTION/ACTION   denies an action to a function's role, until
POST /_stepstack/withhold                   denies none again
"""

import collections
from typing import Any

from ministack import app
from ministack.core import iam_evaluator
from ministack.services import stepfunctions

import door
from patching import Answer, Json, Original, as_json, forgotten_on_reset, handle, wrap


def install() -> None:
    """Installs all of them. After the corrections, so that every call is seen, whoever answers it."""
    remember_events()
    record_actions()
    count_calls()
    let_in_front()


def let_in_front() -> None:
    """The strict AWS listens on a port of its own, and hands on what it gets as it is."""

    def let(port: str) -> Answer:
        door.let_in_front(port)
        return as_json({})

    handle("POST", "/_stepstack/front/", let)


def remember_events() -> None:
    """Step Functions' history shows no state inside a Parallel, and a function that a stopped execution has
    called goes on."""
    events: dict[str, Json] = forgotten_on_reset({})
    at_work: dict[object, str] = {}

    def call(original: Original, function: str, event: Json) -> Any:
        events[function.partition(":function:")[2].partition(":")[0]] = event
        this = object()
        at_work[this] = function
        try:
            return original(function, event)
        finally:
            del at_work[this]

    def last_event(function: str) -> Answer:
        event = events.get(function)
        return as_json(event, 200 if event else 404)

    wrap(stepfunctions, "_call_lambda", call)
    handle("GET", "/_stepstack/at-work", lambda _: as_json(len(at_work)))
    handle("GET", "/_stepstack/event/", last_event)


def record_actions() -> None:
    """Which action a policy allowed to whom; and one action may be withheld from one function's role."""
    allowed: dict[str, set[str]] = {}
    withheld: list[str] = []

    def first_match(original: Original, context: Any, statements: list[Any], effect: str) -> Any:
        if effect == "Deny":
            return original(context, statements, effect)
        arn = context.principal_arn.split("/")
        if withheld and context.action == withheld[1] and arn[1:] and arn[1].endswith(f"-{withheld[0]}"):
            return None
        matched = original(context, statements, effect)
        if matched is not None:
            allowed.setdefault("/".join(arn[:2]), set()).add(context.action)
        return matched

    def withhold(rest: str) -> Answer:
        withheld[:] = rest.split("/") if rest else []
        return as_json({})

    def told(_: str) -> Answer:
        return as_json({caller: sorted(actions) for caller, actions in sorted(allowed.items())})

    def reset(_: str) -> Answer:
        allowed.clear()
        return as_json({})

    wrap(iam_evaluator, "_first_match", first_match)
    handle("GET", "/_stepstack/actions", told)
    handle("POST", "/_stepstack/actions/reset", reset)
    handle("POST", "/_stepstack/withhold", withhold)
    handle("POST", "/_stepstack/withhold/", withhold)


def count_calls() -> None:
    """By operation, answered by MiniStack or by a correction."""
    counts: collections.Counter[str] = collections.Counter()

    def operation(method: str, path: str, headers: Json, body: bytes, query_params: Json) -> str:
        target = headers.get("x-amz-target", "")
        if target.startswith("AnyScaleFrontendService."):
            return f"application-autoscaling:{target.rsplit('.', 1)[-1]}"
        parameters = app._routing_params(method, path, headers, body, query_params)
        service = app.detect_service(method, path, headers, parameters)
        name: str = app._ct_event_name(service, method, path, headers, parameters)
        if service == "s3":
            # A setting of a bucket is named by a query key without value: `?versioning`.
            keys = (key for key, value in query_params.items() if not any(value))
            setting = next((key for key in keys if key not in ("x-id", "prefix")), "")
            name = f"{method.title()}Bucket?{setting}" if setting else name
        elif name.endswith(f".{service}"):
            # A REST service: the path with the names taken out of it.
            places = [place for place in path.split("/") if place.isalpha() and place.islower()]
            name = f"{method} {'/'.join(places)}"
        return f"{service}:{name}"

    def counted(
        original: Original, method: str, path: str, headers: Json, body: bytes, query_params: Json, *others: Any
    ) -> Any:
        counts[operation(method, path, headers, body, query_params)] += 1
        return original(method, path, headers, body, query_params, *others)

    def reset(_: str) -> Answer:
        counts.clear()
        return as_json({})

    wrap(app, "_dispatch_service_request", counted)
    handle("GET", "/_stepstack/calls", lambda _: as_json(dict(sorted(counts.items()))))
    handle("POST", "/_stepstack/calls/reset", reset)
