"""What is done to each target, and what is read from it."""

import subprocess
import sys

import msgspec

from bench.forms import Form
from bench.load import Load, Outcome
from bench.targets import Target

MEMORY_STREAMS = 1_000
LIMIT_S = 15.0  # no load sends longer than this, however slow its target


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of load. `requests` is the count of a full run."""

    name: str
    connections: int
    requests: int
    warm_up: int
    body_bytes: int = 2_000
    chunks: int = 0
    interval_ms: int = 0
    form: Form = Form.CHAT  # any other is for the gateway alone: nobody else translates
    memory: bool = False


WARM_UP = Scenario(name="warm-up", connections=10, requests=100, warm_up=5)
MEMORY = Scenario(
    name="memory",
    connections=MEMORY_STREAMS,
    requests=MEMORY_STREAMS,
    warm_up=0,
    chunks=7,
    interval_ms=1_000,
    memory=True,
)
REQUESTS = (
    Scenario(name="2 KB, 1 conn", connections=1, requests=2_000, warm_up=200),
    Scenario(name="2 KB, 64 conn", connections=64, requests=8_000, warm_up=10),
    Scenario(name="50 KB, 1 conn", connections=1, requests=1_000, warm_up=100, body_bytes=50_000),
    Scenario(name="50 KB, 64 conn", connections=64, requests=4_000, warm_up=5, body_bytes=50_000),
)
STREAMS = Scenario(
    name="200 streams, 10 ms", connections=200, requests=200, warm_up=1, chunks=400, interval_ms=10
)
BRIDGED = msgspec.structs.replace(STREAMS, name="Chat -> Responses", form=Form.BRIDGE)
FROM_MESSAGES = msgspec.structs.replace(STREAMS, name="Messages -> Responses", form=Form.MESSAGES)
FIRST_TOKEN = Scenario(name="first token", connections=1, requests=300, warm_up=30, chunks=3, interval_ms=1)
LOADS = (*REQUESTS, STREAMS, BRIDGED, FROM_MESSAGES, FIRST_TOKEN)


def load_for(scenario: Scenario, target: Target, share: float = 1.0) -> Load:
    """The load of a scenario; `share` below 1 sends fewer requests, or where all are open at once, fewer chunks."""
    fixed = scenario.connections == scenario.requests
    return Load(
        port=target.port,
        key=target.key,
        pid=target.pid,
        connections=scenario.connections,
        requests=scenario.requests if fixed else int(scenario.requests * share),
        warm_up=scenario.warm_up,
        body_bytes=scenario.body_bytes,
        chunks=int(scenario.chunks * share) if fixed and not scenario.memory else scenario.chunks,
        interval_ms=scenario.interval_ms,
        form=scenario.form,
        memory=scenario.memory,
        limit_s=LIMIT_S,
    )


def put(load: Load, target: Target) -> Outcome:
    """Run the load in a process of its own; raises SystemExit when a reply was wrong."""
    done = subprocess.run(
        (sys.executable, "-m", "bench.load"),
        input=msgspec.json.encode(load),
        capture_output=True,
        check=False,
        timeout=load.limit_s * 6,
    )
    if done.returncode != 0:
        why = done.stderr.decode(errors="replace")
        raise SystemExit(f"{target.name}: {why}\nthe end of its log:\n{target.log_tail()}")
    return msgspec.json.decode(done.stdout, type=Outcome)
