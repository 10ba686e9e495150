"""The process in which others are born to die: it has everything loaded, so that each costs a fork and no start."""

import os
import subprocess
import sys
import threading

import msgspec

from prove.crash_child import Case
from prove.report import REPOSITORY

PATIENCE_S = 120
_faults = msgspec.json.Decoder(list[str])


class Nursery:
    """One such process, for one case at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "prove.crash_child"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        )

    def play(self, case: Case) -> list[str]:
        """Let a process die, and another look; give what is wrong.

        Raises:
            RuntimeError: nothing was said for PATIENCE_S.
        """
        pipes = self._process.stdin, self._process.stdout
        if pipes[0] is None or pipes[1] is None:
            raise AssertionError("it was started with pipes")
        pipes[0].write(msgspec.json.encode(case) + b"\n")
        pipes[0].flush()
        watch = threading.Timer(PATIENCE_S, self._process.kill)
        watch.start()
        try:
            said = pipes[1].readline()
        finally:
            watch.cancel()
        if not said:
            raise RuntimeError(f"{case}: nothing was said in {PATIENCE_S} s")
        return _faults.decode(said)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()
