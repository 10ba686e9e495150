"""The state of the models, as the newest live requests tell it."""

import re

import pytest

from fakes import http
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from runapi.flows.watch_models import Condition, judge
from runapi.store.recent_traffic import RecentRequest
from web.site.visits import text_of, visit, words_of

TOO_FEW = "\N{EN DASH}"


def rows(good: int, bad: int = 0) -> list[RecentRequest]:
    times = [RecentRequest("m", failed=False, first_byte_us=1000 * (n + 1)) for n in range(good)]
    return times + [RecentRequest("m", failed=True, first_byte_us=None)] * bad


@pytest.mark.parametrize(
    ("good", "bad", "upstreams", "condition"),
    [
        (0, 0, 0, Condition.SANDBOX),
        (9, 0, 0, Condition.SANDBOX),
        (0, 0, 1, Condition.OPERATIONAL),
        (0, 4, 1, Condition.OPERATIONAL),  # too few to say
        (100, 5, 1, Condition.OPERATIONAL),
        (94, 6, 1, Condition.DEGRADED),
        (5, 5, 1, Condition.DEGRADED),
        (4, 6, 1, Condition.FAILING),
        (0, 5, 1, Condition.FAILING),
    ],
)
def test_model_is_judged_by_its_failures(good: int, bad: int, upstreams: int, condition: Condition):
    assert judge(rows(good, bad), upstreams).condition is condition


def test_figures_are_given_once_there_are_enough():
    few = judge(rows(4), 1)
    assert (few.success_percent, few.first_byte_ms) == (None, None)
    many = judge(rows(10, 1), 1)
    assert (many.success_percent, many.first_byte_ms) == (90, 5)


def state_of(page: str, model: str) -> list[str]:
    [row] = re.findall(rf"^\| \[{re.escape(model)}\][^|]*\|(.*)\|$", page, re.MULTILINE)
    return [cell.strip() for cell in row.split("|")]


def test_status_tells_what_the_newest_requests_met(start_gateway):
    gateway: Gateway = start_gateway()
    with ScriptedUpstream() as upstream:
        gateway.add_upstream("scripted", upstream.base_url, ["gpt-5.5"], api_key=upstream.api_key)
        key = gateway.live_key()
        for _ in range(6):
            body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hello!"}]}
            assert http.post(gateway.url, body, key=key).status == 200
        twin = text_of(visit(gateway, "/status.md"))
    condition, answered, first = state_of(twin, "gpt-5.5")
    assert (condition, answered) == ("Operational", "100%")
    assert first.endswith(" ms")
    assert state_of(twin, "gpt-5.4") == ["Test keys only", TOO_FEW, TOO_FEW]
    page = words_of(text_of(visit(gateway, "/models/gpt-5.5")))
    assert "Operational" in page
    assert first in page
