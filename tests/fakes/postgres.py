"""A private PostgreSQL: a cluster of its own in a temporary folder, reached through a Unix socket, gone afterwards."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import psycopg

from fakes.needs import missing

PROGRAMS = ("initdb", "postgres")
INSTALLED_IN = "/usr/lib/postgresql"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "40",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
    "dynamic_shared_memory_type": "mmap",  # in its own folder: a killed server leaves nothing in /dev/shm
}
STARTS_IN_S = 30


class Postgres:
    """One server; `new_database()` gives the URL of an empty database. Use it in a `with` statement."""

    def __init__(self, *, durable: bool = False) -> None:
        """Make a cluster. Unless `durable`, nothing is synced to disk, which only a power cut would notice."""
        self._programs = find_programs()
        self._user = _unprivileged()
        self.folder = Path(tempfile.mkdtemp(prefix="runapi-pg-"))
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        on = "on" if durable else "off"
        self._settings = SETTINGS | {"fsync": on, "autovacuum": on, "cluster_name": self.folder.name}

    def __enter__(self) -> Self:
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self._run("initdb", "-D", self._data, "-U", "runapi", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        command = [self._programs / "postgres", "-D", self._data, "-k", str(self.folder), *options]
        self._process = subprocess.Popen(
            command, user=self._user, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + STARTS_IN_S
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """Kill the server as kill -9 does; its children notice and end. Does nothing when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._wait_for_children()

    def new_database(self, copy_of: str | None = None) -> str:
        """Make a database, empty or a copy of the one with this URL, and give its URL."""
        name = f"test{next(self._numbers)}"
        template = "template0" if copy_of is None else urlsplit(copy_of).path.lstrip("/")
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Delete a database, whoever is connected to it; each takes 7 MB of the disk."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {urlsplit(url).path.lstrip('/')} WITH (FORCE)")

    def url(self, database: str) -> str:
        """The URL of a database, whether it exists or not."""
        return f"postgresql://runapi@/{database}?host={self.folder}"

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            user=self._user,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )
        assert done.returncode == 0, done.stderr

    def _wait_for_children(self) -> None:
        """A new server refuses to start while an old backend still has the shared memory."""
        deadline = time.monotonic() + STARTS_IN_S
        mine = f"postgres: {self.folder.name}".encode()
        while time.monotonic() < deadline:
            if not any(mine in _command_line(process) for process in Path("/proc").glob("[0-9]*")):
                break
            time.sleep(0.02)
        (Path(self._data) / "postmaster.pid").unlink(missing_ok=True)


def find_programs() -> Path:
    """The folder of PostgreSQL's server programs, the newest first; the test is skipped where there are none."""
    folders = sorted(Path(INSTALLED_IN).glob("*/bin"), key=lambda folder: folder.parent.name, reverse=True)
    on_path = shutil.which("postgres")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    for folder in folders:
        if all((folder / program).exists() for program in PROGRAMS):
            return folder
    return missing("PostgreSQL's server is not installed: apt-get install --no-install-recommends postgresql")


def _unprivileged() -> str | None:
    """Whom to run the server as: root may not, so that it needs another user of this machine."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return missing("PostgreSQL does not run as root, and this machine has neither postgres nor nobody")


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
