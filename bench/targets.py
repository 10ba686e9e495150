"""What is measured: how each server is set up, started and stopped."""

import json
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from bench import traffic
from bench.process import Program, free_port

NAMES = ("bare", "nginx", "floor", "parts", "gateway")
NGINX_MISSING = (
    "nginx is not installed, so its column is left out: apt-get install --no-install-recommends nginx-light"
)
# As long as a real key, so that every target gets as many bytes.
ANY_KEY = "runapi_live_" + "x" * 36
_HERE = Path(__file__).parent
_RUNAPI = str(Path(sys.executable).with_name("runapi"))


def find_nginx() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Target(ABC):
    """One server under test. It can be started many times; its data lives in `folder`."""

    name: str
    key = ANY_KEY

    def __init__(self, folder: Path, upstream_port: int) -> None:
        self.folder = folder / self.name
        self.folder.mkdir()
        self.upstream_port = upstream_port
        self.port = free_port()
        self.started_in_s = 0.0
        self._program: Program | None = None

    @property
    def pid(self) -> int:
        assert self._program is not None
        return self._program.pid

    @abstractmethod
    def argv(self) -> Sequence[str]: ...

    def env(self) -> dict[str, str]:
        return dict(os.environ)

    def start(self) -> None:
        self._program = Program(self.argv(), self.folder / "log", self.env())
        self.started_in_s = self._program.wait_until_healthy(self.port)

    def stop(self) -> None:
        if self._program:
            self._program.stop()
            self._program = None

    def check(self) -> None:
        """See to it that the last round did what was asked; called when the server is stopped."""
        assert self._program is None

    def log_tail(self) -> str:
        return self._program.log_tail() if self._program else ""


class Bare(Target):
    """The fake upstream itself, as the client sees it with nothing between; the others stand before this one too."""

    name = "bare"

    def __init__(self, folder: Path, upstream_port: int) -> None:
        super().__init__(folder, upstream_port)
        self.port = upstream_port

    def argv(self) -> Sequence[str]:
        return (sys.executable, "-m", "bench.upstream", str(self.port))


class Nginx(Target):
    name = "nginx"

    def argv(self) -> Sequence[str]:
        nginx = find_nginx()
        assert nginx is not None
        config = (_HERE / "nginx.conf").read_text()
        values = {
            "DIR": str(self.folder),
            "PORT": str(self.port),
            "UPSTREAM_PORT": str(self.upstream_port),
            "USER": "user root;" if os.geteuid() == 0 else "",  # else the worker could not enter the folder
        }
        for name, value in values.items():
            config = config.replace(f"@{name}@", value)
        path = self.folder / "nginx.conf"
        path.write_text(config)
        return (nginx, "-e", "stderr", "-p", str(self.folder), "-c", str(path))


class Floor(Target):
    name = "floor"

    def argv(self) -> Sequence[str]:
        url = f"http://127.0.0.1:{self.upstream_port}/v1/chat/completions"
        return (sys.executable, "-m", "bench.floor", str(self.port), url)


class Parts(Target):
    name = "parts"

    def argv(self) -> Sequence[str]:
        url = f"http://127.0.0.1:{self.upstream_port}/v1/chat/completions"
        return (sys.executable, "-m", "bench.parts", str(self.port), url)


class Gateway(Target):
    """`runapi serve` with a live key, metering and request rows on, in a data folder of its own."""

    name = "gateway"

    def __init__(self, folder: Path, upstream_port: int) -> None:
        super().__init__(folder, upstream_port)
        self._run("accounts", "create", "bench", "--json")
        self._run("accounts", "credit", "bench", "--usd", "1000000", "--json")
        created = self._run("keys", "create", "--account", "bench", "--mode", "live", "--json")
        self.key = json.loads(created)["key"]
        url = f"http://127.0.0.1:{upstream_port}/v1"
        models = f"{traffic.MODEL},gpt-5.5"
        speaks = ("--dialect", "openai_chat", "--dialect", "openai_responses")
        account = ("--base-url", url, "--api-key", "sk-fake", "--models", models)
        self._run("upstreams", "add", "fake", *account, *speaks)

    def argv(self) -> Sequence[str]:
        return (_RUNAPI, "serve")

    def env(self) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("RUNAPI_", "OPENAI_"))
        }
        home = str(self.folder / "home")
        return inherited | {"RUNAPI_HOME": home, "RUNAPI_HOST": "127.0.0.1", "RUNAPI_PORT": str(self.port)}

    def check(self) -> None:
        """Refuse a run whose requests were not metered: raises SystemExit unless the newest rows have a charge."""
        rows = json.loads(self._run("requests", "list", "--json"))
        if not rows or any(int(row["cost_nano"]) <= 0 for row in rows):
            raise SystemExit(f"the gateway did not meter its requests: {json.dumps(rows)[:600]}")

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            (_RUNAPI, *arguments), env=self.env(), capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode != 0:
            raise SystemExit(f"runapi {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


KINDS: dict[str, type[Target]] = {kind.name: kind for kind in (Bare, Nginx, Floor, Parts, Gateway)}
