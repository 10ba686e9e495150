"""What the ledger commands show: plain rows whose fields are the JSON that scripts read. No I/O."""

from collections.abc import Mapping, Sequence

import msgspec

from runapi.core.keys import Mode
from runapi.core.ledger.books import AccountKind, Balance, Transfer, TransferKind, kind_of
from runapi.core.ledger.faults import REMEDIES, Area
from runapi.core.money import usd
from runapi.flows.operator_rows import AccountBalance, balance_of, utc
from runapi.store.ledger.overview import KindSum, OpenHolds
from runapi.store.ledger.verify import Verification


class AreaRow(msgspec.Struct, frozen=True):
    """One rule of the books: on how many things it was checked, and how many break it."""

    area: Area
    checked: int
    faults: int


class FaultRow(msgspec.Struct, frozen=True, kw_only=True):
    row: int | None  # the transfer's number; None: it stands beside the transfers
    area: Area
    what: str
    remedy: str


class VerificationRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found."""

    ok: bool
    transfers: int
    last_row: int
    last_hash: str  # written down elsewhere, it shows later whether the end of the books was cut off
    areas: list[AreaRow]
    fault_count: int
    faults: list[FaultRow]  # the first thousand


class TransferRow(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer as its customer's account sees it: what it adds to `posted` and to `held`, or takes off."""

    row: int
    at: str
    kind: str  # hold, extend, settle, void, expire, topup, promo, refund, adjust, write_off
    amount_nano: str
    amount_usd: str
    posted_nano: str
    posted_usd: str
    held_nano: str
    held_usd: str
    request_id: str | None
    reason: str
    reference: str


class StatementRow(msgspec.Struct, frozen=True, kw_only=True):
    """An account's newest transfers in one mode, and what it has."""

    account: str
    mode: Mode
    balance: AccountBalance
    transfers: list[TransferRow]


class KindRow(msgspec.Struct, frozen=True, kw_only=True):
    """All accounts of one kind in one mode."""

    kind: AccountKind
    accounts: int
    frozen: int
    posted_nano: str  # positive: owed to it; cash is minus what was paid in
    posted_usd: str
    held_nano: str
    held_usd: str


class BooksRow(msgspec.Struct, frozen=True, kw_only=True):
    """The books of one mode on a few lines."""

    mode: Mode
    kinds: list[KindRow]
    sum_nano: str  # of all posted: 0
    open_holds: int
    open_holds_nano: str  # as much as is held
    open_holds_usd: str


def verification_row(found: Verification) -> VerificationRow:
    return VerificationRow(
        ok=found.fault_count == 0,
        transfers=found.transfers,
        last_row=found.seq,
        last_hash=found.tail.hex(),
        areas=[AreaRow(area, found.checked.get(area, 0), found.found.get(area, 0)) for area in Area],
        fault_count=found.fault_count,
        faults=[
            FaultRow(row=fault.seq, area=fault.area, what=fault.text, remedy=REMEDIES[fault.area])
            for fault in found.faults
        ],
    )


def statement_row(
    account: str, mode: Mode, balance: Balance, rows: Sequence[Transfer], held: Mapping[str, int]
) -> StatementRow:
    """An account's statement; `held` is what settled requests had held."""
    return StatementRow(
        account=account,
        mode=mode,
        balance=balance_of(balance),
        transfers=[_transfer_row(row, held.get(row.request_id, 0)) for row in rows],
    )


def books_row(mode: Mode, sums: Sequence[KindSum], holds: OpenHolds) -> BooksRow:
    return BooksRow(
        mode=mode,
        kinds=[
            KindRow(
                kind=row.kind,
                accounts=row.accounts,
                frozen=row.frozen,
                posted_nano=str(row.posted_nano),
                posted_usd=usd(row.posted_nano),
                held_nano=str(row.held_nano),
                held_usd=usd(row.held_nano),
            )
            for row in sums
        ],
        sum_nano=str(sum(row.posted_nano for row in sums)),
        open_holds=holds.count,
        open_holds_nano=str(holds.amount_nano),
        open_holds_usd=usd(holds.amount_nano),
    )


def _transfer_row(row: Transfer, held_before: int) -> TransferRow:
    posted, held = _effect(row, held_before)
    return TransferRow(
        row=row.seq,
        at=utc(row.at_us),
        kind=row.kind,
        amount_nano=str(row.amount),
        amount_usd=usd(row.amount),
        posted_nano=str(posted),
        posted_usd=usd(posted),
        held_nano=str(held),
        held_usd=usd(held),
        request_id=row.request_id or None,
        reason=row.reason,
        reference=row.reference,
    )


def _effect(row: Transfer, held_before: int) -> tuple[int, int]:
    """What the row adds to the customer's `posted` and `held`."""
    match row.kind:
        case TransferKind.HOLD | TransferKind.EXTEND:
            return 0, row.amount
        case TransferKind.SETTLE:
            return -row.amount, -held_before
        case TransferKind.VOID | TransferKind.EXPIRE:
            return 0, -row.amount
        case _:
            return row.amount if kind_of(row.credit) is AccountKind.CUSTOMER else -row.amount, 0
