"""Where a server's time goes: py-spy's samples, by function."""

import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec

from bench.load import Load
from bench.scenarios import REQUESTS, STREAMS, load_for
from bench.targets import Target

SECONDS = 8
RATE = 250
TOP = 30
WARM_S = 2.0
_PLACE = re.compile(r"(?:.*/(?:site-packages|src|lib/python3\.\d+)/)?(.*?)(?::\d+)?\)$")


def show(target: Target, folder: Path) -> str:
    """Sample the target under 64 connections and under 200 streams; list functions by their own time, then by total."""
    seconds = SECONDS + WARM_S + 2
    requests = load_for(REQUESTS[1], target)
    requests = msgspec.structs.replace(requests, requests=10_000_000, limit_s=seconds)
    streams = load_for(STREAMS, target)
    streams = msgspec.structs.replace(streams, warm_up=0, chunks=int(seconds * 1_000 / streams.interval_ms))
    return "\n\n".join(
        (
            f"{target.name}: 64 connections, 2 KB requests\n{_sample(target, requests, folder / 'requests.raw')}",
            f"{target.name}: 200 streams, a chunk each 10 ms\n{_sample(target, streams, folder / 'streams.raw')}",
        )
    )


def _sample(target: Target, load: Load, raw: Path) -> str:
    with subprocess.Popen(
        (sys.executable, "-m", "bench.load"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as running:
        assert running.stdin is not None
        running.stdin.write(msgspec.json.encode(load))
        running.stdin.close()
        time.sleep(WARM_S)
        _record(target.pid, raw)
        if running.wait(load.limit_s * 3) != 0:
            raise SystemExit(f"{target.name} failed under load; the end of its log:\n{target.log_tail()}")
    return _table(raw.read_text())


def _record(pid: int, raw: Path) -> None:
    spy = str(Path(sys.executable).with_name("py-spy"))
    options = ("--format", "raw", "--function", "--full-filenames")
    size = ("--rate", str(RATE), "--duration", str(SECONDS))
    done = subprocess.run(
        (spy, "record", "--pid", str(pid), "--output", str(raw), *options, *size),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"py-spy failed (it may need root's rights):\n{done.stderr}")


def _table(samples: str) -> str:
    """Read py-spy's raw format: `outer;...;inner COUNT` on each line."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line in samples.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_short(frame) for frame in stack.split(";")]
        own[frames[-1]] += int(count)
        for frame in set(frames):
            total[frame] += int(count)
    whole = sum(own.values()) or 1
    return "\n".join(
        (
            f"{whole} samples with work to do, of {SECONDS * RATE} taken",
            *_ranked("own time", own, whole),
            *_ranked("with what it calls", total, whole),
        )
    )


def _ranked(title: str, counts: Counter[str], whole: int) -> list[str]:
    return [f"  {title}", *(f"    {count / whole:6.1%}  {name}" for name, count in counts.most_common(TOP))]


def _short(frame: str) -> str:
    """Turn `name (/long/way/to/file.py:12)` into `name (package/file.py)`."""
    if not frame:
        return "(a thread without Python frames: the HTTP edge, in Rust)"
    name, _, place = frame.partition(" (")
    found = _PLACE.match(place)
    return f"{name} ({found[1]})" if found else frame
