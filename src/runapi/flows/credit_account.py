"""Credit an account by hand: for money that came outside the payment provider."""

import msgspec
from sqlalchemy import Connection

from runapi.core.keys import Mode
from runapi.core.ledger.books import TransferKind
from runapi.core.ledger.operations import Duplicate, Post, Posted, make_tid
from runapi.core.money import usd
from runapi.core.orders import nano_from_usd
from runapi.flows.office import CommandRefused, Office
from runapi.flows.operator_input import check_name, quoted
from runapi.flows.payment_rows import CreditRow
from runapi.flows.redeem import check_note
from runapi.store.accounts import require_account
from runapi.store.ledger.batch import write_operations

LONGEST_REFERENCE = 200
RANDOM_BYTES = 16


class CreditAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    usd: str
    mode: Mode = Mode.LIVE
    note: str = ""
    reference: str | None = None  # of the payment: with the same one the account is credited once


def credit_account(connection: Connection, office: Office, asked: CreditAccount) -> CreditRow:
    """Credit an account, as a top-up for the live mode and as play money for the test mode."""
    account = require_account(connection, check_name("account", asked.name))
    try:
        amount_nano = nano_from_usd(asked.usd)
    except ValueError as fault:
        raise CommandRefused(f"{quoted(asked.usd)} is not accepted: {fault}.") from None
    reference = check_reference(asked.reference)
    unique = office.random_bytes(RANDOM_BYTES).hex() if reference is None else f"reference {reference}"
    post = Post(
        kind=TransferKind.TOPUP if asked.mode is Mode.LIVE else TransferKind.PROMO,
        mode=asked.mode,
        account_id=account.id,
        amount_nano=amount_nano,
        tid=make_tid("credit", str(account.id), asked.mode.value, unique),
        at_us=office.now_us(),
        reason=check_note(asked.note),
        reference=reference or "",
    )
    (outcome,) = write_operations(connection, [post])
    match outcome:
        case Posted(seq, available_nano):
            return _row(asked, amount_nano, seq, available_nano)
        case Duplicate(seq, before_nano) if before_nano == amount_nano:
            return _row(asked, amount_nano, seq, None)
        case Duplicate(_, before_nano):
            raise CommandRefused(
                f"The reference {quoted(reference or '')} was used before, for {usd(before_nano)} USD. Nothing was "
                "changed; give another reference."
            )
        case _:
            raise CommandRefused(f"The ledger refused it: {outcome}. Nothing was changed.")


def _row(asked: CreditAccount, amount_nano: int, seq: int, available_nano: int | None) -> CreditRow:
    return CreditRow(
        account=asked.name,
        mode=asked.mode,
        usd=usd(amount_nano),
        amount_nano=str(amount_nano),
        seq=seq,
        repeated=available_nano is None,
        available_nano=None if available_nano is None else str(available_nano),
        available_usd=None if available_nano is None else usd(available_nano),
    )


def check_reference(reference: str | None) -> str | None:
    """Accept a payment's own number, of 1 to 200 printable characters, or none."""
    if reference is not None and (
        not 1 <= len(reference) <= LONGEST_REFERENCE or not reference.isprintable()
    ):
        raise CommandRefused(f"A reference must be 1 to {LONGEST_REFERENCE} printable characters.")
    return reference
