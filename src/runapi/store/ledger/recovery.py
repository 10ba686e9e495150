"""What a start does before it serves: check the end of the books, take the node's next epoch, end what a dead process left."""

import os
import time
from pathlib import Path

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from runapi.core.ledger.books import FIRST_HASH
from runapi.core.ledger.chain import row_hash
from runapi.core.ledger.operations import Released, Settled
from runapi.core.ledger.recover import OrphanHold, end_orphan
from runapi.store.database import Database
from runapi.store.faults import HomeUnusable, LedgerDamaged
from runapi.store.home import NODE_NAME, make_private
from runapi.store.ledger.batch import COMMANDS, write_operations
from runapi.store.ledger.customers import TEST_BALANCE_NANO, credit_missing_play_money
from runapi.store.ledger.writer import Seat
from runapi.store.schema import hold, ledger_account, ledger_tail, node, transfer

FORGOTTEN_AFTER_US = 24 * 3600 * 1_000_000
"""When a node that shares the database has written nothing for so long, its holds are ended by another."""

_ROWS_CHECKED = 1_000
_HOLDS_IN_BATCH = 4_000
_HOLDS_BESIDE_REQUESTS = 1_000
PATIENCE_S = 1.5  # of a start, for holds of dead processes; it has to be ready within 3 s


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """What a start found and did."""

    seat: Seat
    settled: int  # holds of dead processes, charged at their last checkpoint
    voided: int  # ... and not charged
    charged_nano: int
    left: int  # holds of dead processes that are still to be ended, by `recover_rest`
    took_s: float


def recover(
    database: Database,
    now_us: int,
    *,
    test_balance_nano: int = TEST_BALANCE_NANO,
    patience_s: float = PATIENCE_S,
) -> Recovery:
    """Make the ledger ready for this process. Blocks; a second call, or one after a kill in the middle, does no harm.

    Holds of dead processes are ended for as long as `patience_s`. Those that are `left` then stay held, and nothing can
    happen to them, until `recover_rest` ends them beside the requests.

    Raises:
        LedgerDamaged: the end of the books contradicts itself. Nothing was changed.
        StoreFailed: the database could not be read or written.
    """
    began = time.monotonic()
    database.run_now(check_tail)
    seat = database.run_now(take_seat, _find_node(database, now_us), now_us)
    ended: list[int | None] = []
    while time.monotonic() - began < patience_s:
        some = database.run_now(end_orphans, seat, now_us)
        ended += some
        if not some:
            break
    left = database.run_now(count_orphans, seat, now_us)
    database.run_now(credit_missing_play_money, now_us, test_balance_nano)
    database.run_now(check_sums)
    charges = [charge for charge in ended if charge is not None]
    return Recovery(
        seat=seat,
        settled=len(charges),
        voided=len(ended) - len(charges),
        charged_nano=sum(charges),
        left=left,
        took_s=time.monotonic() - began,
    )


async def recover_rest(database: Database, seat: Seat, now_us: int) -> int:
    """End the holds that `recover` left, in steps between which requests are served; give their number."""
    count = 0
    while some := await database.run(end_orphans, seat, now_us, most=_HOLDS_BESIDE_REQUESTS):
        count += len(some)
    return count


def check_tail(connection: Connection) -> None:
    """Make sure that the last rows are chained to each other and to the tail.

    Raises:
        LedgerDamaged: they are not.
    """
    # Locked: under PostgreSQL another process may write between this statement and the next.
    tail = connection.execute(select(ledger_tail).with_for_update()).one_or_none()
    newest = select(transfer).order_by(transfer.c.seq.desc()).limit(_ROWS_CHECKED + 1)
    rows = [tuple(row) for row in connection.execute(newest)][::-1]
    before = (0, FIRST_HASH) if len(rows) <= _ROWS_CHECKED else (rows[0][0], bytes(rows[0][-1]))
    for row in rows if len(rows) <= _ROWS_CHECKED else rows[1:]:
        seq, sealed = row[0], bytes(row[-1])
        if seq != before[0] + 1 or row_hash(before[1], row) != sealed:
            raise _damaged(f"row {seq} does not follow from the row before it")
        before = seq, sealed
    if tail is None or (tail.seq, bytes(tail.hash)) != before:
        raise _damaged(f"the last row is {before[0]}, which is not what the tail says")


def check_sums(connection: Connection) -> None:
    """Make sure that nothing was made from nothing, and that what is held is what is open.

    Raises:
        LedgerDamaged: it is not so.
    """
    per_mode = select(ledger_account.c.mode, func.sum(ledger_account.c.posted)).group_by(
        ledger_account.c.mode
    )
    for mode, total in connection.execute(per_mode):
        if int(total) != 0:
            raise _damaged(f"the {mode} balances sum to {total} instead of 0")
    opened = (
        select(hold.c.ledger_account, func.sum(hold.c.amount).label("amount"))
        .group_by(hold.c.ledger_account)
        .subquery()
    )
    differing = (
        select(ledger_account.c.id, ledger_account.c.held, func.coalesce(opened.c.amount, 0))
        .outerjoin(opened, opened.c.ledger_account == ledger_account.c.id)
        .where(ledger_account.c.held != func.coalesce(opened.c.amount, 0))
        .limit(1)
    )
    for number, held, amount in connection.execute(differing):
        raise _damaged(f"account {number} has {held} held, and its open holds sum to {amount}")


def take_seat(connection: Connection, number: int, now_us: int) -> Seat:
    """Begin the node's next epoch: what an older process of this node still writes is refused from here on."""
    _lock_tail(connection)
    row = update(node).where(node.c.id == number).values(epoch=node.c.epoch + 1, seen_us=now_us)
    if connection.execute(row).rowcount == 0:
        connection.execute(insert(node).values(id=number, epoch=1, seen_us=now_us))
    epoch = connection.execute(select(node.c.epoch).where(node.c.id == number)).scalar_one()
    return Seat(number, epoch)


def end_orphans(
    connection: Connection, seat: Seat, now_us: int, *, most: int = _HOLDS_IN_BATCH
) -> list[int | None]:
    """End some of the holds that no living process looks after; give what each was charged, None for nothing.

    Those are the holds of this node's older epochs, and under PostgreSQL those of nodes that went silent a day ago.
    """
    columns = (
        *(hold.c.request_id, hold.c.ledger_account, hold.c.account_id, hold.c.key_id, hold.c.amount),
        *(hold.c.progress_pico, hold.c.usage, hold.c.at_us, hold.c.endpoint, hold.c.model, hold.c.stream),
    )
    _lock_tail(connection)  # another node may be ending the same holds
    rows = connection.execute(select(*columns).where(_is_orphan(seat, now_us)).limit(most)).all()
    operations = [end_orphan(OrphanHold(*row), now_us) for row in rows]
    outcomes = write_operations(connection, operations, node=seat.node, epoch=seat.epoch)
    for operation, outcome in zip(operations, outcomes, strict=True):
        if not isinstance(outcome, Settled | Released):  # it would be tried for ever
            raise _damaged(f"the hold of {operation.request_id} cannot be ended: {outcome}")
    return [outcome.charged_nano if isinstance(outcome, Settled) else None for outcome in outcomes]


def count_orphans(connection: Connection, seat: Seat, now_us: int) -> int:
    """How many holds `end_orphans` would end."""
    query = select(func.count()).select_from(hold).where(_is_orphan(seat, now_us))
    return int(connection.execute(query).scalar_one())


def _is_orphan(seat: Seat, now_us: int) -> ColumnElement[bool]:
    silent = select(node.c.id).where(node.c.id != COMMANDS, node.c.seen_us < now_us - FORGOTTEN_AFTER_US)
    is_ours = and_(hold.c.node == seat.node, hold.c.epoch < seat.epoch)
    return or_(is_ours, and_(hold.c.node != seat.node, hold.c.node.in_(silent)))


def _find_node(database: Database, now_us: int) -> int:
    """This data folder's node number. A database that is not shared has one node; else the folder remembers its own."""
    if not database.is_shared:
        return 1
    path = database.home / NODE_NAME
    try:
        return int(path.read_text("ascii"))
    except FileNotFoundError:
        number = database.run_now(_add_node, now_us)
        _remember(path, number)
        return number
    except (OSError, ValueError) as fault:
        raise HomeUnusable(f"{path} cannot be read: {fault}. Delete it to become a new node.") from fault


def _add_node(connection: Connection, now_us: int) -> int:
    _lock_tail(connection)
    number = int(connection.execute(select(func.max(node.c.id))).scalar_one()) + 1
    connection.execute(insert(node).values(id=number, epoch=0, seen_us=now_us))
    return number


def _remember(path: Path, number: int) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    make_private(unfinished)
    with unfinished.open("w", encoding="ascii") as file:
        file.write(f"{number}\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _lock_tail(connection: Connection) -> None:
    connection.execute(select(ledger_tail.c.seq).with_for_update())


def _damaged(what: str) -> LedgerDamaged:
    return LedgerDamaged(
        f"The ledger is damaged: {what}. Nothing was changed. Run `runapi ledger verify` and restore a backup."
    )
