"""Top-up orders, and every word of the payment providers."""

from typing import Any

from sqlalchemy import Connection, Row, Select, and_, exists, insert, select, update

from runapi.core.keys import Mode
from runapi.core.orders import Notice, NoticeKind, NoticeOutcome, Order, OrderState
from runapi.store.faults import NotFound
from runapi.store.payment_schema import insert_unless_there, payment_event, top_up


def insert_order(connection: Connection, order: Order) -> None:
    """Write a new order, before anybody is sent to pay it."""
    row = {name: getattr(order, name) for name in order.__struct_fields__}
    row |= {"mode": order.mode.value, "state": order.state.value, "changed_us": order.created_us}
    connection.execute(insert(top_up).values(row))


def find_order(connection: Connection, order_id: str) -> Order | None:
    """Give an order and lock it until the transaction ends, or None."""
    return _one(connection, select(top_up).where(top_up.c.id == order_id))


def find_order_of_payment(connection: Connection, provider: str, payment_ref: str) -> Order | None:
    """Give the order that this payment paid and lock it until the transaction ends, or None."""
    query = select(top_up).where(top_up.c.provider == provider, top_up.c.payment_ref == payment_ref)
    return _one(connection, query)


def list_orders(connection: Connection, account_id: int, *, limit: int) -> list[Order]:
    """Give an account's newest orders, newest first."""
    query = select(top_up).where(top_up.c.account_id == account_id)
    newest = query.order_by(top_up.c.created_us.desc(), top_up.c.id.desc()).limit(limit)
    return [_order(row) for row in connection.execute(newest)]


def note_session(connection: Connection, order_id: str, session_ref: str, now_us: int) -> None:
    """Tie an order to the page on which it is paid; once.

    Raises:
        NotFound: there is no such order, or it has another page.
    """
    change = update(top_up).where(top_up.c.id == order_id, top_up.c.session_ref.is_(None))
    if connection.execute(change.values(session_ref=session_ref, changed_us=now_us)).rowcount:
        return
    known = connection.execute(select(top_up.c.session_ref).where(top_up.c.id == order_id)).scalar()
    if known != session_ref:  # a webhook that was faster has written the same
        raise NotFound(f"There is no order {order_id} that waits for a payment page.")


def update_order(connection: Connection, before: Order, after: Order, now_us: int) -> None:
    """Write what became of an order, if it still stands as it was read.

    Raises:
        NotFound: it does not, and nothing was written.
    """
    unchanged = and_(
        top_up.c.id == before.id,
        top_up.c.state == before.state.value,
        top_up.c.refunded_nano == before.refunded_nano,
        top_up.c.disputed_nano == before.disputed_nano,
    )
    values = {
        "state": after.state.value,
        "session_ref": after.session_ref,
        "payment_ref": after.payment_ref,
        "refunded_nano": after.refunded_nano,
        "disputed_nano": after.disputed_nano,
        "changed_us": now_us,
    }
    if connection.execute(update(top_up).where(unchanged).values(values)).rowcount != 1:
        raise NotFound(f"Order {before.id} was changed meanwhile.")


def insert_event(connection: Connection, notice: Notice, now_us: int) -> bool:
    """Note a provider's word, with the outcome "nothing" for now; False where it was noted before."""
    row = {name: getattr(notice, name) for name in notice.__struct_fields__}
    row |= {
        "kind": notice.kind.value,
        "outcome": NoticeOutcome.NOTHING.value,
        "reason": "",
        "at_us": now_us,
    }
    return insert_unless_there(connection, payment_event, row)


def note_outcome(connection: Connection, notice: Notice, outcome: NoticeOutcome, reason: str = "") -> None:
    """Write down what became of a provider's word."""
    event = and_(payment_event.c.provider == notice.provider, payment_event.c.event_id == notice.event_id)
    change = update(payment_event).where(event)
    connection.execute(change.values(outcome=outcome.value, reason=reason))


def list_parked(connection: Connection, provider: str, payment_ref: str) -> list[Notice]:
    """Give what was said of a payment before we knew whose it is, oldest first."""
    query = select(payment_event).where(
        payment_event.c.provider == provider,
        payment_event.c.payment_ref == payment_ref,
        payment_event.c.outcome == NoticeOutcome.PARKED.value,
    )
    return [_notice(row) for row in connection.execute(query.order_by(payment_event.c.at_us))]


def was_said(connection: Connection, notice: Notice) -> bool:
    """Whether another event said the same of the same dispute: Stripe may make two of one."""
    same = and_(
        payment_event.c.provider == notice.provider,
        payment_event.c.payment_ref == notice.payment_ref,
        payment_event.c.kind == notice.kind.value,
        payment_event.c.dispute_ref == notice.dispute_ref,
        payment_event.c.event_id != notice.event_id,
        payment_event.c.outcome.not_in((NoticeOutcome.REFUSED.value, NoticeOutcome.PARKED.value)),
    )
    return bool(connection.execute(select(exists().where(same))).scalar())


def outcome_of(connection: Connection, provider: str, event_id: str) -> tuple[NoticeOutcome, str] | None:
    """Give what became of an event, and why; None where it never came."""
    query = select(payment_event.c.outcome, payment_event.c.reason).where(
        payment_event.c.provider == provider, payment_event.c.event_id == event_id
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (NoticeOutcome(row.outcome), row.reason)


def _one(connection: Connection, query: Select[Any]) -> Order | None:
    row = connection.execute(query.with_for_update()).one_or_none()
    return None if row is None else _order(row)


def _order(row: Row[Any]) -> Order:
    return Order(
        id=row.id,
        account_id=row.account_id,
        provider=row.provider,
        mode=Mode(row.mode),
        currency=row.currency,
        amount_nano=row.amount_nano,
        state=OrderState(row.state),
        session_ref=row.session_ref,
        payment_ref=row.payment_ref,
        refunded_nano=row.refunded_nano,
        disputed_nano=row.disputed_nano,
        created_us=row.created_us,
    )


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        provider=row.provider,
        event_id=row.event_id,
        kind=NoticeKind(row.kind),
        live=row.live,
        order_id=row.order_id,
        session_ref=row.session_ref,
        payment_ref=row.payment_ref,
        dispute_ref=row.dispute_ref,
        amount_minor=row.amount_minor,
        currency=row.currency,
    )
