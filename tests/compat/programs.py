"""Runs a client's program, unmodified, in a home and a network of its own."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec

from compat.sealed import can_seal
from compat.steered import Backend
from fakes.needs import CLIENTS, missing, node_modules

ENDS_WITHIN_S = 240
PACKAGES = Path("~/.cache/runapi-test-clients").expanduser()
PROCESSORS = {"x86_64": "x64", "aarch64": "arm64"}
PATHS = "/usr/local/bin:/usr/bin:/bin"


class Ended(msgspec.Struct, frozen=True):
    """A program that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> object:
        """What it printed, if it was one JSON text."""
        return json.loads(self.stdout)

    @property
    def lines(self) -> list[dict]:
        """What it printed, if each line was a JSON object."""
        return [json.loads(line) for line in self.stdout.splitlines() if line.startswith("{")]


def run_client(
    program: Sequence[str | Path],
    backend: Backend,
    home: Path,
    *,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
) -> Ended:
    """Run a program that must succeed, in `home`, with nothing of our own environment.

    It must look for nobody but the gateway: no update, no telemetry, no list of models elsewhere.
    """
    if not _can_seal():
        missing("this machine lets nobody make networks, and a client has to be kept in one")
    report = home / "report.json"
    port = backend.url.rpartition(":")[2]
    variables = {"HOME": str(home), "TMPDIR": str(home), "PATH": PATHS, "TERM": "dumb", "LANG": "C.UTF-8"}
    ended = subprocess.run(
        [sys.executable, CLIENTS / "sealed.py", report, port, *program],
        env=variables | dict(environment or {}),
        cwd=home,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    assert json.loads(report.read_text()) == {"names": [], "unroutable": 0}
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@cache
def _can_seal() -> bool:
    return can_seal()


# ---- where the clients are -------------------------------------------------------------------------------


def node_program(pattern: str) -> Path:
    """A file of the installed packages, by a glob in which {cpu} is this machine's processor, as npm names it."""
    wanted = pattern.format(cpu=PROCESSORS.get(platform.machine(), platform.machine()))
    return next(node_modules().glob(wanted), None) or missing(f"node_modules has no {wanted}")


def node_variables() -> dict[str, str]:
    """Where Node keeps what it has compiled: else each start of OpenClaw costs several seconds."""
    return {"NODE_COMPILE_CACHE": str(node_modules() / ".compile-cache")}


def python_of_clients() -> Path:
    """The Python in which the packages of requirements/clients.txt are installed."""
    named = os.environ.get("RUNAPI_TEST_CLIENTS_PYTHON")
    found = Path(named) if named else PACKAGES / "venv" / "bin" / "python"
    return (
        found if found.is_file() else missing(f"no {found}: docs/api/compatibility.md says how to install it")
    )
