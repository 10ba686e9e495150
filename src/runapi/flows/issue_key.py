"""Issue, list and revoke keys."""

import msgspec
from sqlalchemy import Connection

from runapi.core.accounts import Account
from runapi.core.keys import (
    DisconnectPolicy,
    Mode,
    ParameterPolicy,
    digest,
    is_well_formed,
    make_key,
    visible_prefix,
)
from runapi.flows.office import CommandRefused, Office
from runapi.flows.operator_input import check_name, quoted
from runapi.flows.operator_rows import IssuedKey, KeyRow, issued_key, key_row
from runapi.store import accounts, keys

RANDOM_BYTES = 64
LONGEST_PREFIX = 64


class CreateKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account: str
    mode: Mode
    on_disconnect: DisconnectPolicy = DisconnectPolicy.DRAIN
    on_refused_parameter: ParameterPolicy = ParameterPolicy.DROP


class ListKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account: str | None = None


class RevokeKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str  # its visible prefix, its id, or the key itself


def create_key(connection: Connection, office: Office, asked: CreateKey) -> IssuedKey:
    """Issue a key. Only its digest is stored, so that nobody can ever show it again."""
    account = accounts.require_account(connection, check_name("account", asked.account))
    return issue_key(connection, office, account, asked)


def issue_key(connection: Connection, office: Office, account: Account, asked: CreateKey) -> IssuedKey:
    """Make a key for `account` and store its digest."""
    secret = make_key(asked.mode, office.random_bytes(RANDOM_BYTES))
    key = keys.insert_key(
        connection,
        account.id,
        asked.mode,
        digest(secret, office.vault.pepper),
        visible_prefix(secret),
        asked.on_disconnect,
        asked.on_refused_parameter,
        office.now_us(),
    )
    return issued_key(key, secret)


def list_keys(connection: Connection, _office: Office, asked: ListKeys) -> list[KeyRow]:
    """The keys of one account or of all, in the order in which they were issued."""
    account = None if asked.account is None else check_name("account", asked.account)
    return [key_row(key) for key in keys.list_keys(connection, account)]


def revoke_key(connection: Connection, office: Office, asked: RevokeKey) -> KeyRow:
    """End a key for good; ending it again changes nothing."""
    named = visible_prefix(asked.key) if is_well_formed(asked.key) else asked.key
    if not named or len(named) > LONGEST_PREFIX or not named.isascii() or not named.isprintable():
        raise CommandRefused(f"{quoted(named)} is not a key's prefix or id: `runapi keys list` shows both.")
    return key_row(keys.revoke_key(connection, named, office.now_us()))
