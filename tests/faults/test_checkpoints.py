"""What a long stream is charged when the server dies inside it: what was noted of it, and never more than arrived."""

import time

import pytest

from fakes import steps
from fakes.replies import chunk
from fakes.upstream import ScriptedUpstream
from faults.kinds import NEVER, ROLE, streamed
from relay.calls import HELLO, Caller, has, skip_to

WORDS = "All that is gold does not glitter. "
OUTPUT_NANO = 15_000  # of a token: half of 30 USD per 1,000,000


@pytest.fixture
def slow():
    with ScriptedUpstream() as upstream:
        yield upstream


def serve(start_gateway, slow: ScriptedUpstream) -> Caller:
    caller = Caller(start_gateway())
    caller.add_upstream("slow", slow.base_url, "sk-canary-slow", ("gpt-5.5",))
    caller.key()
    return caller


def kill_inside(caller: Caller, slow: ScriptedUpstream, text: str, after_s: float) -> dict:
    """Kill the server so long after `text` was delivered; give the row that the next start leaves."""
    slow.then(streamed(ROLE, chunk({"content": text}), chunk({"content": "now"}), end=[steps.wait(NEVER)]))
    with caller.open({**HELLO, "stream": True}) as cut:
        cut.read_head()
        skip_to(cut.data(), b'"now"')
        time.sleep(after_s)
        assert caller.gateway.kill() == -9
    slow.wait_for_closed_early()
    caller.gateway.start()
    return caller.row()


def test_killed_stream_is_charged_what_was_noted_and_no_more_than_was_delivered(start_gateway, slow):
    caller = serve(start_gateway, slow)
    row = kill_inside(caller, slow, WORDS * 200, 5)
    has(row, outcome="failed", error_code="server_restarted", usage_source="estimated", stream=True)
    tokens = row["usage"]["output"]
    assert 1_000 < tokens <= 200 * 9 + 2  # nine tokens a sentence, at most
    assert int(row["cost_nano"]) == tokens * OUTPUT_NANO + row["usage"]["input"] * OUTPUT_NANO // 6
    faults = caller.gateway.command("ledger", "verify", "--json")
    assert faults.returncode == 0, faults.stdout


def test_killed_stream_that_delivered_less_than_a_cent_is_free(start_gateway, slow):
    caller = serve(start_gateway, slow)
    row = kill_inside(caller, slow, WORDS, 3)
    has(row, outcome="failed", error_code="server_restarted", cost_nano="0", usage_source="none")
