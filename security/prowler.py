#!/usr/bin/env python3
"""Has Prowler look at the applied example on a running MiniStack, and compares what fails with accepted.toml.

    cargo build -p bootstrap
    python3 security/prowler.py [--file examples/arive.toml] [--keep findings.json]

Exits 1 on a failure that accepted.toml does not list, and on an entry there that no longer occurs. Too large
for CI: Prowler with what it needs takes 2.5 GB in the user's cache, and minutes to install the first time.
"""

import argparse
import collections
import fnmatch
import json
import os
import pathlib
import subprocess
import sys
import venv

import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from emulator import Emulator, Failed, command

PROGRAM = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/stepstack"
ACCEPTED = ROOT / "security/accepted.toml"
VERSION = "5.46.0"
FRAMEWORK = "aws_foundational_security_best_practices_aws"
OURS = ("arive", "stepstack-arive")
# What the stack is made of, by Prowler's names. Errors in other services do not concern it.
SERVICES = {
    "acm",
    "awslambda",
    "cloudwatch",
    "ec2",
    "ecr",
    "ecs",
    "elbv2",
    "eventbridge",
    "iam",
    "logs",
    "rds",
    "route53",
    "s3",
    "secretsmanager",
    "stepfunctions",
    "vpc",
}
# The longest that a scan may take: it takes about a minute, and one that hangs is none to wait for.
SCAN_S = 900
# Says which resources without name and tag stand in a network of ours. Run by Prowler's Python, which has boto3.
UNNAMED = """
import boto3
ec2 = boto3.client("ec2")
ours = {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]
        if any(tag["Key"] == "stepstack:stack" for tag in vpc.get("Tags", []))}
for acl in ec2.describe_network_acls()["NetworkAcls"]:
    if acl["VpcId"] in ours:
        print(acl["NetworkAclId"])
for group in ec2.describe_security_groups()["SecurityGroups"]:
    if group["VpcId"] in ours:
        print(group["GroupId"])
"""


def prowler():
    """Prowler's binary, in a virtual environment of this version alone, made once."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    directory = cache / "stepstack" / f"prowler-{VERSION}"
    ready = directory / "ready"
    if not ready.exists():
        print(f"Installing Prowler {VERSION} in {directory}: minutes, once.", flush=True)
        venv.create(directory, with_pip=True, clear=True, symlinks=True)
        command([directory / "bin/pip", "install", "--quiet", f"prowler=={VERSION}"], None, 3600)
        # Written last: an installation that was cut off is made again.
        ready.touch()
    return directory / "bin/prowler"


class Scan:
    """What Prowler found, what it could not ask, and the resources without a name that are ours."""

    def __init__(self, binary, emulator):
        home = emulator.directory / "prowler"
        home.mkdir()
        # Nothing of the caller's AWS configuration is handed on: only the emulator may be reached.
        environment = {
            "HOME": str(home),
            "PATH": os.environ.get("PATH", ""),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{emulator.port}",
            "AWS_ACCESS_KEY_ID": emulator.key()["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": emulator.key()["secret_access_key"],
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        # The emulator shows no network interfaces, by which Prowler tells networks in use: unused ones are asked for.
        command(
            [
                binary,
                "aws",
                "--compliance",
                FRAMEWORK,
                "--region",
                "us-east-1",
                "--scan-unused-services",
                "--aws-retries-max-attempts",
                "1",
                "--output-formats",
                "json-ocsf",
                "--output-directory",
                home,
                "--output-filename",
                "findings",
                "--no-banner",
                "--no-color",
                "--ignore-exit-code-3",
                "--log-level",
                "ERROR",
                "--log-file",
                home / "errors",
            ],
            environment,
            SCAN_S,
        )
        unnamed = command([binary.parent / "python", "-c", UNNAMED], environment, 60)
        self.unnamed = set(unnamed.stdout.split())
        self.raw = (home / "findings.ocsf.json").read_text()
        self.findings = [finding for finding in map(self.finding, json.loads(self.raw)) if finding]
        self.errors = sorted({error for error in map(self.error, (home / "errors").read_text().splitlines()) if error})

    def finding(self, raw):
        """Check, resource, result and words, of a resource of ours."""
        resource = raw["resources"][0]
        tags = resource.get("labels", [])
        name = resource["name"]
        tagged = any(tag.startswith("stepstack:stack:arive/") for tag in tags)
        if not (name.startswith(OURS) or tagged or name in self.unnamed):
            return None
        # An id differs from run to run, and can stand in no list: the tag says what it is.
        if not name.startswith(OURS):
            name = next((tag.removeprefix("Name:") for tag in tags if tag.startswith("Name:")), name)
        return raw["metadata"]["event_code"], name, raw["status_code"], raw["severity"], raw["status_detail"]

    @staticmethod
    def error(line):
        """`acm: us-east-1 -- KeyError[62]: 'Type'`, of a service of ours."""
        try:
            raw = json.loads(line, strict=False)
        except json.JSONDecodeError:
            return None
        service = raw["module"].removesuffix("_service")
        return f"{service}: {raw['message']}" if service in SERVICES else None


def compare(scan, listed):
    """Prints the counts and the differences; whether there were none."""
    entries = [(section, entry) for section in ("accepted", "emulator") for entry in listed.get(section, [])]
    wrong, used, counts = [], set(), collections.Counter()
    for check, name, result, severity, words in scan.findings:
        if result != "FAIL":
            counts[result] += 1
            continue
        for number, (section, entry) in enumerate(entries):
            if entry["check"] == check and fnmatch.fnmatchcase(name, entry["resource"]):
                used.add(number)
                counts[section] += 1
                break
        else:
            counts["FAIL"] += 1
            wrong.append(f"FAIL, not listed: {severity} {check} on {name}: {words}")
    for number, (section, entry) in enumerate(entries):
        if number not in used:
            wrong.append(f"listed ({section}), but it occurs no longer: {entry['check']} on {entry['resource']}")
    # A call that the emulator refuses silences its checks without a word: silence has to be listed too.
    answered = {finding[0] for finding in scan.findings}
    unanswered = listed.get("unanswered", [])
    wrong += [
        f"Prowler could not ask, not listed: {error}"
        for error in scan.errors
        if not any(entry["error"] in error for entry in unanswered)
    ]
    for entry in unanswered:
        if not any(entry["error"] in error for error in scan.errors):
            wrong.append(f"listed (unanswered), but it is answered by now: {entry['error']}")
        wrong += [
            f"listed (unanswered), but it has a result: {check}" for check in answered.intersection(entry["checks"])
        ]
    silent = sum(len(entry["checks"]) for entry in unanswered)
    print(
        f"{counts['PASS']} PASS, {counts['FAIL']} FAIL, {counts['accepted']} accepted, "
        f"{counts['emulator']} the emulator's fault; {silent} checks unanswered"
    )
    print("\n".join(wrong), end="\n" if wrong else "")
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=pathlib.Path, default=ROOT / "examples/arive.toml")
    parser.add_argument("--keep", type=pathlib.Path, help="where Prowler's findings are kept, as OCSF JSON")
    arguments = parser.parse_args()
    listed = tomllib.loads(ACCEPTED.read_text())
    emulator = None
    try:
        binary = prowler()
        emulator = Emulator(PROGRAM)
        emulator.run("local", "start")
        emulator.run("--local", "-c", str(arguments.file.resolve()), "bootstrap", "--yes")
        emulator.run("--local", "-c", str(arguments.file.resolve()), "apply", "--yes")
        scan = Scan(binary, emulator)
    except (Failed, subprocess.TimeoutExpired) as error:
        sys.exit(str(error))
    finally:
        if emulator:
            emulator.stop()
    if arguments.keep:
        arguments.keep.write_text(scan.raw)
    sys.exit(0 if compare(scan, listed) else 1)


if __name__ == "__main__":
    main()
