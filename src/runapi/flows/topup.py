"""Top up an account: open an order, send the customer to pay, and believe only what the provider says of it.

Webhook, polling and the operator's look all come here, so that no payment can be credited by two ways.
"""

import msgspec
import structlog
from sqlalchemy import Connection

from runapi.core.keys import Mode
from runapi.core.ledger.books import TransferKind
from runapi.core.ledger.operations import Duplicate, Post, Posted, make_tid
from runapi.core.orders import (
    LEAST_ORDER_NANO,
    MOST_ORDER_NANO,
    STRIPE,
    USD,
    Judgement,
    Notice,
    NoticeKind,
    NoticeOutcome,
    Order,
    OrderState,
    judge_closing,
    judge_payment,
    judge_return,
    nano_from_usd,
)
from runapi.core.payment_problems import bad_amount, payment_unavailable
from runapi.flows.office import Office
from runapi.payments.stripe_checkout import PaymentFailed, StripeCheckout
from runapi.payments.stripe_events import session_notice
from runapi.store import orders
from runapi.store.database import Database
from runapi.store.faults import LedgerDamaged, NotFound
from runapi.store.ledger.batch import write_operations

ORDER_ID_BYTES = 16
_RETURNS = frozenset({NoticeKind.REFUNDED, NoticeKind.DISPUTED, NoticeKind.DISPUTE_WON})
_log = structlog.get_logger("runapi.topup")


class TopUp(msgspec.Struct, frozen=True):
    """An order that waits to be paid at `url`."""

    order_id: str
    url: str


class TopUps:
    """The way of a customer's money into the books."""

    def __init__(self, database: Database, office: Office, checkout: StripeCheckout) -> None:
        """Join the parts; nothing is sent yet."""
        self._database = database
        self._office = office
        self._checkout = checkout

    @property
    def mode(self) -> Mode:
        """Which balance a payment fills."""
        return self._checkout.mode

    async def open(self, account_id: int, amount_usd: str, *, success_url: str, cancel_url: str) -> TopUp:
        """Write an order and make the page on which it is paid.

        Raises:
            Problem: 400 for the amount, 503 where the provider makes no page.
        """
        try:
            amount_nano = nano_from_usd(
                amount_usd, least_nano=LEAST_ORDER_NANO, most_nano=MOST_ORDER_NANO, places=2
            )
        except ValueError as fault:
            raise bad_amount(str(fault)) from None
        order = Order(
            id=f"top_{self._office.random_bytes(ORDER_ID_BYTES).hex()}",
            account_id=account_id,
            provider=STRIPE,
            mode=self._checkout.mode,
            currency=USD,
            amount_nano=amount_nano,
            state=OrderState.PENDING,
            created_us=self._office.now_us(),
        )
        await self._database.run(orders.insert_order, order)  # first: no page without an order
        try:
            page = await self._checkout.open_page(order, success_url=success_url, cancel_url=cancel_url)
        except PaymentFailed as fault:
            _log.error("no payment page", order=order.id, reason=str(fault))
            raise payment_unavailable() from None
        await self._database.run(orders.note_session, order.id, page.session_ref, self._office.now_us())
        return TopUp(order.id, page.url)

    async def check(self, order_id: str) -> NoticeOutcome:
        """Ask the provider how an order stands, and act on it as on a webhook.

        Raises:
            NotFound: there is no such order with a page.
            PaymentFailed: the provider did not say.
        """
        order = await self._database.run(orders.find_order, order_id)
        if order is None or order.session_ref is None:
            raise NotFound(f"There is no order {order_id} with a payment page.")
        session = await self._checkout.read_session(order.session_ref)
        at_us = self._office.now_us()
        return await self.take_notice(session_notice(session, f"check-{order_id}-{at_us}"))

    async def take_notice(self, notice: Notice) -> NoticeOutcome:
        """Act on an authenticated notice, in one transaction; a second time it changes nothing."""
        outcome, reason = await self._database.run(take_notice, notice, self._office.now_us())
        known = {"notice": notice.event_id, "order": notice.order_id, "payment": notice.payment_ref}
        if outcome is NoticeOutcome.REFUSED:
            _log.error("payment notice refused", reason=reason, **known)
        elif outcome not in {NoticeOutcome.NOTHING, NoticeOutcome.NOT_OURS}:
            _log.info("payment notice", outcome=outcome, **known)
        return outcome


def take_notice(connection: Connection, notice: Notice, now_us: int) -> tuple[NoticeOutcome, str]:
    """Note the event, change its order and move the money: all of it in the caller's transaction, or nothing."""
    if notice.kind is NoticeKind.OTHER:
        return NoticeOutcome.NOTHING, ""
    if not orders.insert_event(connection, notice, now_us):
        return NoticeOutcome.NOTHING, "told before"
    outcome, reason = _act(connection, notice, now_us)
    orders.note_outcome(connection, notice, outcome, reason)
    if outcome is NoticeOutcome.CREDITED and notice.payment_ref is not None:
        for parked in orders.list_parked(connection, notice.provider, notice.payment_ref):
            late, why = _act(connection, parked, now_us)
            orders.note_outcome(connection, parked, late, why)
    return outcome, reason


def _act(connection: Connection, notice: Notice, now_us: int) -> tuple[NoticeOutcome, str]:
    if notice.kind in _RETURNS:
        return _act_on_return(connection, notice, now_us)
    order = None if notice.order_id is None else orders.find_order(connection, notice.order_id)
    if order is None:  # another product may share the provider's account
        return NoticeOutcome.NOT_OURS, "there is no such order"
    if notice.kind is not NoticeKind.PAID:
        return _carry_out(connection, order, judge_closing(order, notice), notice, now_us)
    if notice.payment_ref is not None:
        paid = orders.find_order_of_payment(connection, notice.provider, notice.payment_ref)
        if paid is not None and paid.id != order.id:
            return NoticeOutcome.REFUSED, f"its payment has paid the order {paid.id}"
    return _carry_out(connection, order, judge_payment(order, notice), notice, now_us)


def _act_on_return(connection: Connection, notice: Notice, now_us: int) -> tuple[NoticeOutcome, str]:
    if notice.payment_ref is None:
        return NoticeOutcome.NOT_OURS, "it names no payment"
    if notice.dispute_ref is not None and orders.was_said(connection, notice):
        return NoticeOutcome.NOTHING, "another event said the same"
    order = orders.find_order_of_payment(connection, notice.provider, notice.payment_ref)
    if order is None:  # not ours, or the payment's own notice is still on its way
        return NoticeOutcome.PARKED, ""
    return _carry_out(connection, order, judge_return(order, notice), notice, now_us)


def _carry_out(
    connection: Connection, order: Order, judgement: Judgement, notice: Notice, now_us: int
) -> tuple[NoticeOutcome, str]:
    if judgement.order != order:
        orders.update_order(connection, order, judgement.order, now_us)
    if judgement.amount_nano:
        _post(connection, judgement, notice, now_us)
    return judgement.outcome, judgement.reason


def _post(connection: Connection, judgement: Judgement, notice: Notice, now_us: int) -> None:
    """Move the money of a judgement. A refund may leave the account below zero, which freezes it."""
    order = judgement.order
    if judgement.outcome is NoticeOutcome.CREDITED:
        tid = make_tid("topup", order.provider, order.payment_ref or "")
    else:
        tid = make_tid("payment event", notice.provider, notice.event_id)
    kind = TransferKind.REFUND if judgement.outcome is NoticeOutcome.TAKEN_BACK else TransferKind.TOPUP
    post = Post(
        kind=kind,
        mode=order.mode,
        account_id=order.account_id,
        amount_nano=judgement.amount_nano,
        tid=tid,
        at_us=now_us,
        reason=notice.kind.value,
        reference=f"{order.provider}:{order.payment_ref}",
    )
    (outcome,) = write_operations(connection, [post])
    match outcome:
        case Posted():
            return
        case Duplicate(_, amount_nano) if amount_nano == judgement.amount_nano:
            return  # the books have it already
        case _:
            raise LedgerDamaged(f"Order {order.id} could not be posted: {outcome}.")
