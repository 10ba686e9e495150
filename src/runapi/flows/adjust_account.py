"""Correct an account by hand, or take back from it what was paid back to the customer: never more than is available."""

import msgspec
from sqlalchemy import Connection

from runapi.core.keys import Mode
from runapi.core.ledger.books import TransferKind
from runapi.core.ledger.operations import Duplicate, Insufficient, Post, Posted, make_tid
from runapi.core.money import usd
from runapi.core.orders import nano_from_usd
from runapi.flows.credit_account import RANDOM_BYTES, check_reference
from runapi.flows.office import CommandRefused, Office
from runapi.flows.operator_input import check_name, quoted
from runapi.flows.payment_rows import CreditRow
from runapi.flows.redeem import check_note
from runapi.store.accounts import require_account
from runapi.store.ledger.batch import write_operations
from runapi.store.ledger.history import read_effect


class AdjustAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    usd: str  # negative: from the customer
    mode: Mode = Mode.LIVE
    note: str
    reference: str | None = None  # with the same one the account is adjusted once


class RefundAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Live money alone is ever paid back."""

    name: str
    usd: str
    note: str = ""
    reference: str | None = None  # of the refund: with the same one it is booked once


def adjust_account(connection: Connection, office: Office, asked: AdjustAccount) -> CreditRow:
    """Add to an account or take from it, as a correction that has no payment behind it."""
    if not asked.note.strip():
        raise CommandRefused("An adjustment needs a note that says why: --note TEXT.")
    amount_nano = _amount(asked.usd.removeprefix("-"), asked.usd)
    if asked.usd.startswith("-"):
        amount_nano = -amount_nano
    return _book(connection, office, asked, TransferKind.ADJUST, amount_nano)


def refund_account(connection: Connection, office: Office, asked: RefundAccount) -> CreditRow:
    """Take from an account what the operator has paid back to the customer outside the payment provider."""
    amount_nano = _amount(asked.usd, asked.usd)
    return _book(connection, office, asked, TransferKind.REFUND, amount_nano)


def _book(
    connection: Connection,
    office: Office,
    asked: AdjustAccount | RefundAccount,
    kind: TransferKind,
    amount_nano: int,
) -> CreditRow:
    mode = asked.mode if isinstance(asked, AdjustAccount) else Mode.LIVE
    account = require_account(connection, check_name("account", asked.name))
    reference = check_reference(asked.reference)
    unique = office.random_bytes(RANDOM_BYTES).hex() if reference is None else f"reference {reference}"
    post = Post(
        kind=kind,
        mode=mode,
        account_id=account.id,
        amount_nano=amount_nano,
        tid=make_tid(kind.value, str(account.id), mode.value, unique),
        at_us=office.now_us(),
        reason=check_note(asked.note),
        reference=reference or "",
    )
    (outcome,) = write_operations(connection, [post])
    match outcome:
        case Posted(seq, left_nano) if kind is TransferKind.ADJUST or left_nano >= 0:
            return _row(asked.name, mode, amount_nano, seq, left_nano)
        case Posted(_, left_nano):  # the ledger itself lets refunds go below zero; raising undoes this one
            raise _too_much(asked.name, mode, left_nano + amount_nano, amount_nano)
        case Insufficient(available_nano):
            raise _too_much(asked.name, mode, available_nano, -amount_nano)
        case Duplicate(seq):
            before_nano = read_effect(connection, account.id, mode, seq) * (-1 if _takes(kind) else 1)
            if before_nano == amount_nano:
                return _row(asked.name, mode, amount_nano, seq, None)
            raise CommandRefused(
                f"The reference {quoted(reference or '')} was used before, for {usd(before_nano)} USD. Nothing was "
                "changed; give another reference."
            )
        case _:
            raise CommandRefused(f"The ledger refused it: {outcome}. Nothing was changed.")


def _takes(kind: TransferKind) -> bool:
    """Whether a positive amount of this kind is taken from the customer."""
    return kind is TransferKind.REFUND


def _too_much(name: str, mode: Mode, available_nano: int, asked_nano: int) -> CommandRefused:
    return CommandRefused(
        f"Account {name} has {usd(available_nano)} USD available ({mode}), less than the {usd(asked_nano)} to be taken. "
        "Nothing was changed; take less, or wait until its running requests have ended."
    )


def _row(name: str, mode: Mode, amount_nano: int, seq: int, available_nano: int | None) -> CreditRow:
    return CreditRow(
        account=name,
        mode=mode,
        usd=usd(amount_nano),
        amount_nano=str(amount_nano),
        seq=seq,
        repeated=available_nano is None,
        available_nano=None if available_nano is None else str(available_nano),
        available_usd=None if available_nano is None else usd(available_nano),
    )


def _amount(text: str, shown: str) -> int:
    try:
        return nano_from_usd(text)
    except ValueError as fault:
        raise CommandRefused(f"{quoted(shown)} is not accepted: {fault}.") from None
