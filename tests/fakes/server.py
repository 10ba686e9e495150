"""The real server as a process of its own, in a folder of its own."""

import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fakes import http

STARTS_WITHIN_S = 30
STOPS_WITHIN_S = 20
FAULT_MARKS = (
    "Traceback (most recent call last)",
    "Task was destroyed but it is pending",
    "exception was never retrieved",
    "was never awaited",
    "Unclosed",  # sessions, connections and connectors of the upstream client
)


class CommandFailed(Exception):  # noqa: N818 - named for what happened
    """A `runapi` command ended with an error; the message holds what it said."""


class Gateway:
    """One `runapi serve`; keyword arguments are settings: `stall_s=2` becomes RUNAPI_STALL_S=2."""

    def __init__(
        self, folder: Path, *, environment: Mapping[str, str] | None = None, **settings: object
    ) -> None:
        self.home = folder / "home"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.base_url = f"{self.url}/v1"
        self.secrets: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        self._live_key: str | None = None
        self._judged = 0
        self._stdout_file = folder / "stdout.txt"
        self._stderr_file = folder / "stderr.txt"
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("RUNAPI_", "OPENAI_"))
            },
            "RUNAPI_HOME": str(self.home),
            "RUNAPI_PORT": str(self.port),
            **{f"RUNAPI_{name.upper()}": str(value) for name, value in settings.items()},
            **(environment or {}),
        }

    # ---- life --------------------------------------------------------------------------------------------

    def start(self) -> "Gateway":
        """Start serving and return once /healthz answers 200; a stopped server starts again on its data."""
        with self._stdout_file.open("ab") as stdout, self._stderr_file.open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "runapi", "serve"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._is_healthy():
            code = self.process.poll()
            assert code is None, f"the server ended with {code} at its start:\n{self.stdout}\n{self.stderr}"
            assert time.monotonic() < deadline, (
                f"no answer on {self.url}/healthz:\n{self.stdout}\n{self.stderr}"
            )
            time.sleep(0.02)
        return self

    def stop(self) -> int:
        """End the server as an operator does, with SIGTERM, and return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End the server as bad luck does, with SIGKILL."""
        return self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(how)
        try:
            return process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the server was still there {STOPS_WITHIN_S} s after {how.name}") from None

    def _is_healthy(self) -> bool:
        try:
            return http.request(self.url, "GET", "/healthz", timeout_s=5).status == 200
        except (OSError, EOFError):
            return False

    # ---- what it wrote -----------------------------------------------------------------------------------

    @property
    def stdout(self) -> str:
        return _text(self._stdout_file)

    @property
    def stderr(self) -> str:
        return _text(self._stderr_file)

    @property
    def test_key(self) -> str:
        """The key that the first start made and printed."""
        return (self.home / "test.key").read_text().strip()

    def assert_clean_log(self) -> None:
        """What was logged since this was asked last has no sign of a fault and no secret."""
        written, printed = _bytes(self._stderr_file, self._judged), self.stdout
        fresh, self._judged = written.decode(errors="replace"), self._judged + len(written)
        for mark in FAULT_MARKS:
            assert mark not in fresh, f"{mark!r} stands in the log:\n{fresh}"
        known = [*self.secrets, self.test_key] if (self.home / "test.key").exists() else self.secrets
        leaked = [secret for secret in known if secret in fresh]
        assert not leaked, f"secrets {leaked} stand in the log:\n{fresh}"
        leaked = [secret for secret in self.secrets if secret in printed]
        assert not leaked, f"secrets {leaked} were printed:\n{printed}"

    # ---- operating it ------------------------------------------------------------------------------------

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `runapi ARGUMENTS` on this server's data, whatever comes of it."""
        return subprocess.run(
            [sys.executable, "-m", "runapi", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def cli(self, *arguments: str) -> object:
        """Run `runapi ARGUMENTS --json`, which must succeed, and return what it printed."""
        ended = self.command(*arguments, "--json")
        if ended.returncode:
            raise CommandFailed(f"runapi {arguments}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}")
        return json.loads(ended.stdout)

    def perform(self, verb: str, /, **parameters: object) -> Any:
        """Carry out an operator's command through the running server: the command line takes a second to start."""
        headers = {"authorization": f"Bearer {self.admin_token}"}
        done = http.request(self.url, "POST", f"/admin/v1/{verb}", json=parameters, headers=headers)
        assert done.status == 200, done.body
        return done.json

    @property
    def admin_token(self) -> str:
        """What lets the command line in, where the server runs."""
        return str(json.loads((self.home / "server.json").read_text())["token"])

    def new_key(self, *, account: str, mode: str, **policies: object) -> str:
        """Make a key of an account that exists; it may never be seen in the log."""
        key = str(self.perform("keys.create", account=account, mode=mode, **policies)["key"])
        self.secrets.append(key)
        return key

    def live_key(self) -> str:
        """A live key of a rich account named `tester`, the same one at each call."""
        if self._live_key is None:
            self.perform("accounts.create", name="tester")
            self.perform("accounts.credit", name="tester", usd="1000000", mode="live")
            self._live_key = self.new_key(account="tester", mode="live")
        return self._live_key

    def add_upstream(
        self, name: str, base_url: str, models: Sequence[str], *, api_key: str | None = None, **more: object
    ) -> str:
        """Add an upstream and return its API key, which may never be seen in the log either."""
        api_key = api_key or f"sk-canary-{secrets.token_hex(16)}"
        if api_key not in self.secrets:
            self.secrets.append(api_key)
        upstream = {"name": name, "base_url": base_url, "api_key": api_key, "models": list(models)}
        self.perform("upstreams.add", **upstream, **more)
        return api_key


def free_port() -> int:
    """A port that is free now, below those that the kernel gives to outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _text(file: Path) -> str:
    return _bytes(file).decode(errors="replace")


def _bytes(file: Path, start: int = 0) -> bytes:
    """What stands in a file from there on: a log grows long, and each test looks at its own part."""
    if not file.exists():
        return b""
    with file.open("rb") as opened:
        opened.seek(start)
        return opened.read()
