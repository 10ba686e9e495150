"""Idempotency keys: who was first with one, and the answers that are kept."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, insert, select

from runapi.core.idempotency import KEPT_US, Asked, KeptAnswer, Place
from runapi.core.ledger.books import TransferKind
from runapi.store.payment_schema import idempotency_key, insert_unless_there, kept_answer
from runapi.store.schema import hold, transfer

ABANDONED_US = 3600 * 1_000_000
"""A claim of another process that is older and holds no money is not worked on any more."""

MOST_FORGOTTEN = 500  # rows a call, so that nobody waits long behind it


class Granted(msgspec.Struct, frozen=True):
    """The key is ours: serve the request."""


class Kept(msgspec.Struct, frozen=True):
    """It was answered before; here is the answer."""

    answer: KeptAnswer


class OtherBody(msgspec.Struct, frozen=True):
    """The key was used for another request."""

    request_id: str


class RunningElsewhere(msgspec.Struct, frozen=True):
    """The first request runs in another process."""

    request_id: str


class Lost(msgspec.Struct, frozen=True):
    """It was charged, and its answer is not kept."""

    request_id: str


Claimed = Granted | Kept | OtherBody | RunningElsewhere | Lost


def claim_key(connection: Connection, asked: Asked, request_id: str, node: int, now_us: int) -> Claimed:
    """Take a key for a request, or say what became of the one that had it before.

    Call it only when no request of this process runs under the key: a claim of this node that has no answer is then
    one that died.
    """
    row = connection.execute(select(idempotency_key).where(_at(asked.place)).with_for_update()).one_or_none()
    if row is not None:
        found = _judge(connection, asked, row, node, now_us)
        if found is not None:
            return found
        _drop(connection, row.request_id)
    values = {
        "account_id": asked.place.account_id,
        "mode": asked.place.mode.value,
        "key_digest": asked.place.key_digest,
        "body_digest": asked.body_digest,
        "request_id": request_id,
        "node": node,
        "at_us": now_us,
    }
    if insert_unless_there(connection, idempotency_key, values):
        return Granted()
    winner = connection.execute(select(idempotency_key.c.request_id).where(_at(asked.place))).scalar_one()
    return RunningElsewhere(winner)  # another process came in between


def insert_answers(connection: Connection, answers: Sequence[KeptAnswer]) -> None:
    """Keep answers: in the transaction that settles their requests, so that each is charged and kept, or neither."""
    if answers:
        rows = [
            {"request_id": kept.request_id, "at_us": kept.at_us, "sealed": kept.sealed} for kept in answers
        ]
        connection.execute(insert(kept_answer).values(rows))


def release_key(connection: Connection, place: Place, request_id: str) -> None:
    """Give a key back after a request that was neither answered nor charged; otherwise leave it as it is."""
    if not _is_kept(connection, request_id) and not _is_charged(connection, request_id):
        mine = and_(_at(place), idempotency_key.c.request_id == request_id)
        connection.execute(delete(idempotency_key).where(mine))


def forget_keys(connection: Connection, now_us: int) -> int:
    """Delete some of what is older than 24 hours; give how many keys. Call it again while it is MOST_FORGOTTEN."""
    old = select(idempotency_key).where(idempotency_key.c.at_us <= now_us - KEPT_US).limit(MOST_FORGOTTEN)
    requests = [row.request_id for row in connection.execute(old)]
    connection.execute(delete(idempotency_key).where(idempotency_key.c.request_id.in_(requests)))
    connection.execute(delete(kept_answer).where(kept_answer.c.request_id.in_(requests)))
    return len(requests)


def _judge(connection: Connection, asked: Asked, row: Row[Any], node: int, now_us: int) -> Claimed | None:
    """Say what became of the request that has the key; None when the key is free again."""
    if row.at_us <= now_us - KEPT_US:
        return None
    # In this order: under PostgreSQL another process may settle in between, and what was read first must not have
    # missed what the others then show.
    is_held = _is_held(connection, row.request_id)
    is_charged = _is_charged(connection, row.request_id)
    answer = connection.execute(select(kept_answer).where(kept_answer.c.request_id == row.request_id)).first()
    if answer is None and not is_charged:
        is_dead = row.node == node or row.at_us <= now_us - ABANDONED_US
        return None if is_dead and not is_held else RunningElsewhere(row.request_id)
    if row.body_digest != asked.body_digest:
        return OtherBody(row.request_id)
    if answer is None:
        return Lost(row.request_id)
    return Kept(KeptAnswer(answer.request_id, answer.at_us, answer.sealed))


def _drop(connection: Connection, request_id: str) -> None:
    connection.execute(delete(idempotency_key).where(idempotency_key.c.request_id == request_id))
    connection.execute(delete(kept_answer).where(kept_answer.c.request_id == request_id))


def _at(place: Place) -> ColumnElement[bool]:
    return and_(
        idempotency_key.c.account_id == place.account_id,
        idempotency_key.c.mode == place.mode.value,
        idempotency_key.c.key_digest == place.key_digest,
    )


def _is_kept(connection: Connection, request_id: str) -> bool:
    return bool(connection.execute(select(exists().where(kept_answer.c.request_id == request_id))).scalar())


def _is_charged(connection: Connection, request_id: str) -> bool:
    charged = and_(
        transfer.c.request_id == request_id,
        transfer.c.kind == TransferKind.SETTLE.value,
        transfer.c.amount > 0,
    )
    return bool(connection.execute(select(exists().where(charged))).scalar())


def _is_held(connection: Connection, request_id: str) -> bool:
    return bool(connection.execute(select(exists().where(hold.c.request_id == request_id))).scalar())
