"""What the strict layer knows beside the emulator: settings, what is under way, what is to be done later."""

import contextlib
import heapq
import http.client
import itertools
import socket
import threading
import time
import traceback
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials

import models
import wire
from record import Name, Record
from wire import Answer, Call, Request, Value

# Seconds that things take. AWS's own are in minutes (aws-facts.md section 3); their proportions are kept
# roughly, so that what is long there is long here.
SECONDS = {
    "db-cluster": 0.3,
    "db-cluster-modify": 0.3,
    "db-cluster-delete": 0.3,
    "db-cluster-snapshot": 0.3,
    "db-instance": 1.0,
    "db-instance-modify": 0.3,
    "db-instance-delete": 0.5,
    "load-balancer": 0.6,
    "load-balancer-interfaces": 0.5,
    "nat-gateway": 0.6,
    "nat-gateway-delete": 0.4,
    "vpc-endpoint": 0.5,
    "vpc-endpoint-delete": 0.4,
    "certificate-record": 0.2,
    "certificate": 0.5,
    "ecs-cluster": 0.2,
    "service": 0.4,
    "service-delete": 0.3,
    # Not a time that a thing takes: how much longer ago a stopped execution seems to have ended.
    "stopped-execution-age": 0.0,
}


# The emulator's `key.json`.
Key = dict[str, str]


class Refused(Exception):
    """A call that AWS refuses: code, message, HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status = code, message, status


class World:
    """The layer's state. `lock` is held while a call is looked at, sent on and its answer changed, for calls
    that have a rule: what is asked of the emulator cannot change in between."""

    def __init__(self, backend: tuple[str, int], key: Key, record: Record) -> None:
        self.backend, self.key, self.record = backend, key, record
        self.lock = threading.RLock()
        self._wake = threading.Condition(self.lock)
        self._number = itertools.count()
        self._local = threading.local()
        self._moment: float | None = None
        self.clear()
        threading.Thread(target=self._keep_time, daemon=True).start()

    def clear(self) -> None:
        """As at the start: no state, the usual settings."""
        with self.lock:
            self.seconds = dict(SECONDS)
            self.failing_services: dict[str, Value] = {}
            self.faults: list[Any] = []
            self._phases: dict[tuple[str, Name], tuple[str, float]] = {}
            self._due: list[tuple[float, int, Callable[[], object]]] = []
            self.notes: dict[str, dict[Any, Any]] = {}

    # Time.

    def now(self) -> float:
        """Monotonic seconds. Under the lock it is one moment: what has ended has had its consequences."""
        return self._moment or time.monotonic()

    @contextlib.contextmanager
    def at_one_moment(self) -> Iterator[Any]:
        """Holds the lock and the time, after everything that was due."""
        with self.lock:
            self._moment = time.monotonic()
            try:
                self._catch_up()
                yield
            finally:
                self._moment = None

    def begin(self, kind: str, name: Name, status: str, seconds: float) -> float:
        """Something is in `status` for `seconds`; answers the end."""
        now = self.now()
        self._phases[(kind, name)] = (status, now + seconds)
        self.record.phase(kind, name, status, now, now + seconds)
        return now + seconds

    def status(self, kind: str, name: Name) -> str | None:
        """The status that something is in for a while, or nothing."""
        status, end = self._phases.get((kind, name), (None, 0))
        return status if self.now() < end else None

    def until(self, kind: str, name: Name) -> float:
        """When it ends, in monotonic seconds; now, where nothing is under way."""
        return max(self._phases.get((kind, name), (None, 0))[1], self.now())

    def forget(self, kind: str, name: Name) -> None:
        self._phases.pop((kind, name), None)

    def note(self, kind: str) -> dict[Any, Any]:
        """A dictionary of a rule's own, by kind."""
        return self.notes.setdefault(kind, {})

    def later(self, moment: float, action: Callable[[], object]) -> None:
        """Carries out an action at a moment, under the lock."""
        with self.lock:
            heapq.heappush(self._due, (moment, next(self._number), action))
            self._wake.notify()

    def _catch_up(self) -> None:
        """Carries out what is due."""
        while self._due and self._due[0][0] <= self.now():
            _, _, action = heapq.heappop(self._due)
            try:
                action()
            except Exception as error:  # Recorded, and asserted to be none.
                traceback.print_exc()
                self.record.late(f"{type(error).__name__}: {error}")

    def _keep_time(self) -> None:
        with self.lock:
            while True:
                with self.at_one_moment():
                    pass
                self._wake.wait(max(self._due[0][0] - time.monotonic(), 0.001) if self._due else None)

    # The emulator.

    def send(self, request: Request) -> Answer:
        """Sends a request on as it is; answers what comes back."""
        kept = getattr(self._local, "connection", None)
        if kept is not None:
            try:
                return self._send_over(kept, request)
            except (http.client.HTTPException, OSError):
                pass  # The emulator has closed it in between: a new one is opened.
        connection = http.client.HTTPConnection(*self.backend, timeout=120)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._local.connection = connection
        return self._send_over(connection, request)

    def _send_over(self, connection: http.client.HTTPConnection, request: Request) -> Answer:
        try:
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers:
                if name.lower() not in ("connection", "transfer-encoding", "expect", "content-length"):
                    connection.putheader(name, value)
            if request.body or request.method in ("POST", "PUT"):
                connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body or None)
            answer = connection.getresponse()
            body = answer.read()
        except (http.client.HTTPException, OSError):
            self.drop_connection()
            raise
        if answer.will_close:
            self.drop_connection()
        return Answer(answer.status, answer.getheaders(), body)

    def drop_connection(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
        self._local.connection = None

    def carry_out(self, call: Call) -> None:
        """Sends on a call that was answered before, such as a delete whose time has come."""
        answer = self.send(call.request)
        if answer.status >= 300:
            raise Refused(
                wire.error_code(answer),
                f"{call.operation}: {answer.body.decode(errors='replace')[:300]}",
                answer.status,
            )

    def ask(self, service: str, operation: str, /, **params: Any) -> Value:
        """What the emulator says of itself, past every rule. Fails where it refuses."""
        sent = self.request(service, operation, params)
        answer = self.send(sent)
        if answer.status >= 300:
            raise Refused(wire.error_code(answer), answer.body.decode(errors="replace")[:300], answer.status)
        return wire.Call(sent, self.key["access_key_id"], service, operation, params).value(answer)

    def request(self, service: str, operation: str, params: Value) -> Request:
        """A call as a client sends it."""
        model = models.operation(service, operation)
        request = models.serializer(service).serialize_to_request(params, model)
        path = request["url_path"]
        query = (
            urllib.parse.urlencode(request["query_string"])
            if isinstance(request["query_string"], dict)
            else request["query_string"]
        )
        if query:
            path = f"{path}{'&' if '?' in path else '?'}{query}"
        body = request["body"]
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body)
        body = body.encode() if isinstance(body, str) else body
        url = f"http://{self.backend[0]}:{self.backend[1]}{path}"
        signed = botocore.awsrequest.AWSRequest(request["method"], url, request["headers"], body)
        name = models.service(service).signing_name
        key = botocore.credentials.Credentials(self.key["access_key_id"], self.key["secret_access_key"])
        botocore.auth.SigV4Auth(key, name, "us-east-1").add_auth(signed)
        headers = [(key, str(value)) for key, value in signed.headers.items()]
        headers.append(("Host", f"{self.backend[0]}:{self.backend[1]}"))
        return Request(request["method"], path, headers, body or b"")

    def own(self, method: str, path: str) -> Request:
        """A request to a path of the launcher's, which is none of AWS's."""
        headers = [
            ("Host", f"{self.backend[0]}:{self.backend[1]}"),
            ("Authorization", f"Bearer {self.key['secret_access_key']}"),
        ]
        return Request(method, path, headers, b"")

    def found(self, service: str, operation: str, /, **params: Any) -> Value:
        """The same; nothing where it is not there."""
        try:
            return self.ask(service, operation, **params)
        except Refused:
            return {}
