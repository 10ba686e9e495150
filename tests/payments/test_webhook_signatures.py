"""Who can make us believe a webhook: nobody without the secret, the very bytes, and the time."""

import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.offices import Clock
from fakes.stripe_server import WEBHOOK_SECRET
from fakes.tills import Till
from runapi.core.problems import Problem
from runapi.core.webhooks import signature_fault
from runapi.web.hooks.stripe import PATH, StripeHook, open_hook, take_event

SECRET = WEBHOOK_SECRET.encode()
COMPLETED = "checkout.session.completed"


async def paid_event(till: Till) -> bytes:
    return till.stripe.event(COMPLETED, till.stripe.pay(await till.open_session()))


async def refused(till: Till, signature: bytes, body: bytes) -> str:
    status, reply = await till.hook.handle(signature, body)
    assert status == 400
    error = json.loads(reply)["error"]
    assert (error["code"], set(error)) == ("invalid_webhook", {"message", "type", "param", "code"})
    assert await till.posted_usd() == 0
    return str(error["message"])


@pytest.mark.parametrize("secrets", [[b""], [b"short"], [b"x" * 15], [SECRET, b""], []])
def test_without_a_good_secret_there_is_no_hook(till: Till, clock: Clock, secrets: list[bytes]):
    with pytest.raises(ValueError, match="16 bytes"):
        StripeHook(till.top_ups, secrets, clock)
    assert open_hook(till.top_ups, [], clock) is None


async def test_where_there_is_no_hook_the_url_does_not_exist():
    class Asked:
        method, path = "POST", PATH

    with pytest.raises(Problem) as caught:
        await take_event(None, Asked(), None)  # type: ignore[arg-type]
    assert (caught.value.status, caught.value.code) == (404, "unknown_url")


async def test_an_empty_secret_is_nobody_s_signature(till: Till):
    """CVE-2026-41432: with an empty secret everybody can sign."""
    body = await paid_event(till)
    at_s = till.clock.us // 1_000_000
    made = hmac.new(b"", b"%d." % at_s + body, "sha256").hexdigest()
    assert signature_fault(body, f"t={at_s},v1={made}", [b""], at_s) == "there is no secret to check it with"
    await refused(till, f"t={at_s},v1={made}".encode(), body)


async def test_an_unsigned_or_badly_signed_body_is_refused(till: Till):
    body = await paid_event(till)
    at_s = till.clock.us // 1_000_000
    good = till.stripe.sign(body, at_s=at_s)
    for bad in (
        *(b"", b"t=", b"v1=", good.split(b",")[0], good.split(b",")[1]),
        *(good.replace(b"v1=", b"v0="), good.replace(b"v1=", b"v2="), good.upper(), b"t=1," + good),
        *(good.replace(b"t=", b"t=-"), good.replace(b"t=", b"t=+"), good.replace(b"t=", b"t=0x")),
        *(good[:60], good + b",v1=" + b",v1=".join([b"0" * 64] * 20), b"\xff" + good),
        till.stripe.sign(body, at_s=at_s, secret="whsec_canary_0123456789abcdeF"),
        till.stripe.sign(body + b" ", at_s=at_s),
    ):
        await refused(till, bad, body)
    assert await till.deliver(body) == "credited"


async def test_a_body_that_was_written_again_is_refused(till: Till):
    body = await paid_event(till)
    signature = till.stripe.sign(body, at_s=till.clock.us // 1_000_000)
    for other in (
        json.dumps(json.loads(body)).encode(),
        body + b"\n",
        body[:-1],
        b"",
        body.replace(b"5", b"6"),
    ):
        assert "does not fit the body" in await refused(till, signature, other)


@pytest.mark.parametrize(("away_s", "accepted"), [(-301, False), (-300, True), (300, True), (301, False)])
async def test_a_webhook_counts_for_300_seconds_in_both_directions(
    till: Till, away_s: int, *, accepted: bool
):
    body = await paid_event(till)
    signature = till.stripe.sign(body, at_s=till.clock.us // 1_000_000 + away_s)
    if accepted:
        assert (await till.hook.handle(signature, body))[0] == 200
    else:
        assert "300 seconds" in await refused(till, signature, body)


async def test_two_secrets_are_in_force_while_one_replaces_the_other(till: Till, clock: Clock):
    old, new = SECRET, b"whsec_new_0123456789abcdef"
    hook = StripeHook(till.top_ups, [new, old], clock)
    at_s = clock.us // 1_000_000
    for secret in (old, new):
        body = await paid_event(till)
        signature = till.stripe.sign(body, at_s=at_s, secret=secret.decode())
        assert (await hook.handle(signature, body))[0] == 200
    # Stripe itself signs with both for a day.
    body = await paid_event(till)
    other = till.stripe.sign(body, at_s=at_s, secret="whsec_other_0123456789").replace(b",v0", b",v1")
    both = other + b",v1=" + till.stripe.sign(body, at_s=at_s).partition(b"v1=")[2][:64]
    assert (await hook.handle(both, body))[0] == 200
    assert await till.posted_usd() == 15


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b"{}", b"\xff", b"{" * 50_000, b'{"id":"evt_1"}'),
        b'{"id":"evt_1","type":"checkout.session.completed","livemode":true,"data":{"object":{}}}',
        b'{"id":"evt_1","type":"checkout.session.completed","livemode":true,"data":{"object":null}}',
        b'{"id":"evt_1","type":"checkout.session.completed","livemode":"yes","data":{"object":{}}}',
        b'{"id":1,"type":"charge.refunded","livemode":true,"data":{"object":{"amount_refunded":1.5}}}',
    ],
)
async def test_a_signed_body_that_is_no_event_is_refused(till: Till, body: bytes):
    signature = till.stripe.sign(body, at_s=till.clock.us // 1_000_000)
    assert "not an event" in await refused(till, signature, body)


@pytest.mark.parametrize("kind", ["customer.created", "invoice.paid", "charge.succeeded", ""])
async def test_events_that_mean_nothing_to_us_are_received(till: Till, kind: str):
    assert await till.send(kind, {"id": "x_1", "object": "thing"}) == "nothing"


@given(st.text(max_size=200))
def test_no_header_breaks_the_check(header: str):
    assert signature_fault(b"{}", header, [SECRET], 0) is not None
