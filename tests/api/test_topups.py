"""POST /v1/topups and GET /v1/topups/{id}: an order is opened, paid, and shown to who opened it alone."""

import time
from collections.abc import Callable, Iterator

import pytest

from api.customers import HELLO, Customer
from fakes import http, specification
from fakes.server import Gateway
from fakes.stripe_server import WEBHOOK_SECRET, StripeServer
from fakes.upstream import ScriptedUpstream

TOPUPS, HOOK = "/v1/topups", "/hooks/stripe"
PAGES = {"success_url": "https://example.test/paid?order=1", "cancel_url": "http://localhost:3000/back"}
ASKED = {"amount_usd": "5", **PAGES}
UNKNOWN_ID = f"top_{0:032x}"


@pytest.fixture(scope="module")
def stripe() -> Iterator[StripeServer]:
    with StripeServer() as server:
        yield server


@pytest.fixture(scope="module")
def shop(stripe: StripeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A server that takes live payments."""
    served = Gateway(tmp_path_factory.mktemp("shop"), environment=stripe_settings(stripe)).start()
    served.secrets += [stripe.secret_key, WEBHOOK_SECRET]
    yield served
    served.stop()
    served.assert_clean_log()


@pytest.fixture(scope="module")
def payer(shop: Gateway) -> Customer:
    return Customer(shop, mode="live")


@pytest.fixture(autouse=True)
def working(stripe: StripeServer) -> Iterator[None]:
    yield
    stripe.fails_with = None


def stripe_settings(stripe: StripeServer) -> dict[str, str]:
    return {
        "RUNAPI_STRIPE_SECRET_KEY": stripe.secret_key,
        "RUNAPI_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "RUNAPI_STRIPE_API_BASE": stripe.url,
    }


def tell(gateway: Gateway, stripe: StripeServer, body: bytes, **signing: object) -> http.Response:
    """Send a webhook as Stripe does: without a key."""
    signature = stripe.sign(body, **signing).decode()  # type: ignore[arg-type]
    return http.request(gateway.url, "POST", HOOK, body=body, headers={"stripe-signature": signature})


def session_of(opened: dict) -> str:
    return str(opened["url"]).rpartition("/")[2]


# ---- an order's life -------------------------------------------------------------------------------------


def test_order_is_opened_paid_by_webhook_and_credited_once(payer: Customer, stripe: StripeServer):
    before = payer.available_nano()
    opened = payer.post(TOPUPS, {**ASKED, "amount_usd": "12.34"})
    assert (opened["object"], opened["state"], opened["mode"], opened["currency"]) == (
        "topup",
        "pending",
        "live",
        "usd",
    )
    assert (opened["amount_nano"], opened["amount_usd"], opened["taken_back_nano"]) == (
        "12340000000",
        "12.34",
        "0",
    )
    asked = stripe.asked[-1]
    assert (asked["success_url"], asked["cancel_url"]) == (PAGES["success_url"], PAGES["cancel_url"])
    assert asked["line_items[0][price_data][unit_amount]"] == "1234"
    waiting = payer.get(f"{TOPUPS}/{opened['id']}")
    assert (waiting["state"], waiting["url"]) == ("pending", None)
    body = stripe.event("checkout.session.completed", stripe.pay(session_of(opened)))
    for outcome in ("credited", "nothing", "nothing"):
        told = tell(payer.gateway, stripe, body)
        assert (told.status, told.json) == (200, {"received": True, "outcome": outcome})
    paid = payer.get(f"{TOPUPS}/{opened['id']}")
    assert paid == {**waiting, "state": "paid"}
    assert payer.available_nano() == before + 12_340_000_000


def test_asking_for_an_order_credits_it_where_the_webhook_was_lost(payer: Customer, stripe: StripeServer):
    before = payer.available_nano()
    opened = payer.post(TOPUPS, ASKED)
    stripe.pay(session_of(opened))
    for _ in range(3):
        assert payer.get(f"{TOPUPS}/{opened['id']}")["state"] == "paid"
    assert payer.available_nano() == before + 5 * 10**9


def test_order_that_the_provider_cannot_be_asked_about_is_shown_as_it_was_known(
    payer: Customer, stripe: StripeServer
):
    opened = payer.post(TOPUPS, ASKED)
    stripe.pay(session_of(opened))
    stripe.fails_with = 401
    assert payer.get(f"{TOPUPS}/{opened['id']}")["state"] == "pending"


def test_refund_is_shown_with_the_order(shop: Gateway, stripe: StripeServer, payer: Customer):
    opened, before = payer.post(TOPUPS, ASKED), payer.available_nano()
    session = session_of(opened)
    tell(shop, stripe, stripe.event("checkout.session.completed", stripe.pay(session)))
    tell(shop, stripe, stripe.event("charge.refunded", stripe.charge(session, amount_refunded=200)))
    shown = payer.get(f"{TOPUPS}/{opened['id']}")
    assert (shown["state"], shown["taken_back_nano"]) == ("paid", "2000000000")
    assert payer.available_nano() == before + 3 * 10**9
    assert "frozen" not in payer.get("/v1/me/balance")


def test_account_whose_spent_payment_was_taken_back_is_shown_as_frozen(shop: Gateway, stripe: StripeServer):
    customer = Customer(shop, mode="live")
    session = session_of(customer.post(TOPUPS, {**ASKED, "amount_usd": "1"}))
    tell(shop, stripe, stripe.event("checkout.session.completed", stripe.pay(session)))
    with ScriptedUpstream() as upstream:
        upstream.api_key = shop.add_upstream("shop", upstream.base_url, ["gpt-5.5"])
        customer.chat(max_completion_tokens=50)
        tell(shop, stripe, stripe.event("charge.refunded", stripe.charge(session, amount_refunded=100)))
        balance = customer.get("/v1/me/balance")
        assert balance["frozen"] is True
        assert balance["available_usd"].startswith("-0.000")
        told = customer.post("/v1/estimate", HELLO)["refusal"]
        status, error = customer.refused("POST", "/v1/chat/completions", HELLO)
        assert (told["status"], told["code"]) == (status, error["code"]) == (402, "account_on_hold")


def test_provider_is_not_asked_without_end(shop: Gateway, stripe: StripeServer):
    customer = Customer(shop, mode="live")
    opened = customer.post(TOPUPS, ASKED)
    for _ in range(30):
        assert customer.get(f"{TOPUPS}/{opened['id']}")["state"] == "pending"
    stripe.pay(session_of(opened))
    assert (
        customer.get(f"{TOPUPS}/{opened['id']}")["state"] == "pending"
    )  # not asked any more; the webhook will tell


# ---- whose it is -----------------------------------------------------------------------------------------


def test_order_of_another_account_or_mode_is_as_one_that_does_not_exist(payer: Customer, shop: Gateway):
    order_id = payer.post(TOPUPS, ASKED)["id"]
    for stranger in (Customer(shop, mode="live"), Customer(shop, account=payer.account)):
        unknown = stranger.refused("GET", f"{TOPUPS}/{UNKNOWN_ID}")
        status, error = stranger.refused("GET", f"{TOPUPS}/{order_id}")
        assert (status, error["code"]) == (404, "topup_not_found")
        assert (status, {**error, "message": error["message"].replace(order_id, UNKNOWN_ID)}) == unknown


@pytest.mark.parametrize(
    "order_id",
    ["x", "top_", UNKNOWN_ID[:-1], f"{UNKNOWN_ID}0", UNKNOWN_ID.upper(), "%00", "a/b", "%ff", "x" * 5_000],
)
def test_what_is_no_id_is_as_one_that_does_not_exist(payer: Customer, order_id: str):
    status, error = payer.refused("GET", f"{TOPUPS}/{order_id}")
    assert (status, error["code"], error["param"]) == (404, "topup_not_found", "id")


def test_test_key_opens_no_live_payment(shop: Gateway, stripe: StripeServer):
    asked_before = len(stripe.asked)
    status, error = Customer(shop).refused("POST", TOPUPS, ASKED)
    assert (status, error["code"]) == (400, "wrong_mode")
    assert "with a live key" in error["message"]
    assert len(stripe.asked) == asked_before


def test_with_a_test_key_of_stripe_a_live_key_opens_nothing(start_gateway: Callable[..., Gateway]):
    with StripeServer(secret_key="sk_test_canary_51Fake") as stripe:
        gateway = start_gateway(environment=stripe_settings(stripe))
        status, error = Customer(gateway, mode="live").refused("POST", TOPUPS, ASKED)
        assert (status, error["code"]) == (400, "wrong_mode")
        customer = Customer(gateway)
        opened = customer.post(TOPUPS, ASKED)
        stripe.pay(session_of(opened))
        assert customer.get(f"{TOPUPS}/{opened['id']}")["mode"] == "test"
        assert customer.get("/v1/me/balance")["available_usd"] == "1005"


# ---- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "amount",
    [
        "",
        "0",
        "0.99",
        "-5",
        "5.001",
        "1e3",
        "NaN",
        "Infinity",
        "10000.01",
        "9" * 400,
        "5,00",
        "\u0665",
        "0x10",
        "05",
        " 5",
        "5\0",
    ],
)
def test_bad_amount_is_refused_and_opens_nothing(payer: Customer, stripe: StripeServer, amount: str):
    asked_before = len(stripe.asked)
    status, error = payer.refused("POST", TOPUPS, {**ASKED, "amount_usd": amount})
    assert (status, error["param"], error["code"]) == (400, "amount_usd", "invalid_value")
    assert len(stripe.asked) == asked_before


@pytest.mark.parametrize("name", ["success_url", "cancel_url"])
@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.test",
        "javascript:alert(1)",
        "ftp://example.test/",
        "//example.test",
        "https://",
        "https:///x",
        "https://[x",
        "https://example.test/ä",
        "https://example.test/a b",
        "https://example.test/\n",
        "https://example.test/" + "x" * 2_000,
        "data:text/html,x",
    ],
)
def test_bad_url_is_refused_and_opens_nothing(payer: Customer, stripe: StripeServer, name: str, url: str):
    asked_before = len(stripe.asked)
    status, error = payer.refused("POST", TOPUPS, {**ASKED, name: url})
    assert (status, error["param"], error["code"]) == (400, name, "invalid_value")
    assert len(stripe.asked) == asked_before


@pytest.mark.parametrize("name", list(ASKED))
@pytest.mark.parametrize("value", [None, 5, 5.5, True, [], {}])
def test_field_of_another_type_is_refused(payer: Customer, name: str, value: object):
    status, error = payer.refused("POST", TOPUPS, {**ASKED, name: value})
    assert (status, error["param"], error["code"]) == (400, name, "invalid_type")


@pytest.mark.parametrize("name", list(ASKED))
def test_missing_field_is_named(payer: Customer, name: str):
    body = {field: value for field, value in ASKED.items() if field != name}
    status, error = payer.refused("POST", TOPUPS, body)
    assert (status, error["param"], error["code"]) == (400, name, "missing_required_parameter")


@pytest.mark.parametrize("field", ["account_id", "mode", "currency", "amount"])
def test_field_that_means_nothing_is_refused(payer: Customer, field: str):
    status, error = payer.refused("POST", TOPUPS, {**ASKED, field: "1"})
    assert (status, error["param"], error["code"]) == (400, field, "unknown_parameter")


def test_failing_provider_is_a_503_that_tells_no_secret(payer: Customer, stripe: StripeServer):
    stripe.fails_with = 500
    status, error = payer.refused("POST", TOPUPS, ASKED)
    assert (status, error["code"]) == (503, "payment_unavailable")
    assert stripe.secret_key not in str(error)


def test_service_without_payments_says_what_to_do_instead(anybody: Customer):
    status, error = anybody.refused("POST", TOPUPS, ASKED)
    assert (status, error["code"]) == (503, "payment_unavailable")
    assert "POST /v1/redeem" in error["message"]
    assert anybody.refused("POST", TOPUPS, {**ASKED, "success_url": "x"})[0] == 400
    assert anybody.refused("GET", f"{TOPUPS}/{UNKNOWN_ID}")[0] == 404


# ---- the webhook -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT", "DELETE"])
def test_without_a_secret_the_webhook_is_as_a_url_that_stands_nowhere(gateway: Gateway, method: str):
    here, nowhere = (
        http.request(gateway.url, method, path, body=b"{}" if method == "POST" else b"")
        if method != "HEAD"
        else head(gateway, path)
        for path in (HOOK, "/hooks/strips")
    )
    assert here.status == nowhere.status == 404
    assert here.body.replace(b"/hooks/stripe", b"/hooks/strips") == nowhere.body
    assert set(here.headers) == set(nowhere.headers)


def head(gateway: Gateway, path: str) -> http.Response:
    with http.Connection(gateway.url) as connection:
        connection.send_request("HEAD", path, headers={"connection": "close"})
        return connection.read_head()


@pytest.mark.parametrize("how", [{"secret": "whsec_another_0123456789"}, {"at_s": int(time.time()) - 400}])
def test_webhook_with_a_bad_signature_is_refused(
    shop: Gateway, stripe: StripeServer, payer: Customer, how: dict
):
    opened = payer.post(TOPUPS, ASKED)
    before = payer.available_nano()
    body = stripe.event("checkout.session.completed", stripe.pay(session_of(opened)))
    refused = tell(shop, stripe, body, **how)
    assert refused.status == 400
    specification.check_error(refused.json)
    assert payer.available_nano() == before


def test_webhook_is_not_seen_by_other_methods(shop: Gateway):
    response = http.request(shop.url, "GET", HOOK)
    assert (response.status, response.json["error"]["code"]) == (404, "unknown_url")  # type: ignore[index]
    assert "allow" not in response.headers
