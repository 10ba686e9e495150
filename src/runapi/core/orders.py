"""Top-up orders: which word of a payment provider credits an account, and which does not. No I/O.

An order is written before the customer is sent to pay. A provider's notice moves money only where it fits that order in
everything: provider, session, amount, currency and mode (CVE-2026-41432 is what happens otherwise).
"""

import re
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from runapi.core.keys import Mode
from runapi.core.money import NANO_PER_USD, usd

STRIPE = "stripe"
USD = "usd"
NANO_PER_CENT = NANO_PER_USD // 100
LEAST_ORDER_NANO = 1 * NANO_PER_USD
MOST_ORDER_NANO = 10_000 * NANO_PER_USD
MOST_CREDIT_NANO = 1_000_000 * NANO_PER_USD
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,6})(?:\.([0-9]{1,9}))?")


class OrderState(StrEnum):
    """Where an order stands. Money that came is credited, whatever was thought before."""

    PENDING = "pending"
    PAID = "paid"
    CLOSED = "closed"  # the provider says that it will not be paid: run out, or failed


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One intended payment. `mode` says which balance it fills: test money where the provider is in its own test mode."""

    id: str
    account_id: int
    provider: str
    mode: Mode
    currency: str
    amount_nano: int
    state: OrderState
    session_ref: str | None = None  # the provider's id of the page on which it is paid
    payment_ref: str | None = None  # the provider's id of the payment
    refunded_nano: int = 0
    disputed_nano: int = 0  # in disputes that are open or lost
    created_us: int = 0

    @property
    def taken_back_nano(self) -> int:
        """How much of the payment is to be off the account's balance: never more than was paid."""
        return min(self.amount_nano, self.refunded_nano + self.disputed_nano)


class NoticeKind(StrEnum):
    """What a provider can tell us that matters."""

    PAID = "paid"
    CLOSED = "closed"
    REFUNDED = "refunded"  # the amount is the sum of all refunds of the payment
    DISPUTED = "disputed"
    DISPUTE_WON = "dispute_won"
    OTHER = "other"  # nothing to do


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One authenticated word of a provider, in our terms."""

    provider: str
    event_id: str
    kind: NoticeKind
    live: bool
    order_id: str | None = None
    session_ref: str | None = None
    payment_ref: str | None = None
    dispute_ref: str | None = None
    amount_minor: int = 0  # cents
    currency: str = ""


class NoticeOutcome(StrEnum):
    """What became of a notice; kept beside it."""

    CREDITED = "credited"
    TAKEN_BACK = "taken_back"
    GIVEN_BACK = "given_back"
    CLOSED = "closed"
    PARKED = "parked"  # a refund or dispute of a payment that we have not heard of yet
    NOTHING = "nothing"  # there was nothing to do, or it was done already
    NOT_OURS = "not_ours"
    REFUSED = "refused"  # it claims to be ours, and does not fit


class Judgement(msgspec.Struct, frozen=True):
    """What a notice does: an outcome, the order as it stands afterwards, and what moves from or to its account."""

    outcome: NoticeOutcome
    order: Order
    amount_nano: int = 0
    reason: str = ""


def judge_payment(order: Order, notice: Notice) -> Judgement:
    """Decide whether a notice that says "paid" credits this order."""
    reason = mismatch(order, notice)
    if reason is None and notice.payment_ref is None:
        reason = "it names no payment"
    if reason is None and notice.amount_minor * NANO_PER_CENT != order.amount_nano:
        reason = f"{notice.amount_minor} cents were paid, and {order.amount_nano} nano-dollars ordered"
    if reason is None and order.state is OrderState.PAID and notice.payment_ref != order.payment_ref:
        reason = "the order was paid by another payment"
    if reason is not None:
        return Judgement(NoticeOutcome.REFUSED, order, reason=reason)
    if order.state is OrderState.PAID:
        return Judgement(NoticeOutcome.NOTHING, order)
    paid = replace(
        order,
        state=OrderState.PAID,
        payment_ref=notice.payment_ref,
        session_ref=order.session_ref or notice.session_ref,
    )
    return Judgement(NoticeOutcome.CREDITED, paid, order.amount_nano)


def judge_closing(order: Order, notice: Notice) -> Judgement:
    """Note that an order will not be paid; one that was paid stays so."""
    reason = mismatch(order, notice)
    if reason is not None:
        return Judgement(NoticeOutcome.REFUSED, order, reason=reason)
    if order.state is not OrderState.PENDING:
        return Judgement(NoticeOutcome.NOTHING, order)
    return Judgement(NoticeOutcome.CLOSED, replace(order, state=OrderState.CLOSED))


def judge_return(order: Order, notice: Notice) -> Judgement:
    """Decide what a refund, a dispute or its good end takes from a paid order's account, or gives back to it.

    The order notes what the provider has; the account follows, by the difference. So notices may come in any order,
    and never more is taken than was paid, nor given back than was taken.
    """
    reason = mismatch(order, notice)
    if reason is None and notice.amount_minor < 0:
        reason = "its amount is negative"
    if reason is not None:
        return Judgement(NoticeOutcome.REFUSED, order, reason=reason)
    amount_nano = notice.amount_minor * NANO_PER_CENT
    match notice.kind:
        case NoticeKind.REFUNDED:
            after = replace(order, refunded_nano=max(order.refunded_nano, amount_nano))
        case NoticeKind.DISPUTED:
            after = replace(order, disputed_nano=order.disputed_nano + amount_nano)
        case _:
            after = replace(order, disputed_nano=max(0, order.disputed_nano - amount_nano))
    taken_nano = after.taken_back_nano - order.taken_back_nano
    if taken_nano == 0:
        return Judgement(NoticeOutcome.NOTHING, after)
    outcome = NoticeOutcome.TAKEN_BACK if taken_nano > 0 else NoticeOutcome.GIVEN_BACK
    return Judgement(outcome, after, abs(taken_nano))


def mismatch(order: Order, notice: Notice) -> str | None:
    """Say in what a notice does not fit the order that it names, or None."""
    if notice.provider != order.provider:
        return f"it comes from {notice.provider}, and the order is one of {order.provider}"
    if notice.live != (order.mode is Mode.LIVE):
        return f"it is {'live' if notice.live else 'a test'}, and the order is in mode {order.mode}"
    if notice.currency.lower() != order.currency:
        return f"its currency is {notice.currency!r}, and the order's {order.currency!r}"
    if notice.order_id not in (None, order.id):
        return "it is about another order"
    if notice.session_ref is not None and order.session_ref not in (None, notice.session_ref):
        return "it is about another session"
    return None


def nano_from_usd(
    text: str, *, least_nano: int = 1, most_nano: int = MOST_CREDIT_NANO, places: int = 9
) -> int:
    """Read a plain decimal such as "5" or "0.25" as nano-dollars, exactly.

    Raises:
        ValueError: another form, too many places, or out of bounds; the text says what is accepted.
    """
    parts = _DECIMAL.fullmatch(text)
    decimals = (parts[2] or "").rstrip("0") if parts else ""
    nano = int(parts[1]) * NANO_PER_USD + int(decimals.ljust(9, "0")) if parts else 0
    if parts is None or len(decimals) > places or not least_nano <= nano <= most_nano:
        raise ValueError(
            f"the amount must be a plain decimal of USD from {usd(least_nano)} to {usd(most_nano)} with at most "
            f"{places} places, such as 5 or 0.25"
        )
    return nano
