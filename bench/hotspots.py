"""Where a server's time goes: py-spy's samples, by function."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench import process
from bench.load import Load
from bench.scenarios import REQUESTS, STREAMS, load_for
from bench.targets import Target

SECONDS = 8
RATE = 250
TOP = 30
WARM_S = 2.0
CLOCKED_S = 2.0
SPARE_S = 5.0  # py-spy takes its time to begin
SMALLEST_SHARE = 0.005
MOST_SHARE = 0.85  # above it stands what called the server
_SPY = str(Path(sys.executable).with_name("py-spy"))
# py-spy wakes threads that wait and takes them for busy; a pool's thread that waits shows as this.
_WAITING = "_worker (concurrent/futures/thread.py"
_PLACE = re.compile(r"(?:.*/(?:site-packages|src|lib/python3\.\d+)/)?(.*?)(?::\d+)?\)$")


def show(target: Target, folder: Path) -> Iterator[str]:
    """Sample the target under three loads; list the threads, then functions by own time, then by total time."""
    seconds = SECONDS + WARM_S + CLOCKED_S + SPARE_S
    for scenario in (*(scenario for scenario in REQUESTS if scenario.connections > 1), STREAMS):
        load = load_for(scenario, target)
        if scenario is STREAMS:
            chunks = int(seconds * 1_000 / load.interval_ms)
            load = msgspec.structs.replace(load, warm_up=0, chunks=chunks)
        else:
            load = msgspec.structs.replace(load, requests=10_000_000, limit_s=seconds)
        yield f"{target.name}, {scenario.name}\n{_sample(target, load, folder / 'raw')}\n"


def _sample(target: Target, load: Load, raw: Path) -> str:
    with subprocess.Popen(
        (sys.executable, "-m", "bench.load"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as running:
        assert running.stdin is not None
        running.stdin.write(msgspec.json.encode(load))
        running.stdin.close()
        time.sleep(WARM_S)
        names = _thread_names(target.pid)
        before, began = process.thread_seconds(target.pid), time.perf_counter()
        time.sleep(CLOCKED_S)
        used, wall_s = process.thread_seconds(target.pid), time.perf_counter() - began
        _record(target.pid, raw)
        if running.wait(load.limit_s * 3) != 0:
            raise SystemExit(f"{target.name} failed under load; the end of its log:\n{target.log_tail()}")
    shares = {tid: (seconds - before.get(tid, 0.0)) / wall_s for tid, seconds in used.items()}
    return "\n".join((*_threads(target.pid, shares, names), *_functions(raw.read_text())))


def _thread_names(pid: int) -> dict[int, str]:
    """The names of the threads that Python knows, by thread id."""
    done = subprocess.run((_SPY, "dump", "--json", "--pid", str(pid)), capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"py-spy failed (it may need root's rights):\n{done.stderr.decode()}")
    return {thread["os_thread_id"]: thread["thread_name"] or "" for thread in json.loads(done.stdout)}


def _threads(pid: int, shares: dict[int, float], names: dict[int, str]) -> Iterator[str]:
    """CPU by thread, from the kernel: exact, where samples are not."""
    yield "  CPU by thread (of one core)"
    for tid, share in sorted(shares.items(), key=lambda item: -item[1]):
        if share >= SMALLEST_SHARE:
            name = (
                "main: the event loop"
                if tid == pid
                else names.get(tid) or "not Python's: the HTTP edge, in Rust"
            )
            yield f"    {share:6.1%}  {name}"


def _record(pid: int, raw: Path) -> None:
    options = ("--format", "raw", "--function", "--full-filenames")
    size = ("--rate", str(RATE), "--duration", str(SECONDS))
    done = subprocess.run(
        (_SPY, "record", "--pid", str(pid), "--output", str(raw), *options, *size),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"py-spy failed (it may need root's rights):\n{done.stderr}")


def _functions(samples: str) -> Iterator[str]:
    """Read py-spy's raw format: `outer;...;inner COUNT` on each line."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line in samples.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_short(frame) for frame in stack.replace(f"{Path.cwd()}/", "").split(";") if frame]
        if not frames or frames[-1].startswith(_WAITING):
            continue
        own[frames[-1]] += int(count)
        for frame in set(frames):
            total[frame] += int(count)
    whole = sum(own.values()) or 1
    yield f"  Python functions, {whole} samples: own time (native code that they call is theirs)"
    yield from _ranked(own, whole)
    yield "  Python functions: with the functions that they call"
    yield from _ranked(total, whole)


def _ranked(counts: Counter[str], whole: int) -> Iterator[str]:
    inside = [(name, count) for name, count in counts.most_common() if count < MOST_SHARE * whole]
    for name, count in inside[:TOP]:
        yield f"    {count / whole:6.1%}  {name}"


def _short(frame: str) -> str:
    """Turn `name (/long/way/to/file.py:12)` into `name (package/file.py)`."""
    name, _, place = frame.partition(" (")
    found = _PLACE.match(place)
    return f"{name} ({found[1]})" if found else frame
