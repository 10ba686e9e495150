"""Start a program, and read what it and its children use. Linux only."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
READY_WITHIN_S = 20.0
STOP_WITHIN_S = 10.0
_PROBE = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def process_tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                stat = Path(entry.path, "stat").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parent = int(stat.rpartition(b") ")[2].split()[1])
            parents.setdefault(parent, []).append(int(entry.name))
    tree = [pid]
    for known in tree:
        tree += parents.get(known, [])
    return tree


def cpu_seconds(tree: Sequence[int]) -> float:
    """User and system time of all threads, ended ones too.

    Read from the processes' CPU clocks (nanoseconds), since /proc counts in steps of 10 ms. Linux makes a clock's id
    from the pid: see clock_getcpuclockid(3).
    """
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in tree)


def thread_seconds(pid: int) -> dict[int, float]:
    """CPU seconds of each living thread, by thread id."""
    return {
        int(task.name): int((task / "schedstat").read_bytes().split()[0]) / 1e9
        for task in Path(f"/proc/{pid}/task").iterdir()
    }


def rss_bytes(tree: Sequence[int]) -> int:
    """Resident memory, summed; pages that two processes share count twice."""
    return sum(int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * PAGE_BYTES for pid in tree)


def is_healthy(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
            client.sendall(_PROBE % port)
            return client.recv(64).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


class Program:
    """A running server, its log in a file."""

    def __init__(self, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self._argv = argv
        self._log = log
        began = time.perf_counter()
        with log.open("ab") as sink:
            self._popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=env, start_new_session=True
            )
        self._began = began
        self.pid = self._popen.pid

    def wait_until_healthy(self, port: int) -> float:
        """Wait for the first 200 on /healthz; return the seconds since the start."""
        while not is_healthy(port):
            waited = time.perf_counter() - self._began
            if self._popen.poll() is not None or waited > READY_WITHIN_S:
                self.stop()
                raise SystemExit(f"{' '.join(self._argv)} did not come up:\n{self.log_tail()}")
            time.sleep(0.002)
        return time.perf_counter() - self._began

    def log_tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-25:])

    def stop(self) -> None:
        """End the program and whatever it started."""
        if self._popen.poll() is None:
            self._popen.terminate()
            try:
                self._popen.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self._popen.wait()
