#!/usr/bin/env python3
"""How fast Stepstack is: command start to exit, release binaries, a running MiniStack.

    cargo build --release -p bootstrap -p control -p foundation -p network -p certificate \
        -p database -p ingress -p services -p diagnose
    python3 tests/bench/bench.py [--runs 5] [--file examples/arive.toml]

Prints a table of medians (fresh apply, no-op apply, plan, destroy, bootstrap by itself), the calls that each
makes by operation, and for each function its zip size, cold start and peak memory. A benchmark, not a test:
it fails only when a command fails.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from emulator import Emulator, Failed

TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / os.environ.get(
    "STEPSTACK_BENCH_PROFILE", "release"
)
FUNCTIONS = ["control", "foundation", "network", "certificate", "database", "ingress", "services", "diagnose"]


def timed(emulator, *arguments):
    """Seconds from the command's start to its exit."""
    begin = time.monotonic()
    emulator.run(*arguments)
    return time.monotonic() - begin


def calls_of(emulator):
    return collections.Counter(json.loads(emulator.admin("GET", "/_stepstack/calls")))


def measure(runs, file):
    """Times by command, and the calls of the first run of each."""
    times, calls = collections.defaultdict(list), {}
    emulator = Emulator(TARGET / "stepstack")
    try:
        emulator.run("local", "start")
        for run in range(runs):
            steps = [
                ("bootstrap", ["bootstrap", "--yes"]),
                ("fresh apply", ["apply", "--yes"]),
                ("no-op apply", ["apply", "--yes"]),
                ("plan", ["plan"]),
                ("destroy", ["destroy", "--yes", "--delete-data"]),
            ]
            if run > 0:
                emulator.run("local", "reset")
            for name, arguments in steps:
                emulator.admin("POST", "/_stepstack/calls/reset")
                times[name].append(timed(emulator, "--local", "-c", str(file), *arguments))
                calls.setdefault(name, calls_of(emulator))
    finally:
        emulator.stop()
    return times, calls


def functions():
    """Zip size, and cold start and peak memory of a real process that answers one request of its runtime."""
    for name in FUNCTIONS:
        binary = TARGET / name
        with tempfile.TemporaryDirectory() as directory:
            archive = pathlib.Path(shutil.make_archive(f"{directory}/{name}", "zip", TARGET, name))
            size = archive.stat().st_size
        start, peak = cold_start(binary)
        yield name, binary.stat().st_size, size, start, peak


def cold_start(binary):
    """Milliseconds from start to the first request for work, and MiB of peak memory then."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(1)
    server.settimeout(20)
    environment = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.getsockname()[1]}",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_REGION": "us-east-1",
    }
    begin = time.monotonic()
    process = subprocess.Popen([binary], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        connection, _ = server.accept()
        connection.recv(4096)
        took = (time.monotonic() - begin) * 1000
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024
        connection.close()
    finally:
        process.kill()
        process.wait()
        server.close()
    return took, peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--file", type=pathlib.Path, default=ROOT / "examples/arive.toml")
    arguments = parser.parse_args()
    try:
        times, calls = measure(arguments.runs, arguments.file.resolve())
    except Failed as failed:
        sys.exit(str(failed))
    print(f"{'command':<14}{'median s':>10}{'min s':>8}{'max s':>8}{'calls':>8}")
    for name, all_times in times.items():
        total = sum(calls[name].values())
        print(f"{name:<14}{statistics.median(all_times):>10.2f}{min(all_times):>8.2f}{max(all_times):>8.2f}{total:>8}")
    for name, counter in calls.items():
        print(f"\ncalls of {name}:")
        for operation, count in counter.most_common():
            print(f"  {count:>4} {operation}")
    print(f"\n{'function':<14}{'binary MB':>10}{'zip MB':>8}{'cold ms':>9}{'peak MiB':>10}")
    for name, binary, size, start, peak in functions():
        print(f"{name:<14}{binary / 1e6:>10.1f}{size / 1e6:>8.1f}{start:>9.0f}{peak:>10.1f}")


if __name__ == "__main__":
    main()
