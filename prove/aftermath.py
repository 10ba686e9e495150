"""What an installation has in its books once it is idle or dead, and whether that is what its customers were told."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec
from sqlalchemy import Connection, select

from prove.traffic import Told
from prove.work import open_ledger
from runapi.core.keys import Mode
from runapi.core.ledger.books import OVER_HOLD, TransferKind, mode_of
from runapi.core.usage import UsageSource
from runapi.store.ledger.verify import verify
from runapi.store.schema import hold, ledger_account, request, transfer

_MOST_NAMED = 3


class Settle(msgspec.Struct, frozen=True):
    """A charge."""

    request_id: str
    amount_nano: int
    cost_pico: int
    mode: Mode
    usage_source: UsageSource


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A request's own row; `answered` is the name that the upstream gave its answer."""

    id: str
    key_id: int
    mode: Mode
    status: int
    outcome: str
    error_code: str | None
    client_left: bool
    answered: str | None
    usage_source: UsageSource
    service_tier: str | None
    cost_pico: int
    cost_nano: int

    @property
    def tag(self) -> str | None:
        """The tag of the plan that was answered; None where none was, as in the sandbox."""
        is_ours = self.mode is Mode.LIVE and self.answered is not None
        return self.answered.partition("/")[0] if is_ours and self.answered else None


class Books(msgspec.Struct, kw_only=True):
    """All of it."""

    faults: list[str]  # of `ledger verify`
    transfers: int
    settles: dict[str, Settle] = {}
    written_off: dict[str, int] = {}  # by request: what it cost above its hold
    holds: dict[str, int] = {}  # by request: what was set aside for it
    voids: set[str] = set()
    rows: dict[str, Row] = {}
    open_holds: dict[str, int] = {}
    held_nano: int = 0
    posted_nano: dict[int, int] = {}  # by account: its live balance


def read_books(home: Path, url: str | None = None) -> Books:
    """Read a stopped installation."""
    with open_ledger(home, url) as database:
        return database.run_now(_read)


def _read(connection: Connection) -> Books:
    found = verify(connection)
    books = Books(faults=[fault.text for fault in found.faults], transfers=found.transfers)
    _read_transfers(connection, books)
    for row in connection.execute(select(request)):
        books.rows[row.id] = Row(
            id=row.id,
            key_id=row.key_id,
            mode=Mode(row.mode),
            status=row.status,
            outcome=row.outcome,
            error_code=row.error_code,
            client_left=row.client_left,
            answered=row.upstream_request_id,
            usage_source=UsageSource(row.usage_source),
            service_tier=row.service_tier,
            cost_pico=row.cost_pico,
            cost_nano=row.cost_nano,
        )
    for request_id, amount in connection.execute(select(hold.c.request_id, hold.c.amount)):
        books.open_holds[request_id] = amount
    columns = ledger_account.c
    for row in connection.execute(select(columns.id, columns.account_id, columns.posted, columns.held)):
        books.held_nano += row.held
        if row.account_id is not None and mode_of(row.id) is Mode.LIVE:
            books.posted_nano[row.account_id] = row.posted
    return books


def _read_transfers(connection: Connection, books: Books) -> None:
    for row in connection.execute(select(transfer)):
        match row.kind:
            case TransferKind.SETTLE:
                source = UsageSource(row.usage_source)
                books.settles[row.request_id] = Settle(
                    row.request_id, row.amount, row.cost_pico, Mode(row.mode), source
                )
            case TransferKind.HOLD | TransferKind.EXTEND:
                books.holds[row.request_id] = books.holds.get(row.request_id, 0) + row.amount
            case TransferKind.VOID | TransferKind.EXPIRE:
                books.voids.add(row.request_id)
            case TransferKind.WRITE_OFF if row.reason == OVER_HOLD:
                books.written_off[row.request_id] = row.amount


def check_books(books: Books) -> list[str]:
    """Say what is wrong with the books by themselves: each charge has its row and the other way round."""
    found = [f"ledger verify: {fault}" for fault in books.faults]
    found += _name(
        "the row of {} does not say what it was charged",
        (
            settle.request_id
            for settle in books.settles.values()
            if (row := books.rows.get(settle.request_id)) is None
            or (row.cost_nano, row.cost_pico) != (settle.amount_nano, settle.cost_pico)
        ),
    )
    found += _name(
        "the row of {} says that it cost something, and it was not charged",
        (row.id for row in books.rows.values() if row.cost_nano and row.id not in books.settles),
    )
    found += _name("{} was charged and voided", books.settles.keys() & books.voids)
    ended = books.settles.keys() | books.voids
    found += _name(
        "the hold of {} is gone, and nothing ended it", books.holds.keys() - ended - books.open_holds.keys()
    )
    if sum(books.open_holds.values()) != books.held_nano:
        found.append(f"{books.held_nano} is held, and the open holds are {books.open_holds}")
    return found


def check_told(books: Books, told: Iterable[Told]) -> list[str]:
    """Compare what customers were told with what they were charged."""
    found = []
    for one in told:
        fault = _judge(books, one)
        if fault is not None:
            found.append(f"{one.request_id} ({one.plan.tag}, {one.plan.conduct}): {fault}")
    return found


def _judge(books: Books, told: Told) -> str | None:
    """What is wrong between a client's last word and the books."""
    settle = books.settles.get(told.request_id or "")
    if told.is_lost:
        return "no end ever came"
    if told.is_answer:
        if told.cost is None:
            return "the answer does not say what it cost"
        if settle is None:
            return (
                None
                if told.cost == 0
                else f"the client was told that it costs {told.cost}, and was not charged"
            )
        if settle.amount_nano != told.cost:
            return f"the client was told that it costs {told.cost}, and was charged {settle.amount_nano}"
    elif settle is not None and (told.status or 200) != 200:
        return f"the client was told {told.status}, and was charged {settle.amount_nano}"
    elif settle is not None and told.error:
        return f"the answer broke off with an error, and was charged {settle.amount_nano}"
    return None


def check_charges(
    books: Books,
    calls: Mapping[str, int],
    expected_nano: Callable[[Row], int | None],
    tags: Mapping[str, str] | None = None,
) -> list[str]:
    """Compare each live charge with what the provider was asked: nothing is charged twice, or without a call.

    Args:
        books: of the installation.
        calls: how often the provider was called, by tag.
        expected_nano: what a request is to cost by its plan; None where that is not known.
        tags: of requests by their ids, for rows that do not say who answered: those that recovery wrote.
    """
    found, charged = [], set[str]()
    for settle in books.settles.values():
        row = books.rows.get(settle.request_id)
        if settle.mode is not Mode.LIVE or row is None:
            continue
        tag = row.tag or (tags or {}).get(row.id)
        if tag is None or not calls.get(tag):
            found.append(f"{row.id} was charged {settle.amount_nano}, and no upstream was called for it")
            continue
        if tag in charged:
            found.append(f"{tag} was charged twice, the second time as {row.id}")
        charged.add(tag)
        expected = expected_nano(row)
        if expected is not None and expected != settle.amount_nano:
            found.append(f"{row.id} ({tag}) was charged {settle.amount_nano}, and costs {expected}")
    return found


def _name(sentence: str, request_ids: Iterable[str]) -> list[str]:
    """The sentence for a few of these, and how many more there are."""
    ids = sorted(request_ids)
    more = [f"... and so for {len(ids) - _MOST_NAMED} more"] if len(ids) > _MOST_NAMED else []
    return [sentence.format(request_id) for request_id in ids[:_MOST_NAMED]] + more
