"""A MiniStack of one's own for the scripts of this repository, driven through the program as a person would."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import urllib.request


class Failed(Exception):
    """A command failed; what it printed."""


def command(arguments, environment, seconds, good=(0,)):
    """Runs to the end; the output matters only when it fails."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode not in good:
        raise Failed(f"{' '.join(map(str, arguments))} failed with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


class Emulator:
    """Has a free port and a directory of its own; the program starts it with the first command that needs it."""

    def __init__(self, program):
        self.program = program
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="stepstack-script-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.environment = {
            **os.environ,
            "STEPSTACK_LOCAL_DIR": str(self.directory),
            "STEPSTACK_LOCAL_PORT": str(self.port),
            "STEPSTACK_LOCAL_TEST_HOOKS": "1",
            "NO_COLOR": "1",
        }

    def run(self, *arguments):
        """A command of the program; a plan that shows something ends with 3."""
        command([self.program, *arguments], self.environment, 1800, good=(0, 3))

    def admin(self, method, path):
        url = f"http://127.0.0.1:{self.port}{path}"
        bearer = {"Authorization": f"Bearer {self.key()['secret_access_key']}"}
        request = urllib.request.Request(url, method=method, data=b"" if method == "POST" else None, headers=bearer)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def key(self):
        """What it takes requests by: the key of its start."""
        return json.loads((self.directory / "key.json").read_text())

    def stop(self):
        subprocess.run([self.program, "local", "stop"], env=self.environment, capture_output=True, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)
