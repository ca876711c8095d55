"""Every call in order: who made it, what it was about, what came of it, and when."""

import os
import re
import threading
import time

APP = re.compile(r"\bapp/([^ ]+)")

# Where a request says what it is about, the most telling first.
SUBJECTS = (
    "DBInstanceIdentifier", "DBClusterSnapshotIdentifier", "DBClusterIdentifier", "DBSubnetGroupName", "DBClusterParameterGroupName",
    "serviceName", "service", "clusterName", "family", "taskDefinition", "Name", "RoleName", "PolicyName", "DomainName", "CertificateArn",
    "RouteTableId", "NatGatewayId", "GroupId", "SubnetId", "InternetGatewayId", "AllocationId", "VpcId", "LoadBalancerArn",
    "TargetGroupArn", "ListenerArn", "RuleArn", "logGroupName", "repositoryName", "SecretId", "Key", "Bucket", "name",
)


class Caller(str):
    """Who calls; a function with the id of its process."""

    def __new__(cls, name, pid):
        caller = super().__new__(cls, name)
        caller.pid = pid
        return caller


class Record:
    """The calls since the start or the last time it was emptied. Safe from any thread."""

    def __init__(self):
        self._lock = threading.Lock()
        self.clear()

    def clear(self):
        with self._lock:
            self.begun = time.monotonic()
            self._calls, self._phases, self._violations = [], [], []
            self._late, self._unread = [], []

    def ms(self, moment):
        return round((moment - self.begun) * 1000)

    def call(self, call, caller, moment, outcome, by):
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

    def phase(self, kind, name, status, begin, end):
        """Something is in `status` from `begin` to `end`, in monotonic seconds."""
        name = "/".join(name) if isinstance(name, tuple) else name
        with self._lock:
            self._phases.append({"kind": kind, "name": name, "status": status, "from_ms": self.ms(begin), "to_ms": self.ms(end)})

    def violation(self, call, message):
        with self._lock:
            self._violations.append(f"{call.service}:{call.operation}: {message}")

    def late(self, what):
        """A delete that was accepted, and that the emulator refused when its time had come: a fault of these tests."""
        with self._lock:
            self._late.append(what)

    def unread(self, request):
        """A signed request whose operation is not known: no rule can see it."""
        with self._lock:
            self._unread.append(f"{request.method} {request.path} {request.header('x-amz-target')}".strip())

    def told(self):
        with self._lock:
            return {
                "calls": list(self._calls), "phases": list(self._phases),
                "violations": list(self._violations), "late_failures": list(self._late), "unread": list(self._unread),
            }


def caller(request, port):
    """Who calls from a port of this machine: the app id of the user agent, else the function whose process holds
    the connection (Linux shows it under /proc), else the program that is no function. To be asked while the
    connection is open: a port goes to another process soon after."""
    told = APP.search(request.header("user-agent"))
    return Caller(told.group(1), None) if told else Caller(*_function_at(port))


def subject(params):
    """What a call is about: the name in its tags, else the most telling of its parameters."""
    specifications = params.get("TagSpecifications") or params.get("TagSpecification") or [{}]
    tags = specifications[0].get("Tags") or params.get("Tags") or params.get("tags") or []
    for tag in tags if isinstance(tags, list) else []:
        if isinstance(tag, dict) and (tag.get("Key") or tag.get("key")) == "stepstack:name":
            return tag.get("Value") or tag.get("value")
    for name in SUBJECTS:
        value = params.get(name)
        if isinstance(value, str) and value:
            if name == "Key" and "Bucket" in params:
                return f"{params['Bucket']}/{value}"
            return f"{value} {params['DestinationCidrBlock']}" if "DestinationCidrBlock" in params else value
    return ""


def _function_at(port):
    """The function whose process has a connection from this port; `unknown` where there is no /proc."""
    try:
        inode = _inode(port)
        for pid in filter(str.isdigit, os.listdir("/proc")) if inode else ():
            try:
                held = any(os.readlink(f"/proc/{pid}/fd/{fd}") == f"socket:[{inode}]" for fd in os.listdir(f"/proc/{pid}/fd"))
                if held:
                    with open(f"/proc/{pid}/environ", encoding="utf-8", errors="replace") as file:
                        variables = dict(pair.partition("=")[::2] for pair in file.read().split("\0"))
                    name = variables.get("AWS_LAMBDA_FUNCTION_NAME")
                    return (name, int(pid)) if name else ("program", None)
            except OSError:
                continue
    except OSError:
        pass
    return "unknown", None


def _inode(port):
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file:
            fields = line.split()
            if len(fields) > 9 and fields[1].endswith(f":{port:04X}") and fields[1].startswith("0100007F"):
                return fields[9]
    return None
