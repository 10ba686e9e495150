"""API keys: their digests, policies and ends. The key itself is never here."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, update

from runapi.core.accounts import Key
from runapi.core.keys import PREFIX_CHARACTERS, DisconnectPolicy, Mode, ParameterPolicy, Principal
from runapi.store.accounts import require_account
from runapi.store.faults import Ambiguous, NotFound
from runapi.store.schema import account, api_key

MOST_ID_DIGITS = 9  # what an INTEGER column takes in PostgreSQL


def insert_key(  # noqa: PLR0917 - the columns of the row, in their order
    connection: Connection,
    account_id: int,
    mode: Mode,
    digest: bytes,
    prefix: str,
    on_disconnect: DisconnectPolicy,
    on_refused_parameter: ParameterPolicy,
    now_us: int,
) -> Key:
    """Store a new key under its digest.

    Raises:
        NotFound: there is no such account.
    """
    row = {
        "account_id": account_id,
        "mode": mode.value,
        "digest": digest,
        "prefix": prefix,
        "on_disconnect": on_disconnect.value,
        "on_refused_parameter": on_refused_parameter.value,
        "created_us": now_us,
    }
    if connection.execute(select(account.c.id).where(account.c.id == account_id)).first() is None:
        raise NotFound(f"There is no account with the id {account_id}. `runapi accounts list` shows all.")
    number = connection.execute(insert(api_key).values(row).returning(api_key.c.id)).scalar_one()
    return _key(connection.execute(_keys().where(api_key.c.id == number)).one())


def list_keys(connection: Connection, account: str | None = None) -> list[Key]:
    """Give the keys of one account, or of all, in the order in which they were issued, revoked ones too.

    Raises:
        NotFound: there is no account of that name.
    """
    query = _keys().order_by(api_key.c.id)
    if account is not None:
        query = query.where(api_key.c.account_id == require_account(connection, account).id)
    return [_key(row) for row in connection.execute(query)]


def find_key(connection: Connection, prefix_or_id: str) -> Key:
    """Give the key with this id, or the one whose visible prefix begins so.

    Keys in force come before revoked ones: a prefix that fits one of each means the former.

    Raises:
        NotFound: nothing fits.
        Ambiguous: several do.
    """
    rows = connection.execute(_keys().where(_fits(prefix_or_id)).order_by(api_key.c.id)).all()
    fitting = [_key(row) for row in rows]
    fitting = [key for key in fitting if key.revoked_us is None] or fitting
    if not fitting:
        raise NotFound(
            f"No key has the id {prefix_or_id!r} or a prefix that begins so. `runapi keys list` shows both; "
            "a prefix needs at least one character after runapi_live_ or runapi_test_."
        )
    if len(fitting) > 1:
        listed = ", ".join(f"{key.id} ({key.prefix}, {key.account})" for key in fitting)
        raise Ambiguous(f"{len(fitting)} keys begin with {prefix_or_id!r}. Give the id of one: {listed}.")
    return fitting[0]


def revoke_key(connection: Connection, prefix_or_id: str, now_us: int) -> Key:
    """End the key that `find_key` finds; a revoked key stays as it is.

    Raises:
        NotFound: nothing fits.
        Ambiguous: several do.
    """
    key = find_key(connection, prefix_or_id)
    if key.revoked_us is None:
        connection.execute(update(api_key).where(api_key.c.id == key.id).values(revoked_us=now_us))
    return _key(connection.execute(_keys().where(api_key.c.id == key.id)).one())


def load_principals(connection: Connection) -> dict[bytes, Principal]:
    """Give every key in force: digest -> who is calling with it."""
    rows = connection.execute(select(api_key).where(api_key.c.revoked_us.is_(None)))
    return {
        row.digest: Principal(
            row.id,
            row.account_id,
            Mode(row.mode),
            row.prefix,
            DisconnectPolicy(row.on_disconnect),
            ParameterPolicy(row.on_refused_parameter),
        )
        for row in rows
    }


def _keys() -> Select[Any]:
    return select(api_key, account.c.name.label("account")).join(account)


def _fits(prefix_or_id: str) -> ColumnElement[bool]:
    if prefix_or_id.isascii() and prefix_or_id.isdigit() and len(prefix_or_id) <= MOST_ID_DIGITS:
        return api_key.c.id == int(prefix_or_id)
    if len(prefix_or_id) <= PREFIX_CHARACTERS:
        return api_key.c.id == -1  # "runapi_live_" alone must not end the only key there is
    # Not LIKE: that knows wildcards, and under SQLite takes "a" for "A".
    return func.substr(api_key.c.prefix, 1, len(prefix_or_id)) == prefix_or_id


def _key(row: Row[Any]) -> Key:
    return Key(
        id=row.id,
        account_id=row.account_id,
        account=row.account,
        mode=Mode(row.mode),
        prefix=row.prefix,
        on_disconnect=DisconnectPolicy(row.on_disconnect),
        on_refused_parameter=ParameterPolicy(row.on_refused_parameter),
        created_us=row.created_us,
        revoked_us=row.revoked_us,
    )
