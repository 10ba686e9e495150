"""Make, list, revoke and redeem codes that are worth money."""

from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection

from runapi.core.keys import Mode
from runapi.core.ledger.books import TransferKind
from runapi.core.ledger.operations import Post, Posted, make_tid
from runapi.core.money import usd
from runapi.core.orders import nano_from_usd
from runapi.core.payment_problems import bad_redeem_code
from runapi.core.receipts import utc
from runapi.core.redeem_codes import VISIBLE_CHARACTERS, RedeemCode, digest_code, make_code, read_code
from runapi.flows.office import CommandRefused, Office
from runapi.flows.operator_input import quoted
from runapi.flows.payment_rows import CodeRow, NewCode, Redeemed
from runapi.store import redeem_codes
from runapi.store.faults import LedgerDamaged
from runapi.store.ledger.batch import write_operations

MOST_CODES = 1_000  # in one command
MOST_LISTED = 10_000
MOST_CODE_NANO = 10_000 * 10**9
LONGEST_NOTE = 200
RANDOM_BYTES = 32


class CreateCodes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    usd: str
    count: int = 1
    mode: Mode = Mode.LIVE
    sold: bool = False
    note: str = ""
    ends: str | None = None  # the last day on which it can be redeemed, YYYY-MM-DD in UTC


class ListCodes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: int = 100
    unused: bool = False


class RevokeCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: int


def create_codes(connection: Connection, office: Office, asked: CreateCodes) -> list[NewCode]:
    """Make codes that are all worth the same."""
    amount_nano = _amount(asked.usd)
    if not 1 <= asked.count <= MOST_CODES:
        raise CommandRefused(f"--count must be from 1 to {MOST_CODES}, not {asked.count}.")
    note = check_note(asked.note)
    now_us = office.now_us()
    ends_us = None if asked.ends is None else _end_of_day(asked.ends, now_us)
    made = []
    for _ in range(asked.count):
        code = make_code(office.random_bytes(RANDOM_BYTES))
        digest = digest_code(read_code(code) or "", office.vault.pepper)
        shown = code[:VISIBLE_CHARACTERS]
        number = redeem_codes.insert_code(
            connection, digest, shown, asked.mode, amount_nano, asked.sold, note, now_us, ends_us
        )
        made.append(NewCode(code=code, id=number, usd=usd(amount_nano), mode=asked.mode))
    return made


def list_codes(connection: Connection, _office: Office, asked: ListCodes) -> list[CodeRow]:
    """The newest codes, newest first."""
    if not 1 <= asked.limit <= MOST_LISTED:
        raise CommandRefused(f"--limit must be from 1 to {MOST_LISTED}, not {asked.limit}.")
    return [
        code_row(code) for code in redeem_codes.list_codes(connection, limit=asked.limit, unused=asked.unused)
    ]


def revoke_code(connection: Connection, office: Office, asked: RevokeCode) -> CodeRow:
    """End a code that nobody has redeemed."""
    if not 0 <= asked.id < 2**31:
        raise CommandRefused(f"{asked.id} is no code's id. `runapi codes list` shows all.")
    return code_row(redeem_codes.revoke_code(connection, asked.id, office.now_us()))


def redeem_code(connection: Connection, office: Office, account_id: int, typed: str) -> Redeemed:
    """Credit an account with a code, once: of many who try, exactly one has it.

    Raises:
        Problem: it cannot be redeemed; the same answer for every reason.
    """
    plain = read_code(typed)
    digest = b"" if plain is None else digest_code(plain, office.vault.pepper)
    now_us = office.now_us()
    code = redeem_codes.take_code(connection, digest, account_id, now_us) if digest else None
    if code is None:
        raise bad_redeem_code()
    post = Post(
        kind=TransferKind.TOPUP if code.sold else TransferKind.PROMO,
        mode=code.mode,
        account_id=account_id,
        amount_nano=code.amount_nano,
        tid=make_tid("redeem code", digest.hex()),
        at_us=now_us,
        reason="redeem code",
        reference=f"code {code.id} {code.shown}",
    )
    (outcome,) = write_operations(connection, [post])
    if not isinstance(outcome, Posted):
        raise LedgerDamaged(f"Code {code.id} could not be posted: {outcome}.")
    return Redeemed(
        usd=usd(code.amount_nano),
        amount_nano=str(code.amount_nano),
        mode=code.mode,
        available_nano=str(outcome.available_nano),
        available_usd=usd(outcome.available_nano),
    )


def code_row(code: RedeemCode) -> CodeRow:
    """A code as operators see it."""
    return CodeRow(
        id=code.id,
        shown=code.shown,
        usd=usd(code.amount_nano),
        mode=code.mode,
        sold=code.sold,
        note=code.note,
        created_at=utc(code.created_us),
        ends_at=_time(code.ends_us),
        revoked_at=_time(code.revoked_us),
        redeemed_at=_time(code.redeemed_us),
        redeemed_by=code.redeemed_by,
    )


def check_note(note: str) -> str:
    """Accept a note of up to 200 printable characters."""
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise CommandRefused(f"A note must be at most {LONGEST_NOTE} printable characters.")
    return note


def _amount(text: str) -> int:
    try:
        return nano_from_usd(text, most_nano=MOST_CODE_NANO)
    except ValueError as fault:
        raise CommandRefused(f"{quoted(text)} is not accepted: {fault}.") from None


def _end_of_day(day: str, now_us: int) -> int:
    try:
        begins = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        ends_us = (int(begins.timestamp()) + 24 * 3600) * 1_000_000
    except (ValueError, OverflowError):
        raise CommandRefused(f"{quoted(day)} is not a day: write YYYY-MM-DD, such as 2027-01-31.") from None
    if ends_us <= now_us:
        raise CommandRefused(f"The day {day} is over: give a later one, or none.")
    return ends_us


def _time(at_us: int | None) -> str | None:
    return None if at_us is None else utc(at_us)
