"""GET /v1/me/usage: sums by day, model and key, exact, and of nobody else's requests."""

import re
from datetime import date

import pytest

from api.conftest import NewCustomer
from api.customers import Customer
from api.plans import plan_of
from api.rows import DAY_US, HOUR_US, NOON_US, row
from fakes.both_engines import ON_BOTH
from fakes.keyed_requests import open_books, principal
from runapi.core.keys import DisconnectPolicy, Mode, ParameterPolicy
from runapi.core.problems import Problem
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage
from runapi.flows import show_usage as flow
from runapi.flows.front_desk import FrontDesk
from runapi.flows.show_usage import GROUPS, UsageAsked, UsageReport, show_usage
from runapi.store.database import Database
from runapi.store.keys import insert_key
from runapi.store.requests import insert_records

DAY = date(2026, 11, 22)
SMALL, LARGE = Usage(1, 2, 3, 4, 5), Usage(10**7, 0, 0, 10**7, 0)


async def report(
    database: Database, asked: UsageAsked, *rows: RequestRecord, who: object = None
) -> UsageReport:
    await database.run(insert_records, rows)
    return await show_usage(database, FrontDesk(), who or principal(mode=Mode.LIVE), asked)  # type: ignore[arg-type]


def on_day(*group_by: str) -> UsageAsked:
    return UsageAsked(DAY, DAY, group_by)


def groups(found: UsageReport) -> list[tuple[object, ...]]:
    return [
        (
            *(value for value in (line.day, line.model, line.key and line.key.id) if value is not None),
            line.requests,
        )
        for line in found.data
    ]


# ---- what is counted -------------------------------------------------------------------------------------


@ON_BOTH
async def test_every_kind_of_token_and_every_nano_dollar_is_added_up(database: Database):
    rows = [
        row(1, usage=SMALL, cost_nano=1),
        row(2, usage=SMALL, cost_nano=2),
        row(3, usage=LARGE, cost_nano=10**17),
    ]
    totals = (await report(database, on_day(), *rows)).totals
    assert (totals.requests, totals.input_tokens, totals.cached_tokens, totals.cache_write_tokens) == (
        3,
        10**7 + 2,
        4,
        6,
    )
    assert (totals.output_tokens, totals.reasoning_tokens) == (10**7 + 8, 10)
    assert (totals.cost_nano, totals.cost_usd) == ("100000000000000003", "100000000.000000003")


@ON_BOTH
async def test_only_the_accounts_own_requests_of_the_keys_mode_count(database: Database):
    rows = [row(1), row(2, account_id=2), row(3, mode=Mode.TEST), row(4, account_id=2, mode=Mode.TEST)]
    await report(database, on_day(), *rows)
    for who, model in ((principal(mode=Mode.LIVE), 1), (principal(2), 4), (principal(3), 0)):
        found = await report(database, on_day("model"), who=who)
        assert found.totals.requests == bool(model)


async def test_refused_requests_do_not_count_and_failed_ones_do(database: Database):
    rows = [
        row(1, outcome=Outcome.REFUSED),
        row(2, outcome=Outcome.FAILED),
        row(3, outcome=Outcome.CANCELLED),
    ]
    assert (await report(database, on_day(), *rows)).totals.requests == 2


@ON_BOTH
async def test_a_day_is_from_midnight_to_midnight_in_utc(database: Database):
    midnight_us = NOON_US - 12 * HOUR_US
    times = [midnight_us - 1, midnight_us, midnight_us + DAY_US - 1, midnight_us + DAY_US]
    rows = [row(number, at_us=at_us) for number, at_us in enumerate(times, 1)]
    asked = UsageAsked(date(2026, 11, 21), date(2026, 11, 23), ("day",))
    found = await report(database, asked, *rows)
    assert groups(found) == [("2026-11-21", 1), ("2026-11-22", 2), ("2026-11-23", 1)]
    assert (await report(database, on_day())).totals.requests == 2


async def test_nothing_is_a_report_of_zeros(database: Database):
    found = await report(database, on_day("day", "model"))
    assert (found.data, found.totals.requests, found.totals.cost_usd) == ([], 0, "0")


# ---- how it is grouped -----------------------------------------------------------------------------------


@ON_BOTH
@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        ((), []),
        (("day",), [("2026-11-21", 1), ("2026-11-22", 3)]),
        (("model",), [("gpt-5.4", 1), ("gpt-5.5", 3)]),
        (("key",), [(1, 3), (2, 1)]),
        (
            ("model", "day"),
            [("2026-11-22", "gpt-5.4", 1), ("2026-11-21", "gpt-5.5", 1), ("2026-11-22", "gpt-5.5", 2)],
        ),
        (
            ("day", "key", "model"),
            [
                ("2026-11-21", "gpt-5.5", 1, 1),
                ("2026-11-22", "gpt-5.4", 1, 1),
                ("2026-11-22", "gpt-5.5", 1, 1),
                ("2026-11-22", "gpt-5.5", 2, 1),
            ],
        ),
    ],
)
async def test_rows_stand_in_the_order_of_the_groups(
    database: Database, group_by: tuple[str, ...], expected: list[tuple[object, ...]]
):
    rows = [row(1, at_us=NOON_US - DAY_US), row(2), row(3, model="gpt-5.4"), row(4, key_id=2)]
    found = await report(database, UsageAsked(date(2026, 11, 21), DAY, group_by), *rows)
    assert groups(found) == expected
    assert found.totals.requests == 4


@ON_BOTH
async def test_keys_are_named_by_their_prefix_revoked_ones_too(database: Database):
    account_id = await database.run(open_books)
    policies = (DisconnectPolicy.DRAIN, ParameterPolicy.DROP)
    key = await database.run(insert_key, account_id, Mode.LIVE, b"d" * 32, "runapi_live_ab12", *policies, 1)
    found = await report(database, on_day("key"), row(1, key_id=key.id))
    assert [(line.key.id, line.key.prefix) for line in found.data if line.key] == [
        (key.id, "runapi_live_ab12")
    ]


async def test_a_report_of_too_many_rows_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(flow, "MOST_ROWS", 2)
    rows = [row(number, key_id=number) for number in (1, 2, 3)]
    with pytest.raises(Problem) as caught:
        await report(database, on_day("key"), *rows)
    assert (caught.value.status, caught.value.param) == (400, "group_by")
    assert (await report(database, on_day("model"))).totals.requests == 3


def test_an_index_finds_the_rows(database: Database):
    """A report reads the rows of its account and days, and no others."""
    plan = plan_of(database, "GROUP BY", lambda: database.run_now(flow._sum_day, principal(), DAY, GROUPS))
    assert "SEARCH request USING INDEX request_account_id" in plan
    assert "at_us>? AND at_us<?" in plan


# ---- what may be asked -----------------------------------------------------------------------------------


def test_served_report_says_what_was_asked_and_equals_what_was_charged(new_customer: NewCustomer):
    customer = new_customer()
    charged = [
        int(customer.get(f"/v1/requests/{customer.chat(model=model)}")["cost"]["charged_nano"])
        for model in ("gpt-5.5", "gpt-5.4-nano", "gpt-5.5")
    ]
    found = customer.get("/v1/me/usage?group_by=model,day")
    assert (found["object"], found["mode"], found["group_by"]) == ("usage", "test", ["model", "day"])
    assert [(line["model"], line["requests"], line["cost_nano"]) for line in found["data"]] == [
        ("gpt-5.4-nano", 1, str(charged[1])),
        ("gpt-5.5", 2, str(charged[0] + charged[2])),
    ]
    assert "key" not in found["data"][0]
    assert found["totals"]["cost_nano"] == str(sum(charged)) == str(10**12 - customer.available_nano())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["start"])
    assert (date.fromisoformat(found["end"]) - date.fromisoformat(found["start"])).days == 29


def test_last_day_alone_gives_the_thirty_days_before_it(anybody: Customer):
    found = anybody.get("/v1/me/usage?end=2026-03-01")
    assert (found["start"], found["end"]) == ("2026-01-31", "2026-03-01")


@pytest.mark.parametrize("end", ["0001-01-01", "9999-12-31", "1969-12-31"])
def test_a_day_in_which_nothing_can_have_happened_has_zeros(anybody: Customer, end: str):
    assert anybody.get(f"/v1/me/usage?start={end}&end={end}&group_by=day")["totals"]["requests"] == 0
    assert anybody.get(f"/v1/me/usage?end={end}")["totals"]["requests"] == 0


@pytest.mark.parametrize(
    ("query", "param"),
    [
        *[
            (f"group_by={words}", "group_by")
            for words in ("", "account", "day,", ",", "day,day", "DAY", "day;model", "day%20")
        ],
        *[
            (f"start={day}", "start")
            for day in ("", "yesterday", "20261122", "2026-11-31", "2026-W47-7", "2026-1-1", "-1", "1e9")
        ],
        *[
            (f"end={day}", "end")
            for day in ("NaN", "2026-11-22T00:00:00Z", "0000-01-01", "10000-01-01", "%EF%BC%92026-11-22")
        ],
        ("start=2026-11-22&end=2026-11-21", "start"),
        ("start=2025-11-21&end=2026-11-22", "start"),
        ("start=9999-01-01", "start"),
        ("limit=5", "limit"),
        ("account=1", "account"),
        ("group_by=day&group_by=model", "group_by"),
        ("%67roup_by=day&group_by=day", "group_by"),
    ],
)
def test_bad_question_is_refused_and_says_what_is_wrong(anybody: Customer, query: str, param: str):
    status, error = anybody.refused("GET", f"/v1/me/usage?{query}")
    assert (status, error["param"]) == (400, param)


@pytest.mark.parametrize("query", ["group_by", "&", "start=2026-11-01&", "end=%ff", "end=%", "=day", "a=b=c"])
def test_query_that_is_none_is_refused(anybody: Customer, query: str):
    status, error = anybody.refused("GET", f"/v1/me/usage?{query}")
    assert (status, error["type"]) == (400, "invalid_request_error")


def test_a_year_and_a_day_can_be_asked_for_at_once(anybody: Customer):
    assert anybody.get("/v1/me/usage?start=2025-11-22&end=2026-11-22")["start"] == "2025-11-22"
