"""POST /v1/estimate: says what would happen, as it then happens; and changes nothing."""

import json
from collections.abc import Callable

import pytest

from api.conftest import NewCustomer
from api.customers import HELLO, Customer
from api.rows import row
from fakes import http
from fakes.both_engines import ON_BOTH
from fakes.server import Gateway
from runapi.core.keys import Mode
from runapi.core.records import Outcome
from runapi.core.usage import Usage, UsageSource
from runapi.flows.estimate_request import DEFAULT_OUTPUT
from runapi.store.database import Database
from runapi.store.requests import insert_records
from runapi.store.usage import list_recent_outputs
from web.bad_bodies import BAD_BODIES, BadBody

CHAT, ESTIMATE = "/v1/chat/completions", "/v1/estimate"
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def asking(text: str = "Hello there", **fields: object) -> dict[str, object]:
    return {**HELLO, "messages": [{"role": "user", "content": text}], **fields}


def held(customer: Customer, request_id: str) -> dict:
    return customer.get(f"/v1/requests/{request_id}")["hold"]


# ---- what it says is what happens ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        asking(),
        asking("Ünïcödé 漢字 🙂 " * 50),
        asking(max_completion_tokens=7),
        asking(max_tokens=100, n=3),
        asking(model="gpt-5.4-nano", service_tier="flex"),
        asking(service_tier="priority", max_completion_tokens=50),
        asking(tools=[TOOL]),
        asking(user="me", metadata={"a": "b"}, seed=1, temperature=0.5),
        {"model": "gpt-5.2", "messages": [{"role": "system", "content": "Be kind."}, *HELLO["messages"]]},  # type: ignore[misc]
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_tokens_and_hold_are_those_of_the_request_itself(anybody: Customer, body: dict[str, object]):
    told = anybody.post(ESTIMATE, body)
    assert (told["object"], told["model"], told["would_be_admitted"], told["refusal"]) == (
        "estimate",
        body["model"],
        True,
        None,
    )
    answer = anybody.send("POST", CHAT, body)
    assert told["exact"] is True
    assert told["input_tokens"] == answer.json["usage"]["prompt_tokens"]  # type: ignore[index]
    hold = held(anybody, answer.headers["x-request-id"])
    assert (told["worst_case_nano"], told["worst_case_usd"]) == (hold["amount_nano"], hold["amount_usd"])
    assert told["output_cap"] == hold["output_cap"]
    charged = anybody.get(f"/v1/requests/{answer.headers['x-request-id']}")["cost"]
    assert told["price_version"] == charged["price_version"]
    assert int(charged["charged_nano"]) <= int(told["worst_case_nano"])
    assert int(told["least_nano"]) <= int(told["worst_case_nano"])
    assert int(told["typical_nano"]) <= int(told["worst_case_nano"])


def test_parameters_that_would_be_dropped_are_named(anybody: Customer):
    body = asking(temperature=0.5, model="gpt-5.5")
    dropped = anybody.post(ESTIMATE, body)["dropped"]
    assert ", ".join(dropped) == anybody.send("POST", CHAT, body).headers["x-runapi-dropped"] == "temperature"


@pytest.mark.parametrize(
    "body",
    [
        asking(
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "a", "schema": {"type": "object"}},
            }
        ),
        {
            **HELLO,
            "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}],
        },
        {**HELLO, "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "x"}}]}]},
        asking(tools=[{"type": "web_search"}]),
        asking(web_search_options={}),
        asking(functions=[TOOL["function"]]),
    ],
    ids=["schema", "image", "file", "hosted tool", "search", "functions"],
)
def test_what_cannot_be_counted_is_told_as_the_most_that_it_can_be(
    anybody: Customer, body: dict[str, object]
):
    told = anybody.post(ESTIMATE, body)
    assert told["exact"] is False
    assert told["input_tokens"] > 60
    assert int(told["typical_nano"]) < int(told["worst_case_nano"])


def test_image_counts_at_most_as_much_as_is_held_for_it(anybody: Customer):
    with_image = [
        {"type": "text", "text": "Hi"},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
    ]
    body = {**HELLO, "messages": [{"role": "user", "content": with_image}], "max_completion_tokens": 16}
    told = anybody.post(ESTIMATE, body)
    answer = anybody.send("POST", CHAT, body)
    assert answer.json["usage"]["prompt_tokens"] <= told["input_tokens"]  # type: ignore[index]
    assert held(anybody, answer.headers["x-request-id"])["amount_nano"] == told["worst_case_nano"]


# ---- what is typical -------------------------------------------------------------------------------------


def test_typical_is_the_median_of_ones_own_answers_of_the_model(new_customer: NewCustomer):
    customer = new_customer()
    first = customer.post(ESTIMATE, HELLO)
    assert first["typical_output_tokens"] == DEFAULT_OUTPUT
    assert str(DEFAULT_OUTPUT) in first["typical_basis"]
    lengths = []
    for words in (3, 40, 12):
        request_id = customer.chat(f"[[sandbox:reply {'word ' * words}]]")
        lengths.append(customer.get(f"/v1/requests/{request_id}")["usage"]["output"])
    told = customer.post(ESTIMATE, HELLO)
    assert told["typical_output_tokens"] == sorted(lengths)[1]
    assert "3 of them" in told["typical_basis"]
    assert customer.post(ESTIMATE, asking(model="gpt-5.4"))["typical_output_tokens"] == DEFAULT_OUTPUT
    assert customer.post(ESTIMATE, asking(max_completion_tokens=2))["typical_output_tokens"] == 2


def test_typical_cost_is_the_charge_when_the_answer_is_typical(new_customer: NewCustomer):
    customer = new_customer()
    before = customer.get(f"/v1/requests/{customer.chat()}")["cost"]
    assert customer.post(ESTIMATE, HELLO)["typical_nano"] == before["charged_nano"]


@ON_BOTH
def test_only_whole_answers_that_the_upstream_counted_are_gone_by(database: Database):
    output = Usage(output=1)
    rows = [
        row(1, usage=Usage(output=11)),
        row(2, usage=Usage(output=22)),
        row(3, usage=output, account_id=2),
        row(4, usage=output, mode=Mode.TEST),
        row(5, usage=output, model="gpt-5.4"),
        row(6, usage=output, outcome=Outcome.CANCELLED),
        row(7, usage=output, usage_source=UsageSource.ESTIMATED),
    ]
    database.run_now(insert_records, rows)
    assert database.run_now(list_recent_outputs, 1, Mode.LIVE, "gpt-5.5") == [22, 11]


def test_only_the_newest_hundred_answers_are_gone_by(database: Database):
    rows = [row(number, usage=Usage(output=number)) for number in range(1, 151)]
    database.run_now(insert_records, rows)
    assert database.run_now(list_recent_outputs, 1, Mode.LIVE, "gpt-5.5") == list(range(150, 50, -1))


def test_rare_model_is_not_searched_for_in_all_of_the_past(database: Database):
    rows = [row(0, model="gpt-5.2"), *(row(number) for number in range(1, 1001))]
    database.run_now(insert_records, rows)
    assert database.run_now(list_recent_outputs, 1, Mode.LIVE, "gpt-5.2") == []


# ---- refusals: the same as the request's own -------------------------------------------------------------


def refusals(customer: Customer, body: object, **headers: str) -> tuple[dict, http.Response]:
    """What the estimate says, and what the request is told right after."""
    told = customer.post(ESTIMATE, body, **headers)
    answer = customer.send("POST", CHAT, body, headers=headers)
    if told["would_be_admitted"]:
        assert answer.status == 200
    else:
        error = answer.json["error"]  # type: ignore[index]
        assert (told["refusal"]["status"], told["refusal"]["code"]) == (answer.status, error["code"])
        assert told["output_cap"] == 0
    return told, answer


def test_without_money_it_says_so_as_the_request_would(new_customer: NewCustomer):
    customer = new_customer(mode="live")
    told, answer = refusals(customer, HELLO)
    assert (answer.status, told["refusal"]["code"]) == (402, "insufficient_credits")
    assert f"${told['least_usd']}" in told["refusal"]["message"]
    assert f"${told['least_usd']}" in answer.json["error"]["message"]  # type: ignore[index]


def test_balance_bounds_the_output_as_it_bounds_the_request(new_customer: NewCustomer):
    customer = new_customer(mode="live", usd="0.01")
    told = customer.post(ESTIMATE, HELLO)
    assert told["worst_case_nano"] == str(customer.available_nano()) == "10000000"
    assert 16 <= told["output_cap"] < 1000
    assert told["would_be_admitted"] is True


@pytest.mark.parametrize(("usd", "admitted"), [("0.000001", False), ("0.01", True), ("1000", True)])
def test_max_cost_is_heeded_in_field_and_header(anybody: Customer, usd: str, *, admitted: bool):
    for body, headers in ((asking(max_cost=usd), {}), (HELLO, {"x-runapi-max-cost": usd})):
        told, _ = refusals(anybody, body, **headers)
        assert told["would_be_admitted"] is admitted
        if not admitted:
            assert told["refusal"]["code"] == "max_cost_too_low"


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"models": ["gpt-5.4"]}, "model_not_found"),
        ({"spend_day": "0"}, "spend_limit_reached"),
        ({"spend_total": "0"}, "spend_limit_reached"),
    ],
)
def test_limits_of_the_key_are_heeded(new_customer: NewCustomer, limits: dict[str, object], code: str):
    customer = new_customer()
    customer.limit(**limits)
    assert refusals(customer, HELLO)[0]["refusal"]["code"] == code


def test_spending_limit_bounds_the_output(new_customer: NewCustomer):
    customer = new_customer()
    customer.limit(spend_day="0.01")
    told, answer = refusals(customer, HELLO)
    assert told["worst_case_usd"] == held(customer, answer.headers["x-request-id"])["amount_usd"] == "0.01"


@pytest.mark.parametrize("bad", BAD_BODIES, ids=str)
def test_bad_body_is_told_what_the_request_would_be_told(anybody: Customer, bad: BadBody):
    told, answer = (anybody.send("POST", path, bad.body) for path in (ESTIMATE, CHAT))
    assert (told.status, told.body) == (answer.status, answer.body)
    assert told.headers.get("x-should-retry") == answer.headers.get("x-should-retry")


@pytest.mark.parametrize("max_cost", ["-1", "NaN", "1e999", "", " ", "five", "0x1", "1,5", "+-1"])
def test_max_cost_that_is_no_amount_is_refused(anybody: Customer, max_cost: str):
    status, error = anybody.refused("POST", ESTIMATE, asking(max_cost=max_cost))
    assert (status, error["param"]) == (400, "max_cost")


def test_other_content_than_json_is_refused(anybody: Customer):
    response = anybody.send("POST", ESTIMATE, HELLO, headers={"content-type": "text/html"})
    assert response.status == 415


def test_model_without_a_price_has_no_estimate(start_gateway: Callable[..., Gateway]):
    gateway = start_gateway()
    gateway.stop()
    (gateway.home / "models.yaml").write_text(
        "models:\n  ours:\n    released: 2026-10-01\n    owned_by: us\n    context_window: 1000\n"
        "    max_input_tokens: 900\n    max_output_tokens: 100\n    endpoints: [/v1/chat/completions]\n"
        "    official:\n      standard: {input: 1, cached: 1, output: 1}\n    source: https://example.com\n"
    )
    gateway.start()
    customer = Customer(gateway)
    assert "ours" not in customer.get("/v1/me")["models"]
    assert customer.refused("POST", ESTIMATE, asking(model="ours"))[1]["code"] == "model_not_priced"


# ---- nothing changes -------------------------------------------------------------------------------------


def test_estimates_hold_charge_count_and_leave_nothing(new_customer: NewCustomer):
    customer = new_customer()
    customer.limit(requests_per_minute=1, tokens_per_minute=200, concurrent=1, spend_day="2")
    before = customer.get("/v1/me/balance"), customer.get("/v1/me")["limits"]
    for _ in range(5):
        assert customer.post(ESTIMATE, HELLO)["would_be_admitted"] is True
    assert (customer.get("/v1/me/balance"), customer.get("/v1/me")["limits"]) == before
    assert customer.get("/v1/requests")["data"] == []
    customer.chat()
    told = customer.post(
        ESTIMATE, HELLO
    )  # and the limit of requests a minute is reached by the request alone
    assert (told["would_be_admitted"], told["refusal"]["code"]) == (False, "rate_limit_exceeded")
    assert customer.send("POST", CHAT, HELLO).status == 429


def test_estimates_wear_no_refusal_out(new_customer: NewCustomer):
    """A key that asks again and again what it cannot afford is served at once when it can."""
    customer = new_customer(mode="live")
    for _ in range(20):
        assert customer.post(ESTIMATE, HELLO)["would_be_admitted"] is False
    customer.gateway.perform("accounts.credit", name=customer.account, usd="5", mode="live")
    assert customer.post(ESTIMATE, HELLO)["would_be_admitted"] is True
