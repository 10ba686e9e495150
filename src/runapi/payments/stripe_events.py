"""Stripe's webhooks: check the signature over the raw bytes, then read what matters of the event."""

from collections.abc import Sequence

import msgspec

from runapi.core.orders import STRIPE, Notice, NoticeKind
from runapi.core.webhooks import signature_fault


class BadEvent(Exception):  # noqa: N818 - what is the case
    """A webhook that must not be believed or cannot be read; the text says why."""


class _Session(msgspec.Struct):
    id: str
    livemode: bool
    payment_status: str
    client_reference_id: str | None = None
    amount_total: int | None = None
    currency: str | None = None
    payment_intent: str | None = None


class _Charge(msgspec.Struct):
    livemode: bool
    amount_refunded: int
    currency: str
    payment_intent: str | None = None


class _Dispute(msgspec.Struct):
    id: str
    livemode: bool
    amount: int
    currency: str
    payment_intent: str | None = None


class _Data(msgspec.Struct):
    object: msgspec.Raw


class _Event(msgspec.Struct):
    id: str
    type: str
    livemode: bool
    data: _Data


_SESSION = "checkout.session."
_DISPUTES = {
    # "created" comes for inquiries as well, which take no money; these two say that it went, and that it came back.
    "charge.dispute.funds_withdrawn": NoticeKind.DISPUTED,
    "charge.dispute.funds_reinstated": NoticeKind.DISPUTE_WON,
}


def read_webhook(body: bytes, signature: str, secrets: Sequence[bytes], now_s: int) -> Notice:
    """Authenticate a webhook and say what it means to us.

    Raises:
        BadEvent: the signature is not one of ours within 300 seconds, or the body is no event.
    """
    fault = signature_fault(body, signature, secrets, now_s)
    if fault is not None:
        raise BadEvent(f"The webhook's signature is refused: {fault}.")
    try:
        event = msgspec.json.decode(body, type=_Event)
        return _notice(event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadEvent(f"The webhook's body is not an event of Stripe: {error}.") from None


def session_notice(session: bytes, event_id: str) -> Notice:
    """What the session itself says, asked of Stripe's API.

    Raises:
        BadEvent: it is no session.
    """
    try:
        return _session_notice(event_id, msgspec.json.decode(session, type=_Session))
    except msgspec.DecodeError as error:
        raise BadEvent(f"Stripe's answer is not a session: {error}.") from None


def _notice(event: _Event) -> Notice:
    thing = event.data.object
    if event.type in {f"{_SESSION}completed", f"{_SESSION}async_payment_succeeded"}:
        notice = _session_notice(event.id, msgspec.json.decode(thing, type=_Session))
    elif event.type in {f"{_SESSION}expired", f"{_SESSION}async_payment_failed"}:
        notice = _session_notice(event.id, msgspec.json.decode(thing, type=_Session), NoticeKind.CLOSED)
    elif event.type == "charge.refunded":
        charge = msgspec.json.decode(thing, type=_Charge)
        notice = Notice(
            provider=STRIPE,
            event_id=event.id,
            kind=NoticeKind.REFUNDED,
            live=charge.livemode,
            payment_ref=charge.payment_intent,
            amount_minor=charge.amount_refunded,
            currency=charge.currency,
        )
    elif event.type in _DISPUTES:
        dispute = msgspec.json.decode(thing, type=_Dispute)
        notice = Notice(
            provider=STRIPE,
            event_id=event.id,
            kind=_DISPUTES[event.type],
            live=dispute.livemode,
            payment_ref=dispute.payment_intent,
            dispute_ref=dispute.id,
            amount_minor=dispute.amount,
            currency=dispute.currency,
        )
    else:
        return Notice(provider=STRIPE, event_id=event.id, kind=NoticeKind.OTHER, live=event.livemode)
    if notice.live != event.livemode:
        raise BadEvent("The webhook contradicts itself: the event and its object are of different modes.")
    return notice


def _session_notice(event_id: str, session: _Session, kind: NoticeKind = NoticeKind.OTHER) -> Notice:
    if kind is NoticeKind.OTHER and session.payment_status == "paid":
        kind = NoticeKind.PAID  # anything else is not paid: "unpaid", or "no_payment_required"
    return Notice(
        provider=STRIPE,
        event_id=event_id,
        kind=kind,
        live=session.livemode,
        order_id=session.client_reference_id,
        session_ref=session.id,
        payment_ref=session.payment_intent,
        amount_minor=session.amount_total or 0,
        currency=session.currency or "",
    )
