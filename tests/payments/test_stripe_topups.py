"""Money that comes by Stripe: credited once, for the order it was paid for, and taken back when it goes back."""

import asyncio
import json

import pytest
import stripe as sdk

from fakes.both_engines import ON_BOTH
from fakes.keyed_requests import principal
from fakes.offices import Clock
from fakes.stripe_server import SECRET_KEY, StripeServer
from fakes.tills import Till
from runapi.core.keys import Mode
from runapi.core.ledger.books import TransferKind
from runapi.core.ledger.operations import Frozen, OpenHold, Settle
from runapi.core.problems import Problem
from runapi.core.usage import UsageSource
from runapi.flows.office import Office
from runapi.store import orders
from runapi.store.database import Database
from runapi.store.faults import NotFound
from runapi.store.ledger.batch import write_operations

COMPLETED = "checkout.session.completed"
WITHDRAWN, REINSTATED = "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"


# ---- paying ----------------------------------------------------------------------------------------------


@ON_BOTH
async def test_a_payment_is_credited_to_the_account_that_ordered_it(till: Till):
    session = await till.open_session("12.50")
    assert await till.posted_usd() == 0
    assert await till.send(COMPLETED, till.stripe.pay(session)) == "credited"
    balance = await till.database.run(
        lambda connection: connection.exec_driver_sql("SELECT kind, amount, reference FROM transfer").all()
    )
    assert [tuple(row) for row in balance if row[0] == TransferKind.TOPUP] == [
        ("topup", 12_500_000_000, "stripe:pi_2")
    ]


async def test_the_page_is_asked_for_with_the_order_s_numbers(till: Till):
    opened = await till.open("12.5")
    (asked,) = till.stripe.asked
    assert asked["client_reference_id"] == opened.order_id
    assert asked["payment_intent_data[metadata][runapi_order]"] == opened.order_id
    assert asked["line_items[0][price_data][unit_amount]"] == "1250"
    assert asked["line_items[0][price_data][currency]"] == "usd"
    assert (asked["mode"], asked["success_url"]) == ("payment", "https://example.test/paid")
    assert opened.url.startswith("https://checkout.stripe.com/")


@pytest.mark.parametrize(
    "amount",
    ["0", "0.99", "-5", "5.001", "1e3", "10000.01", "5,00", " 5", "", "NaN", "\u0665", "9" * 50, "+5", "05"],
)
async def test_an_amount_that_is_none_makes_no_order(till: Till, amount: str):
    with pytest.raises(Problem) as caught:
        await till.open(amount)
    assert caught.value.status == 400
    assert till.stripe.asked == []
    assert await till.database.run(orders.list_orders, 1, limit=10) == []


@ON_BOTH
async def test_a_hundred_replays_credit_once(till: Till):
    session = till.stripe.pay(await till.open_session())
    body = till.stripe.event(COMPLETED, session)
    outcomes = await asyncio.gather(*(till.deliver(body) for _ in range(100)))
    assert sorted(set(outcomes)) == ["credited", "nothing"]
    assert outcomes.count("credited") == 1
    assert await till.posted_usd() == 5


@ON_BOTH
async def test_other_events_of_the_same_payment_credit_nothing_more(till: Till):
    session = await till.paid_session()
    paid = till.stripe.sessions[session]
    assert await till.send(COMPLETED, paid) == "nothing"
    assert await till.send("checkout.session.async_payment_succeeded", paid) == "nothing"
    order_id = str(paid["client_reference_id"])
    assert await till.top_ups.check(order_id) == "nothing"
    assert await till.posted_usd() == 5


async def test_looking_at_stripe_credits_what_its_webhook_did_not(till: Till):
    opened = await till.open()
    session = opened.url.rpartition("/")[2]
    assert await till.top_ups.check(opened.order_id) == "nothing"
    till.stripe.pay(session)
    assert await till.top_ups.check(opened.order_id) == "credited"
    assert await till.send(COMPLETED, till.stripe.sessions[session]) == "nothing"
    assert await till.posted_usd() == 5
    with pytest.raises(NotFound):
        await till.top_ups.check("top_nothing")


async def test_a_payment_that_is_still_on_its_way_credits_nothing_until_it_arrives(till: Till):
    session = await till.open_session()
    unpaid = till.stripe.pay(session, payment_status="unpaid")
    assert await till.send(COMPLETED, unpaid) == "nothing"
    assert await till.posted_usd() == 0
    assert await till.send("checkout.session.async_payment_succeeded", till.stripe.pay(session)) == "credited"
    assert await till.posted_usd() == 5


@ON_BOTH
async def test_the_end_of_a_session_may_come_before_or_after_its_payment(till: Till):
    for first, second in (("checkout.session.expired", COMPLETED), (COMPLETED, "checkout.session.expired")):
        session = till.stripe.pay(await till.open_session())
        await till.send(first, session)
        await till.send(second, session)
    assert await till.posted_usd() == 10
    known = await till.database.run(orders.list_orders, 1, limit=10)
    assert {order.state for order in known} == {"paid"}


async def test_a_webhook_that_is_faster_than_our_own_note_of_the_page_is_credited(
    database: Database, till: Till
):
    opened = await till.open()
    await database.run(
        lambda connection: connection.exec_driver_sql("UPDATE top_up SET session_ref = NULL")
    )  # a crash between Stripe's answer and our commit
    session = opened.url.rpartition("/")[2]
    assert await till.send(COMPLETED, till.stripe.pay(session)) == "credited"


# ---- what is not ours, or does not fit -------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"amount_total": 499},
        {"amount_total": 50_000},
        {"amount_total": None},
        {"amount_total": -500},
        {"currency": "eur"},
        {"currency": None},
        {"id": "cs_live_another"},
        {"payment_intent": None},
    ],
)
async def test_a_payment_that_does_not_fit_its_order_is_refused(till: Till, change: dict[str, object]):
    paid = till.stripe.pay(await till.open_session()) | change
    assert await till.send(COMPLETED, paid) == "refused"
    assert await till.posted_usd() == 0


@pytest.mark.parametrize("reference", [None, "", "top_unknown", "someone else's order"])
async def test_a_payment_of_something_else_is_not_ours(till: Till, reference: str | None):
    paid = till.stripe.pay(await till.open_session()) | {"client_reference_id": reference}
    assert await till.send(COMPLETED, paid) == "not_ours"
    assert await till.posted_usd() == 0


@pytest.mark.parametrize("status", ["unpaid", "no_payment_required", "", "PAID"])
async def test_only_the_word_paid_credits(till: Till, status: str):
    paid = till.stripe.pay(await till.open_session(), payment_status=status)
    assert await till.send(COMPLETED, paid) == "nothing"
    assert await till.posted_usd() == 0


async def test_a_test_event_does_not_pay_a_live_order(till: Till):
    paid = till.stripe.pay(await till.open_session()) | {"livemode": False}
    assert await till.send(COMPLETED, paid, livemode=False) == "refused"
    body = till.stripe.event(COMPLETED, paid | {"livemode": True}, livemode=False)
    status, _ = await till.hook.handle(till.stripe.sign(body, at_s=till.clock.us // 1_000_000), body)
    assert status == 400
    assert await till.posted_usd() == 0


@ON_BOTH
async def test_an_order_of_another_provider_is_not_paid_by_stripe(till: Till, database: Database):
    paid = till.stripe.pay(await till.open_session())
    await database.run(lambda connection: connection.exec_driver_sql("UPDATE top_up SET provider = 'manual'"))
    assert await till.send(COMPLETED, paid) == "refused"
    assert await till.posted_usd() == 0


@ON_BOTH
async def test_a_payment_pays_one_order_and_an_order_is_paid_by_one_payment(till: Till):
    first, second = await till.open_session(), await till.open_session()
    paid = till.stripe.pay(first)
    assert await till.send(COMPLETED, paid) == "credited"
    assert await till.send(COMPLETED, paid | {"payment_intent": "pi_other"}) == "refused"
    stolen = till.stripe.sessions[second] | {
        "payment_status": "paid",
        "payment_intent": paid["payment_intent"],
    }
    assert await till.send(COMPLETED, stolen) == "refused"
    assert await till.posted_usd() == 5


async def test_with_a_test_key_of_stripe_only_play_money_is_credited(
    database: Database, office: Office, clock: Clock
):
    with StripeServer(secret_key="sk_test_canary") as stripe:
        till = Till(database, office, clock, stripe)
        await till.paid_session()
    assert (await till.posted_usd(), await till.posted_usd(Mode.TEST)) == (0, 5)


# ---- going back ------------------------------------------------------------------------------------------


@ON_BOTH
async def test_refunds_take_back_what_was_refunded_in_sum(till: Till):
    session = await till.paid_session("10")
    for refunded, left in ((200, 8), (500, 5), (500, 5), (200, 5), (1000, 0)):  # repeated, and out of order
        await till.send("charge.refunded", till.stripe.charge(session, amount_refunded=refunded))
        assert await till.posted_usd() == left


@ON_BOTH
async def test_a_refund_of_money_that_was_spent_freezes_the_account(till: Till, database: Database):
    session = await till.paid_session("5")
    await database.run(spend, "req_1", 4)
    await till.send("charge.refunded", till.stripe.charge(session, amount_refunded=500))
    assert (await till.posted_usd(), await till.guarded()) == (-4, False)
    (refused,) = await database.run(hold, "req_2")
    assert isinstance(refused, Frozen)
    await till.paid_session("5")
    assert (await till.posted_usd(), await till.guarded()) == (1, True)


@ON_BOTH
async def test_a_dispute_takes_the_money_and_a_won_one_gives_it_back(till: Till):
    session = await till.paid_session("10")
    dispute = till.stripe.dispute(session)
    assert await till.send("charge.dispute.created", dispute) == "nothing"  # may be an inquiry
    assert await till.send(WITHDRAWN, dispute) == "taken_back"
    assert await till.posted_usd() == 0
    assert await till.send(WITHDRAWN, dispute) == "nothing"  # told twice, by two events
    assert await till.posted_usd() == 0
    assert await till.send(REINSTATED, dispute) == "given_back"
    assert await till.send(REINSTATED, dispute) == "nothing"
    assert await till.posted_usd() == 10


async def test_refund_and_dispute_together_take_no_more_than_was_paid(till: Till):
    session = await till.paid_session("10")
    await till.send(WITHDRAWN, till.stripe.dispute(session, amount=700))
    await till.send("charge.refunded", till.stripe.charge(session, amount_refunded=1000))
    assert await till.posted_usd() == 0
    # The dispute is won, but the refund stands.
    assert await till.send(REINSTATED, till.stripe.dispute(session, amount=700)) == "nothing"
    assert await till.posted_usd() == 0


async def test_a_hundred_replays_of_a_dispute_take_its_amount_once(till: Till):
    session = await till.paid_session("10")
    body = till.stripe.event(WITHDRAWN, till.stripe.dispute(session, amount=300))
    outcomes = await asyncio.gather(*(till.deliver(body) for _ in range(100)))
    assert outcomes.count("taken_back") == 1
    assert await till.posted_usd() == 7
    second = till.stripe.dispute(session, amount=200, number=2)
    assert await till.send(WITHDRAWN, second) == "taken_back"
    assert await till.posted_usd() == 5


async def test_a_dispute_that_was_never_open_gives_nothing_back(till: Till):
    session = await till.paid_session("10")
    assert await till.send(REINSTATED, till.stripe.dispute(session)) == "nothing"
    assert await till.posted_usd() == 10


@ON_BOTH
async def test_a_refund_that_is_told_before_its_payment_waits_for_it(till: Till):
    session = await till.open_session("10")
    paid = till.stripe.pay(session)
    refund = till.stripe.charge(session, amount_refunded=300)
    assert await till.send("charge.refunded", refund) == "parked"
    assert await till.send(WITHDRAWN, till.stripe.dispute(session, amount=200)) == "parked"
    assert await till.send(COMPLETED, paid) == "credited"
    assert await till.posted_usd() == 5
    assert await till.send("charge.refunded", refund) == "nothing"


@pytest.mark.parametrize("change", [{"currency": "eur"}, {"livemode": False}, {"amount_refunded": -1}])
async def test_a_refund_that_does_not_fit_its_payment_is_refused(till: Till, change: dict[str, object]):
    session = await till.paid_session("10")
    refund = till.stripe.charge(session, amount_refunded=500) | change
    live = bool(refund["livemode"])
    assert await till.send("charge.refunded", refund, livemode=live) == "refused"
    assert await till.posted_usd() == 10


# ---- one transaction, and outages ------------------------------------------------------------------------


async def test_when_the_ledger_fails_nothing_is_noted_and_stripe_s_repetition_credits(
    till: Till, database: Database
):
    body = till.stripe.event(COMPLETED, till.stripe.pay(await till.open_session()))
    await database.run(
        lambda connection: connection.exec_driver_sql(
            "CREATE TRIGGER fail BEFORE INSERT ON transfer BEGIN SELECT RAISE(ABORT, 'planted'); END"
        )
    )
    with pytest.raises(Exception, match="planted"):
        await till.deliver(body)
    (order,) = await database.run(orders.list_orders, 1, limit=1)
    assert order.state == "pending"
    await database.run(lambda connection: connection.exec_driver_sql("DROP TRIGGER fail"))
    assert await till.deliver(body) == "credited"
    assert await till.posted_usd() == 5


@pytest.mark.parametrize("status", [401, 402, 500])
async def test_when_stripe_fails_the_customer_is_asked_to_try_again_and_no_secret_is_told(
    till: Till, status: int, capsys: pytest.CaptureFixture[str]
):
    till.stripe.fails_with = status
    with pytest.raises(Problem) as caught:
        await till.open()
    assert (caught.value.status, caught.value.code) == (503, "payment_unavailable")
    assert SECRET_KEY not in caught.value.message + "".join(capsys.readouterr())


async def test_when_stripe_refuses_the_key_it_is_not_told_to_anybody(
    database: Database, office: Office, clock: Clock, capsys: pytest.CaptureFixture[str]
):
    with StripeServer() as stripe:
        till = Till(database, office, clock, stripe)
        stripe.secret_key = "sk_live_changed_since"
        with pytest.raises(Problem):
            await till.open()
    assert "sk_live" not in "".join(capsys.readouterr())


async def test_the_sdk_of_stripe_accepts_what_our_fake_signs(till: Till):
    """So that the fake is as strict as the real one."""
    body = till.stripe.event(COMPLETED, till.stripe.pay(await till.open_session()))
    header = till.stripe.sign(body).decode()
    event = sdk.Webhook.construct_event(body, header, till.stripe.webhook_secret)
    assert event.type == COMPLETED
    ours = sdk.WebhookSignature.generate_signature_header(
        body.decode(), till.stripe.webhook_secret, till.clock.us // 1_000_000
    )
    status, reply = await till.hook.handle(ours.encode(), body)
    assert (status, json.loads(reply)["outcome"]) == (200, "credited")


def hold(connection, request_id: str):
    who = principal(mode=Mode.LIVE)
    asked = OpenHold(
        request_id=request_id,
        account_id=who.account_id,
        mode=who.mode,
        amount_nano=4 * 10**9,
        least_nano=0,
        key_id=1,
        price_version=1,
        at_us=1,
    )
    return write_operations(connection, [asked])


def spend(connection, request_id: str, usd: int) -> None:
    hold(connection, request_id)
    ending = Settle(
        request_id=request_id,
        amount_nano=usd * 10**9,
        cost_pico=usd * 10**12,
        usage="{}",
        usage_source=UsageSource.REPORTED,
        at_us=1,
    )
    write_operations(connection, [ending])
