"""GET /v1/requests and GET /v1/requests/{id}: every request of one's own, and each nano-dollar of it explained."""

import json

import msgspec
import pytest

from api.conftest import NewCustomer
from api.customers import Customer
from api.plans import plan_of
from api.rows import COST_PICO, NOON_US, USAGE, open_hold, row, settle, void
from fakes import http, replies
from fakes.both_engines import ON_BOTH
from fakes.keyed_requests import open_books, principal
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from runapi.core.keys import Mode, Principal
from runapi.core.pricing import Rates
from runapi.core.problems import Problem
from runapi.core.receipts import ReceiptSource
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage, UsageSource
from runapi.flows.explain_request import Explanation, explain_request
from runapi.flows.list_own_requests import list_own_requests
from runapi.flows.office import Office
from runapi.flows.publish_prices import publish_first
from runapi.store.database import Database
from runapi.store.requests import insert_records

ME = principal(mode=Mode.LIVE)
OTHERS = (principal(2, mode=Mode.LIVE), principal(mode=Mode.TEST))
UNKNOWN_ID = f"req_{0:032x}"
RATES = Rates(input=2_500_000, output=15_000_000, cached=250_000, cache_write=2_500_000)


def explain(database: Database, record: RequestRecord, who: Principal = ME) -> Explanation:
    return database.run_now(explain_request, who, record.id, "https://api.example.test")


def a_source(record: RequestRecord) -> ReceiptSource:
    return ReceiptSource(record.id, record.at_us, b"q" * 32, b"r" * 32, '{"total_tokens": 150}', 7, RATES)


# ---- the list --------------------------------------------------------------------------------------------


@ON_BOTH
def test_pages_follow_each_other_newest_first_and_leave_nothing_out(database: Database):
    mine = [row(number, at_us=NOON_US + number // 3) for number in range(10)]  # three at each moment
    others = [row(100 + number, account_id=2) for number in range(5)]
    database.run_now(insert_records, [*mine, *others, *(row(200 + n, mode=Mode.TEST) for n in range(5))])
    seen, after, pages = [], None, 0
    while True:
        page = database.run_now(list_own_requests, ME, limit=4, after=after)
        ids = [found.id for found in page.data]
        assert (page.first_id, page.last_id) == (ids[0], ids[-1])
        seen, after, pages = seen + ids, page.last_id, pages + 1
        if not page.has_more:
            break
    assert pages == 3
    assert seen == [record.id for record in sorted(mine, key=lambda record: (-record.at_us, record.id))]


@ON_BOTH
def test_a_page_that_ends_with_the_last_request_says_that_there_is_no_more(database: Database):
    database.run_now(insert_records, [row(1), row(2)])
    assert not database.run_now(list_own_requests, ME, limit=2, after=None).has_more
    assert database.run_now(list_own_requests, ME, limit=1, after=None).has_more
    last = database.run_now(list_own_requests, ME, limit=2, after=row(1).id)
    assert (last.data, last.first_id, last.last_id, last.has_more) == ([], None, None, False)


@pytest.mark.parametrize("who", OTHERS)
def test_after_anothers_request_is_as_after_one_that_does_not_exist(database: Database, who: Principal):
    database.run_now(insert_records, [row(1)])
    with pytest.raises(Problem) as anothers:
        database.run_now(list_own_requests, who, limit=1, after=row(1).id)
    with pytest.raises(Problem) as unknown:
        database.run_now(list_own_requests, who, limit=1, after=UNKNOWN_ID)
    assert (anothers.value.status, anothers.value.param) == (404, "after")
    assert anothers.value.message.replace(row(1).id, UNKNOWN_ID) == unknown.value.message


def test_an_index_finds_the_page(database: Database):
    database.run_now(insert_records, [row(1), row(2)])
    plan = plan_of(
        database, "LIMIT", lambda: database.run_now(list_own_requests, ME, limit=1, after=row(2).id)
    )
    assert "SEARCH request USING INDEX request_account_id" in plan
    assert "at_us<?" in plan


def test_served_list_has_openais_shape_and_no_name_of_an_upstream(new_customer: NewCustomer):
    customer = new_customer()
    ids = [customer.chat() for _ in range(3)]
    page = customer.get("/v1/requests?limit=2")
    assert (page["object"], page["has_more"]) == ("list", True)
    assert [found["id"] for found in page["data"]] == ids[:0:-1] == [page["first_id"], page["last_id"]]
    newest = page["data"][0]
    assert (newest["model"], newest["outcome"], newest["status"]) == ("gpt-5.5", "completed", 200)
    assert newest["cost_nano"] == customer.get(f"/v1/requests/{ids[-1]}")["cost"]["charged_nano"]
    assert "upstream" not in newest
    rest = customer.get(f"/v1/requests?limit=100&after={page['last_id']}")
    assert [found["id"] for found in rest["data"]] == ids[:1]
    assert rest["has_more"] is False


def test_list_of_nobody_is_empty(new_customer: NewCustomer):
    empty = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    assert new_customer().get("/v1/requests") == empty


@pytest.mark.parametrize(
    ("query", "param"),
    [
        *[
            (f"limit={value}", "limit")
            for value in ("0", "101", "-1", "1.5", "1e1", "NaN", "", "9" * 400, "%30x1", "+5")
        ],
        *[
            (f"after={value}", "after")
            for value in ("", "req_1", "req_" + "g" * 32, f"{UNKNOWN_ID}%00", "%27--")
        ],
        ("limit=1&limit=2", "limit"),
        (f"after={UNKNOWN_ID}&after={UNKNOWN_ID}", "after"),
        ("before=x", "before"),
        ("account=1", "account"),
    ],
)
def test_bad_page_is_refused_and_says_what_is_wrong(anybody: Customer, query: str, param: str):
    status, error = anybody.refused("GET", f"/v1/requests?{query}")
    assert (status, error["param"]) == (400, param)


# ---- one that was charged --------------------------------------------------------------------------------


@ON_BOTH
def test_every_line_of_a_charge_is_shown_and_they_add_up(database: Database):
    database.run_now(open_books)
    record = row(
        1, at_us=NOON_US, first_byte_us=900_000, service_tier="default", output_cap=5000, dropped=("top_p",)
    )
    database.run_now(open_hold, record, 50_000_000)
    database.run_now(settle, record, a_source(record))
    told = explain(database, record)
    assert (told.state, told.at, told.attempts) == ("settled", "2026-11-22T12:00:00.000000Z", 1)
    assert (told.waits.first_byte_us, told.waits.total_us) == (900_000, 1_500_000)
    assert told.hold is not None
    assert (told.hold.amount_nano, told.hold.amount_usd, told.hold.output_cap) == ("50000000", "0.05", 5000)
    assert (told.usage, told.usage_source, told.dropped) == (USAGE, "reported", ("top_p",))
    cost = told.cost
    assert cost is not None
    assert [(line.kind, line.tokens, line.usd_per_1m, line.pico) for line in cost.lines] == [
        ("input", 100, "2.5", "250000000"),
        ("cached", 20, "0.25", "5000000"),
        ("cache_write", 0, "2.5", "0"),
        ("output", 30, "15", "450000000"),
    ]
    assert sum(int(line.pico) for line in cost.lines) == int(cost.total_pico) == 705_000_000
    assert (cost.price_version, cost.rounding_pico, cost.charged_nano) == (7, "0", "705000")
    assert [(one.kind, one.amount_nano) for one in told.transfers] == [
        ("hold", "50000000"),
        ("settle", "705000"),
    ]
    assert [len(bytes.fromhex(one.id)) for one in told.transfers] == [16, 16]
    assert [len(bytes.fromhex(one.hash)) for one in told.transfers] == [32, 32]
    assert told.receipt == f"https://api.example.test/v1/requests/{record.id}/receipt"


def test_rounding_is_told(database: Database):
    database.run_now(open_books)
    record = row(1, usage=Usage(input=1), cost_pico=2_500_001, cost_nano=2_501)
    database.run_now(open_hold, record, 3_000)
    database.run_now(settle, record)
    cost = explain(database, record).cost
    assert cost is not None
    assert (cost.total_pico, cost.rounding_pico, cost.charged_nano) == ("2500001", "999", "2501")


def test_what_went_beyond_the_hold_is_shown_as_written_off(database: Database):
    database.run_now(open_books)
    record = row(1)
    database.run_now(open_hold, record, 700_000)
    database.run_now(settle, record, a_source(record))
    told = explain(database, record)
    assert told.cost is not None
    assert (told.cost.charged_nano, told.cost.written_off_nano) == ("700000", "5000")
    assert [one.kind for one in told.transfers] == ["hold", "settle", "write_off"]


@ON_BOTH
def test_nothing_tells_which_upstream_answered(database: Database):
    database.run_now(open_books)
    record = row(1)
    database.run_now(open_hold, record, 50_000_000)
    database.run_now(settle, record, a_source(record))
    told = msgspec.json.encode(explain(database, record)).decode()
    assert "secret" not in told
    assert '"upstream_model":"gpt-5.5-2026-04-23"' in told
    assert "secret" not in str(database.run_now(list_own_requests, ME, limit=9, after=None))


def test_charge_of_a_request_that_a_crash_ended_is_explained_by_its_price_version(
    database: Database, office: Office
):
    database.run_now(open_books)
    database.run_now(publish_first, office)
    record = row(
        1,
        status=500,
        outcome=Outcome.FAILED,
        usage_source=UsageSource.ESTIMATED,
        error_code="server_restarted",
    )
    database.run_now(open_hold, record, 50_000_000)
    database.run_now(settle, record)
    told = explain(database, record)
    assert told.cost is not None
    assert told.cost.price_version == 1
    assert sum(int(line.pico) for line in told.cost.lines) == COST_PICO
    assert (told.state, told.error_code, told.receipt) == ("settled", "server_restarted", None)


def test_no_lines_are_shown_that_do_not_add_up(database: Database, office: Office):
    database.run_now(open_books)
    database.run_now(publish_first, office)
    record = row(1, cost_pico=COST_PICO + 1000, cost_nano=(COST_PICO + 1000) // 1000)
    database.run_now(open_hold, record, 50_000_000)
    database.run_now(settle, record)
    cost = explain(database, record).cost
    assert cost is not None
    assert (cost.lines, cost.total_pico) == ([], str(COST_PICO + 1000))


# ---- one that was not ------------------------------------------------------------------------------------


@ON_BOTH
def test_running_request_is_shown_with_its_hold(database: Database):
    database.run_now(open_books)
    record = row(1, stream=True)
    database.run_now(open_hold, record, 50_000_000)
    told = explain(database, record)
    assert (told.state, told.model, told.stream, told.cost, told.receipt) == (
        "running",
        "gpt-5.5",
        True,
        None,
        None,
    )
    assert told.hold is not None
    assert told.hold.amount_nano == "50000000"
    assert [one.kind for one in told.transfers] == ["hold"]
    database.run_now(void, msgspec.structs.replace(record, outcome=Outcome.FAILED, cost_pico=0, cost_nano=0))
    assert explain(database, record).state == "voided"


def test_voided_request_shows_its_hold_and_that_nothing_was_charged(database: Database):
    database.run_now(open_books)
    record = row(
        1,
        status=502,
        outcome=Outcome.FAILED,
        error_code="upstream_unavailable",
        attempts=3,
        cost_pico=0,
        cost_nano=0,
    )
    database.run_now(open_hold, record, 50_000_000)
    database.run_now(void, record)
    told = explain(database, record)
    assert (told.state, told.status, told.error_code, told.attempts) == (
        "voided",
        502,
        "upstream_unavailable",
        3,
    )
    assert told.cost is not None
    assert (told.cost.lines, told.cost.charged_nano, told.cost.charged_usd) == ([], "0", "0")
    assert [one.kind for one in told.transfers] == ["hold", "void"]


@pytest.mark.parametrize(("outcome", "state"), [(Outcome.REFUSED, "refused"), (Outcome.COMPLETED, "unheld")])
def test_request_that_held_nothing_says_so(database: Database, outcome: Outcome, state: str):
    database.run_now(insert_records, [row(1, outcome=outcome)])
    told = explain(database, row(1))
    assert (told.state, told.hold, told.transfers) == (state, None, [])
    assert told.cost is not None
    assert told.cost.price_version is None


@ON_BOTH
@pytest.mark.parametrize("who", OTHERS)
def test_anothers_request_is_as_one_that_does_not_exist(database: Database, who: Principal):
    database.run_now(open_books)
    ended, running, nowhere = row(1), row(2), row(3)
    for record in (ended, running):
        database.run_now(open_hold, record, 1_000_000)
    database.run_now(settle, ended)
    told = []
    for record in (ended, running, nowhere):
        with pytest.raises(Problem) as caught:
            explain(database, record, who)
        told.append((caught.value.status, caught.value.code, caught.value.message.replace(record.id, "")))
    assert told[0] == told[1] == told[2]
    assert told[0][:2] == (404, "request_not_found")


# ---- through the server ----------------------------------------------------------------------------------


def test_answer_is_explained_to_the_nano_dollar(new_customer: NewCustomer):
    customer = new_customer()
    before = customer.available_nano()
    told = customer.get(f"/v1/requests/{customer.chat(service_tier='default', max_completion_tokens=100)}")
    assert told["state"] == "settled"
    assert before - customer.available_nano() == int(told["cost"]["charged_nano"]) > 0
    assert told["hold"]["output_cap"] == 100
    assert (told["key"]["prefix"], told["mode"], told["status"]) == (customer.key[:16], "test", 200)
    assert 0 < told["waits"]["first_byte_us"] <= told["waits"]["total_us"]


def test_stream_is_running_until_its_end_and_settled_at_once(new_customer: NewCustomer):
    customer = new_customer()
    text = "[[sandbox:chunks 20 interval_ms=50]]"
    body = {"model": "gpt-5.5", "stream": True, "messages": [{"role": "user", "content": text}]}
    with http.stream(customer.gateway.url, body, key=customer.key) as stream:
        request_id = stream.read_head().headers["x-request-id"]
        running = customer.get(f"/v1/requests/{request_id}")
        assert (running["state"], running["status"], running["usage"]) == ("running", None, None)
        assert running["hold"]["amount_nano"] == customer.get("/v1/me/balance")["held_nano"]
        assert customer.get("/v1/requests")["data"] == []
        for data in stream.data():
            if data == b"[DONE]":
                assert customer.get(f"/v1/requests/{request_id}")["state"] == "settled"
    assert [found["id"] for found in customer.get("/v1/requests")["data"]] == [request_id]


def test_refused_and_failed_requests_are_told_from_each_other(new_customer: NewCustomer):
    customer = new_customer()
    bad = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "[[sandbox:status 500]]"}]}
    states = {}
    for body in (bad, {"model": "nonesuch", "messages": bad["messages"]}):
        refused = customer.send("POST", "/v1/chat/completions", body)
        told = customer.wait_for_row(refused.headers["x-request-id"])
        states[refused.status] = (
            told["state"],
            told["outcome"],
            told["cost"]["charged_nano"],
            told["error_code"],
        )
    assert states[404] == ("refused", "refused", "0", "model_not_found")
    assert states[500][:3] == ("voided", "failed", "0")


def test_live_answer_tells_the_model_that_answered_and_no_upstream(
    gateway: Gateway, upstream: ScriptedUpstream, new_customer: NewCustomer
):
    customer = new_customer(mode="live", usd="5")
    upstream.then(replies.plain_reply(usage=replies.usage(12, 200, cached=4)))
    request_id = customer.chat(max_completion_tokens=500)
    told = customer.get(f"/v1/requests/{request_id}")
    assert told["upstream_model"] == "gpt-5.5"
    assert told["usage"] == {"input": 8, "cached": 4, "cache_write": 0, "output": 200, "reasoning": 0}
    text = json.dumps(told) + json.dumps(customer.get("/v1/requests"))
    for secret in (
        "scripted",
        str(upstream.port),
        upstream.api_key,
        replies.HEADERS["x-request-id"],
        replies.REPLY_ID,
    ):
        assert str(secret) not in text


@pytest.mark.parametrize(
    "request_id",
    [
        "x",
        "req_",
        "req_1",
        UNKNOWN_ID[:-1],
        f"{UNKNOWN_ID}0",
        UNKNOWN_ID.upper(),
        f"{UNKNOWN_ID}%00",
        "..%2f..",
        "%ff",
        "a/b",
        f"{UNKNOWN_ID}/",
        "/receipt",
        f"{UNKNOWN_ID}/receipts",
        "x" * 5_000,
    ],
)
def test_what_is_no_id_is_as_one_that_does_not_exist(anybody: Customer, request_id: str):
    status, error = anybody.refused("GET", f"/v1/requests/{request_id}")
    assert (status, error["code"], error["param"]) == (404, "request_not_found", "id")
    assert len(error["message"]) < 400


def test_other_accounts_and_the_other_mode_get_the_same_404_over_the_wire(new_customer: NewCustomer):
    owner = new_customer()
    request_id = owner.chat()
    unknown = owner.refused("GET", f"/v1/requests/{UNKNOWN_ID}")
    for stranger in (new_customer(), new_customer(mode="live", account=owner.account)):
        for path in ("", "/receipt"):
            status, error = stranger.refused("GET", f"/v1/requests/{request_id}{path}")
            assert (status, {**error, "message": error["message"].replace(request_id, UNKNOWN_ID)}) == unknown
        assert stranger.get("/v1/requests")["data"] == []
        assert stranger.get("/v1/me/usage")["totals"]["requests"] == 0


def test_two_keys_of_one_account_see_the_same_requests(new_customer: NewCustomer):
    first = new_customer()
    second = new_customer(account=first.account)
    request_id = first.chat()
    assert second.get(f"/v1/requests/{request_id}") == first.get(f"/v1/requests/{request_id}")
    usage = second.get("/v1/me/usage?group_by=key")
    assert [line["key"]["prefix"] for line in usage["data"]] == [first.key[:16]]
