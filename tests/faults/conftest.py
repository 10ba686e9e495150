"""A gateway with little patience, and two upstreams behind it that do as they are told."""

import secrets
from collections.abc import Iterator

import pytest

from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from relay.calls import Caller

FIRST_BYTE_S = 1.2
IDLE_S = 0.8
TOTAL_S = 2.5
BEAT_FIRST_S = 0.2
BEAT_EVERY_S = 0.15
STALLED_S = 1.0
CONNECT_S = 0.5
MODEL = "gpt-5.5"


@pytest.fixture(scope="session")
def hasty_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    served = Gateway(
        tmp_path_factory.mktemp("hasty"),
        log_level="warning",
        first_byte_timeout_s=FIRST_BYTE_S,
        idle_timeout_s=IDLE_S,
        total_timeout_s=TOTAL_S,
        heartbeat_first_s=BEAT_FIRST_S,
        heartbeat_every_s=BEAT_EVERY_S,
        stalled_reader_timeout_s=STALLED_S,
        connect_timeout_s=CONNECT_S,
        most_drains=3,
        drain_bytes=64 * 1024,
    ).start()
    yield served
    served.stop()
    served.assert_clean_log()


@pytest.fixture(scope="session")
def hasty_caller(hasty_gateway: Gateway) -> Caller:
    return Caller(hasty_gateway)


@pytest.fixture(scope="session")
def scripted_pair() -> Iterator[tuple[ScriptedUpstream, ScriptedUpstream]]:
    with ScriptedUpstream() as first, ScriptedUpstream() as second:
        yield first, second


@pytest.fixture
def caller(hasty_caller: Caller) -> Iterator[Caller]:
    """The hasty gateway; each test leaves its log clean, and has asked for every row that it made."""
    hasty_caller.forget_rows()
    yield hasty_caller
    hasty_caller.gateway.assert_clean_log()


@pytest.fixture
def first(
    caller: Caller, scripted_pair: tuple[ScriptedUpstream, ScriptedUpstream]
) -> Iterator[ScriptedUpstream]:
    """The upstream that is tried first."""
    yield from _serve(caller, scripted_pair[0], "first", 1)


@pytest.fixture
def second(
    caller: Caller, scripted_pair: tuple[ScriptedUpstream, ScriptedUpstream]
) -> Iterator[ScriptedUpstream]:
    """The upstream that is tried when `first` fails; it is well."""
    yield from _serve(caller, scripted_pair[1], "second", 2)


def _serve(
    caller: Caller, upstream: ScriptedUpstream, name: str, priority: int
) -> Iterator[ScriptedUpstream]:
    upstream.reset()
    upstream.api_key = f"sk-canary-{secrets.token_hex(16)}"
    caller.add_upstream(name, upstream.base_url, upstream.api_key, (MODEL, "gpt-5.4-mini"), priority=priority)
    caller.never.append(f":{upstream.port}")
    yield upstream
    caller.never.remove(f":{upstream.port}")
    caller.remove_upstream(name)
    upstream.assert_done()
