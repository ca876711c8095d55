"""The strict AWS: a proxy in front of MiniStack that behaves as AWS does where MiniStack is kind.

    python proxy.py --backend PORT --key FILE [--port PORT]

It listens on 127.0.0.1, prints `ready PORT` and ends when its standard input closes, so that it never
outlives the test that started it. What is no call of AWS goes through untouched. Of its own it answers:
  GET  /_strict/record        calls, phases, violations
  POST /_strict/record/reset  forgets them
  GET  /_strict/inventory     everything that the emulator holds, by name
  POST /_strict/do            {"service": S, "operation": O, "params": {}}: a call by hand, under every rule
  POST /_strict/config        {"seconds": {KIND: S}, "failing_services": {NAME: {}}, "faults": [...]}
"""

import argparse
import contextlib
import http.server
import json
import os
import pathlib
import socket
import struct
import sys
import threading
import time
import traceback

import check
import creates  # noqa: F401 (they register their rules)
import executions  # noqa: F401
import faults
import in_use  # noqa: F401
import inventory
import record as records
import rules
import slow_ecs  # noqa: F401
import slow_ingress  # noqa: F401
import slow_network  # noqa: F401
import slow_rds  # noqa: F401
import wire
import world as worlds
from record import Caller
from wire import Answer, Call, Request, Value


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection of a client; its connection to the emulator is kept as long."""

    protocol_version = "HTTP/1.1"
    timeout = 300
    server: "Server"

    def setup(self) -> None:
        super().setup()
        self.caller: Caller | None = None
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def finish(self) -> None:
        self.server.world.drop_connection()
        # The client may have gone away.
        with contextlib.suppress(OSError):
            super().finish()

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

    def answer_any(self) -> None:
        moment = time.monotonic()
        request = Request(self.command, self.path, list(self.headers.items()), self._body())
        answer: Answer | None
        if request.path == "/_strict/do":
            answer = self._by_hand(json.loads(request.body))
        elif request.path.startswith("/_strict/"):
            answer = self.server.control(request)
        else:
            answer = self._aws(request, moment)
        if answer is not None:
            self._write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = answer_any  # noqa: N815 (http.server's names)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _aws(self, request: Request, moment: float) -> Answer | None:
        world, record = self.server.world, self.server.record
        call = wire.read(request)
        if call is None:
            if request.path == "/_ministack/reset":
                self.server.clear()
            if request.header("authorization").startswith("AWS4-"):
                record.unread(request)
            return world.send(request)
        if self.caller is None:
            self.caller = records.caller(request, self.client_address[1], self.server.server_port)
        caller = self.caller
        fault = faults.take(world, call, caller)
        if fault is None:
            answer, by = self._guarded(call)
        else:
            by = "fault"
            try:
                answer = faults.carry_out(world, call, caller, fault, lambda: self._guarded(call)[0])
            except faults.Reset as reset:
                done = "carried out" if reset.args[0] else "not carried out"
                record.call(call, caller, moment, f"{fault.kind}, {done}", by)
                self._reset()
                return None
        outcome = "ok" if answer.status < 400 else wire.error_code(answer)
        record.call(call, caller, moment, outcome, by)
        return answer

    def _by_hand(self, told: Value) -> Answer:
        """Carries out a call as a person's own tool would; answers AWS's error code and words, or nothing."""
        request = self.server.world.request(told["service"], told["operation"], told["params"])
        call = wire.read(request)
        if call is None:
            raise LookupError(f"no call of AWS: {told['service']}:{told['operation']}")
        answer, _ = self._guarded(call)
        failed = answer.status >= 300
        said = {"error": wire.error_code(answer), "message": answer.body.decode(errors="replace")} if failed else {}
        return Answer(200, [("Content-Type", "application/json")], json.dumps(said).encode())

    def _reset(self) -> None:
        """Resets the connection: no answer, not even an end of one."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _guarded(self, call: Call) -> tuple[Answer, str]:
        """The answer, and whose it is; a refusal is an answer."""
        world = self.server.world
        try:
            answer, by = self._carry_out(call)
            return faults.hide(world, call, answer), by
        except worlds.Refused as refused:
            return call.error(refused.code, refused.message, refused.status), "strict"
        except Exception as error:
            traceback.print_exc()
            self.server.record.late(f"{call.operation}: {type(error).__name__}: {error}")
            return call.error("InternalFailure", "the strict layer failed: see its log", 500), "strict"

    def _carry_out(self, call: Call) -> tuple[Answer, str]:
        """The answer, and whose it is."""
        world = self.server.world
        wrong = check.violation(call)
        if wrong:
            self.server.record.violation(call, wrong[1])
            raise worlds.Refused(*wrong)
        if not rules.has(call):
            return world.send(call.request), "emulator"
        key = (call.service, call.operation)
        with world.at_one_moment():
            for look in rules.BEFORE.get(key, []):
                answered = look(world, call)
                if answered is not None:
                    return answered, "strict"
            answer = world.send(call.request)
            if answer.status < 300 and key in rules.AFTER:
                value = call.value(answer)
                for change in rules.AFTER[key]:
                    change(world, call, value)
                answer = call.answer(value, answer.status)
            return answer, "emulator"

    def _write(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "keep-alive"):
                self.send_header(name, value)
        length = answer.header("content-length") if self.command == "HEAD" else str(len(answer.body))
        if answer.status not in (204, 304):
            self.send_header("Content-Length", length or "0")
        self.end_headers()
        if self.command != "HEAD" and answer.status not in (204, 304):
            self.wfile.write(answer.body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, backend: tuple[str, int], key: worlds.Key) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.record = records.Record()
        self.world = worlds.World(backend, key, self.record)

    def clear(self) -> None:
        self.world.clear()
        self.record.clear()

    def control(self, request: Request) -> Answer:
        def said(value: object, status: int = 200) -> Answer:
            return Answer(status, [("Content-Type", "application/json")], json.dumps(value).encode())

        if request.path == "/_strict/record" and request.method == "GET":
            return said(self.record.told())
        if request.path == "/_strict/inventory" and request.method == "GET":
            return said(inventory.listed(self.world))
        if request.path == "/_strict/record/reset" and request.method == "POST":
            self.record.clear()
            return said({})
        if request.path == "/_strict/config" and request.method == "POST":
            try:
                self.configure(json.loads(request.body))
            except (ValueError, KeyError, TypeError) as error:
                return said({"error": str(error)}, 400)
            return said({})
        return said({"error": f"there is no {request.method} {request.path}"}, 404)

    def configure(self, told: Value) -> None:
        unknown = set(told) - {"seconds", "failing_services", "faults"}
        unknown |= {f"seconds.{kind}" for kind in told.get("seconds", {}) if kind not in worlds.SECONDS}
        if unknown:
            raise ValueError(f"unknown settings: {sorted(unknown)}")
        told_faults = [faults.Fault(one) for one in told.get("faults", [])]
        with self.world.lock:
            if "faults" in told:
                self.world.faults = told_faults
            self.world.seconds.update(told.get("seconds", {}))
            self.world.failing_services.update(told.get("failing_services", {}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--backend", type=int, required=True)
    parser.add_argument("--key", type=pathlib.Path, required=True, help="the emulator's `key.json`")
    arguments = parser.parse_args()
    key: worlds.Key = json.loads(arguments.key.read_text(encoding="utf-8"))
    server = Server(arguments.port, ("127.0.0.1", arguments.backend), key)
    # Requests are handed on as they are, and name this port.
    port = server.server_address[1]
    if server.world.send(server.world.own("POST", f"/_stepstack/front/{port}")).status != 200:
        sys.exit("The emulator takes nothing that was sent to this port: it was started without test hooks.")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"ready {port}", flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
