"""Every call in order: who made it, what it was about, what came of it, and when."""

import pathlib
import re
import threading
import time

from wire import Call, Request, Value

# What a thing that is under way is called, within its kind.
Name = str | tuple[str, str]

PROC = pathlib.Path("/proc")
APP = re.compile(r"\bapp/([^ ]+)")

# Where a request says what it is about, the most telling first.
SUBJECTS = (
    "DBInstanceIdentifier",
    "DBClusterSnapshotIdentifier",
    "DBClusterIdentifier",
    "DBSubnetGroupName",
    "DBClusterParameterGroupName",
    "serviceName",
    "service",
    "clusterName",
    "family",
    "taskDefinition",
    "Name",
    "RoleName",
    "PolicyName",
    "DomainName",
    "CertificateArn",
    "RouteTableId",
    "NatGatewayId",
    "GroupId",
    "SubnetId",
    "InternetGatewayId",
    "AllocationId",
    "VpcId",
    "LoadBalancerArn",
    "TargetGroupArn",
    "ListenerArn",
    "RuleArn",
    "logGroupName",
    "repositoryName",
    "SecretId",
    "Key",
    "Bucket",
    "name",
)


class Caller(str):
    """Who calls; a function with the id of its process."""

    pid: int | None

    def __new__(cls, name: str, pid: int | None) -> "Caller":
        caller = super().__new__(cls, name)
        caller.pid = pid
        return caller


class Record:
    """The calls since the start or the last time it was emptied. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self.begun = time.monotonic()
            self._calls: list[Value] = []
            self._phases: list[Value] = []
            self._violations: list[str] = []
            self._late: list[str] = []
            self._unread: list[str] = []

    def ms(self, moment: float) -> int:
        return round((moment - self.begun) * 1000)

    def call(self, call: Call, caller: Caller, moment: float, outcome: str, by: str) -> None:
        entry = {
            "ms": self.ms(moment),
            "took_ms": round((time.monotonic() - moment) * 1000),
            "caller": caller,
            "service": call.service,
            "operation": call.operation,
            "subject": subject(call.params or {}),
            "outcome": outcome,
            "by": by,
        }
        with self._lock:
            self._calls.append(entry)

    def phase(self, kind: str, name: Name, status: str, begin: float, end: float) -> None:
        """Something is in `status` from `begin` to `end`, in monotonic seconds."""
        name = "/".join(name) if isinstance(name, tuple) else name
        with self._lock:
            self._phases.append(
                {"kind": kind, "name": name, "status": status, "from_ms": self.ms(begin), "to_ms": self.ms(end)}
            )

    def violation(self, call: Call, message: str) -> None:
        with self._lock:
            self._violations.append(f"{call.service}:{call.operation}: {message}")

    def late(self, what: str) -> None:
        """A delete that was accepted, and that the emulator refused when its time had come: a fault of these tests."""
        with self._lock:
            self._late.append(what)

    def unread(self, request: Request) -> None:
        """A signed request whose operation is not known: no rule can see it."""
        with self._lock:
            self._unread.append(f"{request.method} {request.path} {request.header('x-amz-target')}".strip())

    def told(self) -> Value:
        with self._lock:
            return {
                "calls": list(self._calls),
                "phases": list(self._phases),
                "violations": list(self._violations),
                "late_failures": list(self._late),
                "unread": list(self._unread),
            }


def caller(request: Request, port: int, to: int) -> Caller:
    """Who calls from a port of this machine to another one: the app id of the user agent, else the function whose
    process holds the connection (Linux shows it under /proc), else the program that is no function. To be asked
    while the connection is open: a port goes to another process soon after."""
    told = APP.search(request.header("user-agent"))
    return Caller(told.group(1), None) if told else _function_at(port, to)


def subject(params: Value) -> str:
    """What a call is about: the name in its tags, else the most telling of its parameters."""
    specifications = params.get("TagSpecifications") or params.get("TagSpecification") or [{}]
    tags = specifications[0].get("Tags") or params.get("Tags") or params.get("tags") or []
    for tag in tags if isinstance(tags, list) else []:
        if isinstance(tag, dict) and (tag.get("Key") or tag.get("key")) == "stepstack:name":
            return str(tag.get("Value") or tag.get("value") or "")
    for name in SUBJECTS:
        value = params.get(name)
        if isinstance(value, str) and value:
            if name == "Key" and "Bucket" in params:
                return f"{params['Bucket']}/{value}"
            return f"{value} {params['DestinationCidrBlock']}" if "DestinationCidrBlock" in params else value
    return ""


def _function_at(port: int, to: int) -> Caller:
    """The function whose process has this connection; `unknown` where there is no /proc."""
    try:
        # A listing of /proc can miss a line while others come and go.
        for _ in range(5):
            inode = _inode(port, to)
            for process in PROC.iterdir() if inode else ():
                if process.name.isdigit() and _holds(process, f"socket:[{inode}]"):
                    text = (process / "environ").read_text(encoding="utf-8", errors="replace")
                    variables = dict(pair.partition("=")[::2] for pair in text.split("\0"))
                    name = variables.get("AWS_LAMBDA_FUNCTION_NAME")
                    return Caller(name, int(process.name)) if name else Caller("program", None)
    except OSError:
        pass
    return Caller("unknown", None)


def _holds(process: pathlib.Path, held: str) -> bool:
    """Whether a process holds a socket. What ends or is closed meanwhile does not."""
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:
        return False
    for descriptor in descriptors:
        try:
            if str(descriptor.readlink()) == held:
                return True
        except OSError:
            continue
    return False


def _inode(port: int, to: int) -> str | None:
    # A port of one's own can serve several connections at once, to different places.
    here, there = f"0100007F:{port:04X}", f"0100007F:{to:04X}"
    with (PROC / "net/tcp").open(encoding="ascii") as file:
        for line in file:
            fields = line.split()
            if len(fields) > 9 and fields[1:3] == [here, there]:
                return fields[9]
    return None
