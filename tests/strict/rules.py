"""The register of rules: what is done before a call is sent on, and to its answer after."""

from collections.abc import Callable

from wire import Answer, Call, Value
from world import World

Before = Callable[[World, Call], Answer | None]
After = Callable[[World, Call, Value], None]

BEFORE: dict[tuple[str, str], list[Before]] = {}
AFTER: dict[tuple[str, str], list[After]] = {}


def before(service: str, *operations: str) -> Callable[[Before], Before]:
    """Registers a rule that sees a call first. It may refuse it (raise `Refused`) or answer it in the emulator's
    place; nothing means: go on."""

    def register(rule: Before) -> Before:
        for operation in operations:
            BEFORE.setdefault((service, operation), []).append(rule)
        return rule

    return register


def after(service: str, *operations: str) -> Callable[[After], After]:
    """Registers a rule that sees the values of a successful answer and may change them in place."""

    def register(rule: After) -> After:
        for operation in operations:
            AFTER.setdefault((service, operation), []).append(rule)
        return rule

    return register


def has(call: Call) -> bool:
    key = (call.service, call.operation)
    return key in BEFORE or key in AFTER
