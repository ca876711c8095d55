"""Who may come in: programs that hold the key of this start, and the functions that run here.

A function's code runs as the user, so whoever may create one owns the machine. Any web page in the user's browser
reaches this port, also by a name of its own that it lets resolve to 127.0.0.1. So a request is refused that a page
sent, or that was sent to another host, and every request proves by its signature that its sender knows a key.

Paths that are not AWS's (`/_ministack/`, `/_stepstack/`) take `Authorization: Bearer SECRET` instead. Two need no
key: whether MiniStack is ready tells nothing, and a download carries its ticket in its URL, as S3's does.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from ministack import app
from ministack.core import lambda_runtime, sigv4
from ministack.services import lambda_svc, sts

from patching import Json, Original, escape, wrap

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

DOWNLOADS = "/_stepstack/layers/"
_READY = "/_ministack/ready"
_OWN_PATHS = ("/_ministack/", "/_stepstack/")
_NAMES = ("127.0.0.1", "localhost", "[::1]")

_SALT = secrets.token_bytes(32)
_ports = {os.environ.get("GATEWAY_PORT", "4566")}
# The secrets of those who may come in, by their access keys.
_secrets: dict[str, str] = {}


def install(key_file: Path) -> None:
    """Makes the key of this start, writes it for the user alone, and has MiniStack take no other."""
    key, secret = f"STEPSTACK{secrets.token_hex(8).upper()}", secrets.token_hex(20)
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump({"access_key_id": key, "secret_access_key": secret}, file)
    _secrets[key] = secret
    # Where IAM is enforced, MiniStack takes the key of its own environment for root's.
    os.environ.update({"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret})
    for module in (lambda_runtime, lambda_svc):
        wrap(module, "execution_credentials", _of_a_function)
    inside: Callable[[Json, Receive, Send], Awaitable[None]] = app.app

    async def door(scope: Json, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await inside(scope, receive, send)
            return
        headers = _headers(scope)
        refused = _from_elsewhere(scope, headers)
        if refused is None and not _needs_no_key(scope):
            body: list[Message] = []
            refused = await _without_key(scope, headers, receive, body)
            receive = _replayed(body, receive)
        if refused is None:
            await inside(scope, receive, _without_cors(send))
        else:
            await _refuse(scope, headers, send, *refused)

    app.app = door


def let_in_front(port: str) -> None:
    """Has requests be taken that were sent to another port of this machine, where a proxy of the tests listens."""
    _ports.add(port)


def ticket(path: str) -> str:
    """What the URL of a download ends with, so that it needs no other key."""
    return f"{path}?ticket={_proof('ticket', path)}"


def _proof(*about: str) -> str:
    """Tells nothing, and only this process can make it."""
    return hmac.new(_SALT, "\n".join(about).encode(), hashlib.sha256).hexdigest()


def _of_a_function(original: Original, config: Json) -> dict[str, str]:
    """A function's own credentials. MiniStack's can be worked out from its ARN, and would be the account's id."""
    given: dict[str, str] = original(config)
    about = config.get("FunctionArn", ""), config.get("Role", "")
    key, secret = f"ASIA{_proof('key', *about)[:16].upper()}", _proof("secret", *about)
    # There is a session where IAM is enforced.
    session = sts._sessions.pop(given["AWS_ACCESS_KEY_ID"], None)
    if session is not None:
        given["AWS_SESSION_TOKEN"] = _proof("token", *about)
        sts.register_session(key, {**session, "SecretAccessKey": secret, "SessionToken": given["AWS_SESSION_TOKEN"]})
    _secrets[key] = secret
    return {**given, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}


def _headers(scope: Json) -> dict[str, str]:
    """By name in lower case; one that is repeated is joined, so that it is looked at whole."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), sigv4.decode_header_value(value)
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _from_elsewhere(scope: Json, headers: dict[str, str]) -> tuple[str, str] | None:
    """Why a request is refused for where it was sent from or to: an error code and its message."""
    host = headers.get("host", "").lower()
    name, _, port = host.rpartition(":")
    # The SDKs put a bucket's name before the host's.
    signed = headers.get("authorization", "") + unquote(scope.get("query_string", b"").decode("latin-1"))
    is_bucket = name.endswith(".localhost") and "/s3/aws4_request" in signed
    if port not in _ports or not (name in _NAMES or is_bucket):
        return "AccessDenied", "The local AWS answers at 127.0.0.1 and localhost with its port, and at no other host."
    for header in ("origin", "referer"):
        if header in headers:
            sender = urlsplit(headers[header])
            if f"{sender.scheme}://{sender.netloc}".lower() != f"http://{host}":
                return "AccessDenied", "The local AWS answers no web page."
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "AccessDenied", "The local AWS answers no web page."
    return None


def _needs_no_key(scope: Json) -> bool:
    path: str = scope["path"]
    if path.startswith(DOWNLOADS):
        given = parse_qs(scope["query_string"].decode("latin-1")).get("ticket", [""])[0]
        return hmac.compare_digest(given.encode(), _proof("ticket", path).encode())
    return scope.get("method") == "GET" and path == _READY


async def _without_key(
    scope: Json, headers: dict[str, str], receive: Receive, body: list[Message]
) -> tuple[str, str] | None:
    """Why a request is refused for its signature. Where the body is signed, it is read into `body`."""
    path, authorization = scope["path"], headers.get("authorization", "")
    if path.startswith(_OWN_PATHS):
        bearer = f"Bearer {os.environ['AWS_SECRET_ACCESS_KEY']}"
        return None if hmac.compare_digest(authorization.encode(), bearer.encode()) else _unknown()
    query = parse_qs(scope.get("query_string", b"").decode("utf-8", errors="replace"), keep_blank_values=True)
    presigned = not authorization
    signature = sigv4.parse_query_signature(query) if presigned else sigv4.parse_header_signature(headers)
    if isinstance(signature, tuple) or signature.access_key_id not in _secrets:
        return _unknown()
    # S3's clients say the body's hash in a header; the others' has to be worked out.
    is_read = not presigned and "x-amz-content-sha256" not in headers and scope["type"] == "http"
    while is_read and not (body and not body[-1].get("more_body")):
        body.append(await receive())
        if body[-1]["type"] == "http.disconnect":
            break
    failed: tuple[str, str] | None = sigv4.header_signature_failure(
        signature,
        _secrets[signature.access_key_id],
        scope.get("method", "GET"),
        (scope.get("raw_path") or quote(path).encode()).decode("latin-1"),
        query,
        headers,
        b"".join(message.get("body", b"") for message in body),
        presigned=presigned,
    )
    return failed


def _unknown() -> tuple[str, str]:
    said = 'The local AWS takes only the key of its own start. `eval "$(stepstack local env)"` sets it.'
    return "InvalidClientTokenId", said


def _replayed(body: list[Message], receive: Receive) -> Receive:
    """Gives again what was read, then what follows."""

    async def again() -> Message:
        return body.pop(0) if body else await receive()

    return again


def _without_cors(send: Send) -> Send:
    """No page may read an answer: MiniStack allows it to all."""

    async def sent(message: Message) -> None:
        if "headers" in message:
            kept = [one for one in message["headers"] if not one[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return sent


async def _refuse(scope: Json, headers: dict[str, str], send: Send, code: str, said: str) -> None:
    """Answers 403, in the form of an error that the clients of the service read."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    error = f"<Error><Code>{code}</Code><Message>{escape(said)}</Message></Error>"
    kind = "text/xml"
    if "/s3/aws4_request" in headers.get("authorization", ""):
        text = error
    elif "/ec2/aws4_request" in headers.get("authorization", ""):
        text = f"<Response><Errors>{error}</Errors></Response>"
    elif headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        text = f"<ErrorResponse>{error}</ErrorResponse>"
    else:
        kind, text = "application/json", json.dumps({"__type": code, "message": said})
    answered = {"content-type": kind, "content-length": str(len(text.encode())), "x-amzn-errortype": code}
    pairs = [(name.encode(), value.encode()) for name, value in answered.items()]
    await send({"type": "http.response.start", "status": 403, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else text.encode()})
