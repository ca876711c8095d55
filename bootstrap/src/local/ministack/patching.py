"""How MiniStack is changed from outside: functions replaced, paths added, memories emptied on a reset."""

import functools
import json
import types
import xml.sax.saxutils
from collections.abc import Callable, MutableMapping
from typing import Any, TypeVar

from ministack import app

# Status, headers and body, as MiniStack's handlers answer.
Answer = tuple[int, dict[str, str], bytes]
# A request or a resource in JSON.
Json = dict[str, Any]
# A request of the query protocol: a list of values by name.
Parameters = dict[str, list[str]]
# The function of MiniStack that is replaced.
Original = Callable[..., Any]
# Answers a request to a path of our own, from what follows the path.
Handler = Callable[[str], Answer]

Memory = TypeVar("Memory", bound=MutableMapping[Any, Any])

_HANDLERS: dict[tuple[str, str], Handler] = {}
_MEMORIES: list[MutableMapping[Any, Any]] = []


def wrap(module: types.ModuleType, name: str, around: Callable[..., Any]) -> None:
    """Replaces a function of a module by `around`, which gets the original first. The module's tables of
    actions hold functions too, and get the new one."""
    original = getattr(module, name)

    @functools.wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        return around(original, *arguments, **named)

    setattr(module, name, wrapped)
    for table in list(vars(module).values()):
        if isinstance(table, dict):
            for key, value in list(table.items()):
                if value is original:
                    table[key] = wrapped


def handle(method: str, path: str, handler: Handler) -> None:
    """Has `handler` answer requests to `path`; where that ends in a slash, to all below it."""
    _HANDLERS[(method, path)] = handler


def forgotten_on_reset(memory: Memory) -> Memory:
    """A correction's own memory, emptied when MiniStack is."""
    _MEMORIES.append(memory)
    return memory


def install() -> None:
    """Puts the added paths and the emptying of memories into effect."""

    def reset(original: Original) -> None:
        original()
        for memory in _MEMORIES:
            memory.clear()

    def answered(original: Original, method: str, path: str, *others: Any) -> Any:
        handler = _handler(method, path)
        return original(method, path, *others) if handler is None else _at_once(handler())

    wrap(app, "_reset_all_state", reset)
    wrap(app, "_handle_pre_body_request", answered)


def _handler(method: str, path: str) -> Callable[[], Answer] | None:
    """The handler of a path, with what follows it."""
    for (other, own), handler in _HANDLERS.items():
        if other == method and (path == own or (own.endswith("/") and path.startswith(own))):
            return functools.partial(handler, path.removeprefix(own))
    return None


async def _at_once(answer: Answer) -> Answer:
    return answer


def as_json(value: Any, status: int = 200) -> Answer:
    """A value as an answer to one of our own paths."""
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def escape(text: Any) -> str:
    """As text within XML."""
    return xml.sax.saxutils.escape(str(text))


def text_of(answer: Any) -> str:
    """The body as text: some handlers of MiniStack answer text, some bytes."""
    body = answer[2]
    return body.decode() if isinstance(body, bytes) else str(body)


def body_of(answer: Any) -> Json:
    """The body of an answer in JSON."""
    body: Json = json.loads(answer[2])
    return body


def with_text(answer: Any, text: str) -> Answer:
    """The answer with another body."""
    return answer[0], answer[1], text.encode()


def with_body(answer: Any, body: Json) -> Answer:
    """The answer with another body in JSON."""
    return with_text(answer, json.dumps(body))
