"""The PostgreSQL that proofs start for themselves, and what to say where there is none."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fakes.postgres import Postgres, find_programs

WITHOUT = "RUNAPI_PROVE_WITHOUT_POSTGRESQL"
"""Set for the small runs that look for planted bugs where SQLite shows them."""

MISSING = "PostgreSQL is missing: apt-get install --no-install-recommends postgresql"


class Server(Postgres):
    """A private server, quick and tidy.

    It does not compile queries: with sequential scans priced out it would do so for each. And its shared memory stands
    in its folder: in /dev/shm it would stay behind when the server is killed.
    """

    def __init__(self, *, durable: bool = False) -> None:
        super().__init__(durable=durable)
        self._settings |= {"jit": "off", "dynamic_shared_memory_type": "mmap"}


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[Server | None]:
    """Run a private server; give None where its programs are not installed: the proof then says MISSING in `skipped`."""
    if os.environ.get(WITHOUT):
        yield None
        return
    try:
        server = Server(durable=durable)
    except (pytest.skip.Exception, pytest.fail.Exception):
        yield None
        return
    with server:
        yield server


def find_version() -> str:
    """The version of the server that would be started, or `missing`."""
    try:
        programs = find_programs()
    except (pytest.skip.Exception, pytest.fail.Exception):
        return "missing"
    said = subprocess.run([programs / "postgres", "-V"], capture_output=True, text=True, check=True).stdout
    return said.split()[2]  # postgres (PostgreSQL) 15.18 ...
