"""Which call a request is, with its parameters; answers and errors in the service's own wire format."""

import functools
import json
import re
import urllib.parse
import uuid
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

import models
import shapes

# A structure of AWS: parameters, or what an answer says.
Value = dict[str, Any]
Headers = list[tuple[str, str]]

SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]*)/([^/]+)/aws4_request")
# Bodies over this size, such as a function's code, are not looked into.
MUCH = 1 << 20
ERROR_CODE = re.compile(rb"<Code>([^<]*)</Code>")


class Request:
    """A request as it came: method, path with query, headers in order, body."""

    def __init__(self, method: str, target: str, headers: Headers, body: bytes) -> None:
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.path, _, self.query = target.partition("?")

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


class Answer:
    """An answer: status, headers, body."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


class Call:
    """A call of an AWS operation. `params` are None where the body is too large to be looked into."""

    def __init__(self, request: Request, key: str, service: str, operation: str, params: Any) -> None:
        self.request, self.key = request, key
        self.service, self.operation, self.params = service, operation, params

    @property
    def model(self) -> Any:
        return models.operation(self.service, self.operation)

    @property
    def protocol(self) -> str:
        return models.service(self.service).protocol

    def value(self, answer: Answer) -> Value:
        """What an answer says, as plain values; scalars of XML are text."""
        shape = self.model.output_shape
        if shape is None or not answer.body:
            return {}
        if self.protocol in ("json", "rest-json"):
            return json.loads(answer.body)
        root = shapes.parse_xml(answer.body)
        return shapes.from_element(shape, _result(root, shape))

    def answer(self, value: Value, status: int = 200) -> Answer:
        """An answer that says `value`."""
        request_id = str(uuid.uuid4())
        if self.protocol in ("json", "rest-json"):
            version = models.service(self.service).metadata.get("jsonVersion", "1.1")
            headers = [("Content-Type", f"application/x-amz-json-{version}"), ("x-amzn-RequestId", request_id)]
            return Answer(status, headers, json.dumps(value).encode())
        shape, namespace = self.model.output_shape, models.service(self.service).metadata.get("xmlNamespace", "")
        if self.protocol == "ec2":
            inner = shapes.to_xml(shape, value, "x")[3:-4] if shape else "<return>true</return>"
            text = f"<requestId>{request_id}</requestId>{inner}"
            root = f"{self.operation}Response"
        elif self.protocol == "query":
            wrapper = shape.serialization.get("resultWrapper") if shape else None
            inner = shapes.to_xml(shape, value, wrapper) if wrapper else ""
            text = f"{inner}<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
            root = f"{self.operation}Response"
        else:
            text, root = shapes.to_xml(shape, value, "x")[3:-4], shape.name
        body = f'<?xml version="1.0" encoding="UTF-8"?><{root} xmlns="{namespace}">{text}</{root}>'
        return Answer(status, [("Content-Type", "text/xml"), ("x-amzn-RequestId", request_id)], body.encode())

    def error(self, code: str, message: str, status: int = 400) -> Answer:
        """The service's own form of an error."""
        return error(self.service, code, message, status)


def error(service: str, code: str, message: str, status: int) -> Answer:
    """An error in the form of the service's protocol."""
    request_id = str(uuid.uuid4())
    text = escape(message)
    protocol = models.service(service).protocol
    if protocol in ("json", "rest-json"):
        kind = {"json": {"__type": code, "message": message}, "rest-json": {"Type": "User", "message": message}}[
            protocol
        ]
        headers = [
            ("Content-Type", "application/x-amz-json-1.1"),
            ("x-amzn-ErrorType", code),
            ("x-amzn-RequestId", request_id),
        ]
        return Answer(status, headers, json.dumps(kind).encode())
    if protocol == "smithy-rpc-v2-cbor":
        raise ValueError("errors in CBOR are not written: no function of ours speaks it")
    if protocol == "ec2":
        body = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{text}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    elif service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{text}</Message><RequestId>{request_id}</RequestId></Error>"
    else:
        side = "Receiver" if status >= 500 else "Sender"
        body = (
            f"<ErrorResponse><Error><Type>{side}</Type><Code>{code}</Code><Message>{text}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    headers = [("Content-Type", "text/xml"), ("x-amz-request-id", request_id)]
    return Answer(status, headers, f'<?xml version="1.0" encoding="UTF-8"?>{body}'.encode())


def error_code(answer: Answer) -> str:
    """The code of an error, of whatever form."""
    told = answer.header("x-amzn-errortype")
    if told:
        return told.partition(":")[0]
    found = ERROR_CODE.search(answer.body)
    if found:
        return found.group(1).decode()
    try:
        data = json.loads(answer.body)
        return str(data.get("__type") or data.get("code") or data.get("Code") or answer.status).rpartition("#")[2]
    except (ValueError, AttributeError):
        return f"HTTP {answer.status}"


def read(request: Request) -> Call | None:
    """The call that a request is; nothing where it is none of AWS's."""
    scope = SCOPE.search(request.header("authorization")) or SCOPE.search(urllib.parse.unquote(request.query))
    if not scope:
        return None
    key, _, signed_for = scope.groups()
    service = models.NAMES.get(signed_for, signed_for)
    model = models.service(service)
    if model is None:
        return None
    if model.protocol in ("ec2", "query"):
        flat = dict(urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True))
        flat.update(urllib.parse.parse_qsl(request.query, keep_blank_values=True))
        operation = flat.pop("Action", None)
        flat.pop("Version", None)
        if operation not in models.operations(service):
            return None
        shape = models.operation(service, operation).input_shape
        return Call(
            request, key, service, operation, shapes.from_form(shape, flat, model.protocol == "ec2") if shape else {}
        )
    if model.protocol == "json":
        operation = request.header("x-amz-target").rpartition(".")[2]
        if operation not in models.operations(service):
            return None
        return Call(request, key, service, operation, json.loads(request.body or b"{}"))
    if model.protocol in ("rest-xml", "rest-json"):
        return _read_rest(request, key, service)
    return None


def _result(root: Element, shape: Any) -> Element:
    wrapper = shape.serialization.get("resultWrapper")
    if not wrapper:
        return root
    return next((child for child in root if shapes.bare(child.tag) == wrapper), root)


@functools.cache
def _routes(service: str) -> list[Any]:
    """The operations of a REST service with the pattern of their path and what their query must hold; the
    narrowest first."""
    routes = []
    for name in models.operations(service):
        operation = models.operation(service, name)
        if operation.deprecated:
            continue  # It has its successor's route.
        uri, _, query = operation.http["requestUri"].partition("?")
        pattern = re.escape(uri.rstrip("/") or "/")
        pattern = re.sub(
            r"\\\{([\w-]+)(\\\+)?\\\}",
            lambda one: f"(?P<{_group(one.group(1))}>{'.+' if one.group(2) else '[^/]+'})",
            pattern,
        )
        held = {key: value for key, value in urllib.parse.parse_qsl(query, keep_blank_values=True) if key != "x-id"}
        shape = operation.input_shape
        needed_query, needed_headers = set(), set()
        for member in shape.required_members if shape else []:
            told = shape.members[member].serialization
            if told.get("location") == "querystring":
                needed_query.add(told["name"])
            if told.get("location") == "header":
                needed_headers.add(told["name"].lower())
        weight = (len(held), len(needed_query), len(needed_headers), len(uri))
        routes.append(
            (weight, operation.http["method"], re.compile(pattern + "/?"), held, needed_query, needed_headers, name)
        )
    return sorted(routes, key=lambda route: route[0], reverse=True)


def _group(name: str) -> str:
    return "label_" + name.replace("-", "_")


def _read_rest(request: Request, key: str, service: str) -> Call | None:
    query = dict(urllib.parse.parse_qsl(request.query, keep_blank_values=True))
    sent = {name.lower() for name, _ in request.headers}
    named = query.get("x-id")
    for _, method, path, held, needed_query, needed_headers, name in _routes(service):
        if method != request.method or (named and named != name):
            continue
        match = path.fullmatch(request.path)
        if not match or any(query.get(one) != value for one, value in held.items()):
            continue
        if needed_query - query.keys() or needed_headers - sent:
            continue
        return Call(request, key, service, name, _rest_params(request, service, name, match, query))
    return None


def _rest_params(
    request: Request, service: str, name: str, match: re.Match[str], query: dict[str, str]
) -> Value | None:
    shape = models.operation(service, name).input_shape
    if shape is None:
        return {}
    params: Value = {}
    for member, told in shape.members.items():
        place, on_wire = told.serialization.get("location"), told.serialization.get("name", member)
        if place == "uri":
            params[member] = urllib.parse.unquote(match.group(_group(on_wire)))
        elif place == "querystring" and on_wire in query:
            params[member] = [query[on_wire]] if told.type_name == "list" else query[on_wire]
        elif place == "header" and request.header(on_wire.lower()):
            params[member] = request.header(on_wire.lower())
        elif place == "headers":
            prefix = on_wire.lower()
            params[member] = {
                key[len(prefix) :]: value for key, value in request.headers if key.lower().startswith(prefix)
            }
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name != "structure":
        if request.body:
            is_text = shape.members[payload].type_name == "string"
            params[payload] = request.body.decode(errors="replace") if is_text else request.body
        return params
    if not request.body:
        return params
    if len(request.body) > MUCH:
        return None
    if models.service(service).protocol == "rest-json":
        inner = json.loads(request.body)
    else:
        inner = shapes.from_element(shape.members[payload] if payload else shape, shapes.parse_xml(request.body))
    if payload:
        params[payload] = inner
    else:
        params.update(inner)
    return params
