"""A customer's own ceiling for one request, as a field or a header: kept, and never sent upstream."""

import json

import pytest

from fakes import replies
from money.shop import BOTH, HELLO, LEAST_OUTPUT, hold_nano
from runapi.core.money import usd

pytestmark = pytest.mark.xdist_group("shop")  # one server for all of them
HEADER = "x-runapi-max-cost"
CEILING = usd(hold_nano(1_000))
HIGHER = usd(hold_nano(2_000))


def asking(place: str, written: str) -> tuple[bytes, dict[str, str]]:
    """A body and headers that hold `written` in this place, letter for letter."""
    if place != "field":
        return json.dumps(HELLO).encode(), {place: written}
    return json.dumps(HELLO).encode()[:-1] + b', "max_cost": ' + written.encode() + b"}", {}


@pytest.mark.parametrize(
    ("field", "header"),
    [
        (CEILING, None),
        (f'"{CEILING}"', None),
        (None, CEILING),
        (CEILING, HIGHER),
        (HIGHER, CEILING),
        ("null", CEILING),
        (f"{hold_nano(1_000)}e-9", None),
        (f"{hold_nano(1_000)}.999E-09", None),
        (None, f"{hold_nano(1_000)}e-9"),
    ],
)
def test_lower_of_the_ceilings_sets_the_cap(shop, upstream, field, header):
    customer = shop.customer()
    body = asking("field", "null" if field is None else field)[0]
    answer = customer.ask(body, headers={} if header is None else {HEADER: header})
    assert answer.is_whole
    [call] = upstream.calls
    assert call.json["max_completion_tokens"] == 1_000
    assert answer.headers["x-runapi-limited"] == f"1000 output tokens, by max_cost (${CEILING} held)"
    assert customer.transfers(answer.id)[0] == ("hold", hold_nano(1_000))


def test_header_may_be_called_as_the_field(shop, upstream):
    assert shop.customer().ask(headers={"max_cost": CEILING}).is_whole
    assert upstream.calls[0].json["max_completion_tokens"] == 1_000


def test_lower_of_both_headers_counts(shop, upstream):
    for headers in ({HEADER: CEILING, "max_cost": HIGHER}, {HEADER: HIGHER, "max_cost": CEILING}):
        assert shop.customer().ask(headers=headers).is_whole
    assert [call.json["max_completion_tokens"] for call in upstream.calls] == [1_000, 1_000]


@BOTH
def test_it_never_goes_upstream(shop, upstream, stream):
    assert shop.customer().ask(headers={HEADER: CEILING}, max_cost=1, stream=stream).is_whole
    [call] = upstream.calls
    assert "max_cost" not in call.json
    assert not [name for name in call.headers if "cost" in name or "runapi" in name]


def test_it_is_kept_whatever_the_upstream_reports(shop, upstream):
    customer = shop.customer()
    upstream.then(replies.plain_reply(usage=replies.usage(19, 1_000_000)))
    answer = customer.ask(max_cost=CEILING)
    assert answer.headers["x-runapi-cost"] == CEILING


@pytest.mark.parametrize("place", ["field", HEADER])
def test_one_nano_dollar_decides(shop, upstream, place):
    customer = shop.customer()
    least = hold_nano(LEAST_OUTPUT)
    body, headers = asking(place, usd(least - 1))
    refused = customer.ask(body, headers=headers)
    assert (refused.status, refused.error["code"], refused.error["param"]) == (
        400,
        "max_cost_too_low",
        "max_cost",
    )
    assert refused.headers["x-should-retry"] == "false"
    assert f"${usd(least)}" in refused.error["message"]
    assert upstream.calls == []
    body, headers = asking(place, usd(least))
    assert customer.ask(body, headers=headers).is_whole
    assert upstream.calls[0].json["max_completion_tokens"] == LEAST_OUTPUT


def test_a_generous_ceiling_limits_nothing(shop, upstream):
    answer = shop.customer().ask(max_cost=999_999_999_999)
    assert "x-runapi-limited" not in answer.headers
    assert "max_completion_tokens" not in upstream.calls[0].json


def test_the_poorer_of_ceiling_and_balance_is_named(shop, upstream):
    answer = shop.customer(hold_nano(500)).ask(max_cost=CEILING)
    assert answer.headers["x-runapi-limited"].startswith("500 output tokens, by balance")


NOT_DECIMAL = ["-1", "-0", "1e-400", "1e400", "9" * 400, "1e999999999"]


@pytest.mark.parametrize(
    ("place", "written"),
    [("field", written) for written in NOT_DECIMAL]
    + [("field", f'"{written}"') for written in [*NOT_DECIMAL, "", "NaN", "Infinity", "1,5", "0x1", "$1"]]
    + [("field", written) for written in ("true", "false", "[]", "[0.05]", "{}", '{"usd": 1}')]
    + [("field", '"0.05\\u0000"'), ("field", '"\\u0661"')]
    + [(HEADER, written) for written in [*NOT_DECIMAL, "NaN", "nan", "inf", "1,5", "0.05 USD", "\xb2"]]
    + [("max_cost", written) for written in ("", "-1", "NaN")],
)
def test_bad_ceiling_is_refused_and_nothing_is_asked_or_held(shop, upstream, place, written):
    customer = shop.customer(hold_nano(16))
    body, headers = asking(place, written)
    refused = customer.ask(body, headers=headers)
    assert (refused.status, refused.error["param"]) == (400, "max_cost")
    assert refused.error["code"] in ("invalid_type", "invalid_value")
    assert upstream.calls == []
    assert customer.balance == (hold_nano(16), 0)


def test_empty_header_is_no_ceiling(shop, upstream):
    refused = shop.customer().ask(headers={HEADER: ""})
    assert (refused.status, refused.error["param"]) == (400, "max_cost")
    assert upstream.calls == []


@pytest.mark.parametrize("written", ["NaN", "Infinity", "+1", "01", ".5", "0x1", "1_000"])
def test_what_is_no_json_is_refused_as_such(shop, upstream, written):
    refused = shop.customer().ask(asking("field", written)[0])
    assert (refused.status, refused.error["code"]) == (400, "invalid_json")
    assert upstream.calls == []


@pytest.mark.parametrize("written", ["0", "0.0", "1e-99", "0.000000000999"])
def test_less_than_a_nano_dollar_is_too_low(shop, upstream, written):
    refused = shop.customer().ask(asking("field", written)[0])
    assert (refused.status, refused.error["code"]) == (400, "max_cost_too_low")


def test_ceiling_that_stands_twice_in_the_headers_is_refused(shop, upstream):
    customer = shop.customer()
    with customer.open(headers={HEADER: "1\r\nx-runapi-max-cost: 2"}) as connection:
        refused = customer.read(connection)
    assert (refused.status, refused.error["code"]) == (400, "repeated_header")
