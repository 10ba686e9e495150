"""The processes that proofs start: told what to do, waited for, killed, and what they left written down."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from prove.journal import Entry, read_lines
from prove.report import REPOSITORY
from prove.teller import Order

PATIENCE_S = 120
"""After so long a process that says nothing is taken for dead. Nothing comes near it unless it is wrong."""

_LAST_WORDS = 1_000  # characters


class Hired:
    """One running teller."""

    def __init__(self, home: Path, url: str | None, journal: Path) -> None:
        """Start it; it is ready after `wait("ready")`."""
        self.home = home
        self._journal = journal
        self._errors = journal.with_suffix(".errors")
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "prove.teller", home, url or "", journal],
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            )

    def tell(self, order: Order) -> None:
        """Give an order; it is obeyed meanwhile."""
        if self._process.stdin is None:
            raise AssertionError("it was started with a pipe")
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()

    def wait(self, word: str = "done") -> None:
        """Wait until it says so.

        Raises:
            RuntimeError: it ended instead, or said nothing for PATIENCE_S.
        """
        if self._process.stdout is None:
            raise AssertionError("it was started with a pipe")
        watch = threading.Timer(PATIENCE_S, self._process.kill)
        watch.start()
        try:
            said = self._process.stdout.readline().decode().strip()
        finally:
            watch.cancel()
        if said != word:
            raise RuntimeError(f"a process said {said!r} instead of {word!r}: {self.dismiss()}")

    @property
    def status(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """Kill it as kill -9 does, if it still runs."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def read_journal(self) -> list[Entry]:
        """What it has asked and been answered until now."""
        return read_lines(self._journal.read_bytes()) if self._journal.exists() else []

    def count_bytes(self) -> int:
        """How much that is."""
        return self._journal.stat().st_size if self._journal.exists() else 0

    def dismiss(self) -> str:
        """Kill it, and give the last of what it said on standard error."""
        self.kill()
        return self._errors.read_text(errors="replace")[-_LAST_WORDS:]


@contextmanager
def hire(homes: Sequence[Path], url: str | None) -> Iterator[list[Hired]]:
    """Run one process for each data folder, until the end of the block."""
    staff = [Hired(home, url, home.with_suffix(".journal")) for home in homes]
    try:
        for one in staff:
            one.wait("ready")
        yield staff
    finally:
        for one in staff:
            one.kill()
