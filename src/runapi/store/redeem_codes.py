"""Redeem codes: their digests, amounts and ends. The code itself is never here."""

from typing import Any

from sqlalchemy import Connection, Row, Select, and_, insert, or_, select, update

from runapi.core.keys import Mode
from runapi.core.money import usd
from runapi.core.redeem_codes import RedeemCode
from runapi.store.faults import NotFound
from runapi.store.payment_schema import redeem_code
from runapi.store.schema import account


def insert_code(  # noqa: PLR0917 - the columns of the row, in their order
    connection: Connection,
    digest: bytes,
    shown: str,
    mode: Mode,
    amount_nano: int,
    sold: bool,  # noqa: FBT001 - a column
    note: str,
    now_us: int,
    ends_us: int | None,
) -> int:
    """Store a new code under its digest; give its id."""
    row = {
        "digest": digest,
        "shown": shown,
        "mode": mode.value,
        "amount_nano": amount_nano,
        "sold": sold,
        "note": note,
        "created_us": now_us,
        "ends_us": ends_us,
    }
    written = insert(redeem_code).values(row).returning(redeem_code.c.id)
    return int(connection.execute(written).scalar_one())


def list_codes(connection: Connection, *, limit: int, unused: bool) -> list[RedeemCode]:
    """Give the newest codes, newest first; with `unused` only those that can still be redeemed or have run out."""
    query = _codes().order_by(redeem_code.c.id.desc()).limit(limit)
    if unused:
        query = query.where(redeem_code.c.redeemed_us.is_(None), redeem_code.c.revoked_us.is_(None))
    return [_code(row) for row in connection.execute(query)]


def revoke_code(connection: Connection, code_id: int, now_us: int) -> RedeemCode:
    """End a code that nobody has redeemed; a revoked one stays as it is.

    Raises:
        NotFound: there is none of this id, or it was redeemed.
    """
    unused = and_(redeem_code.c.id == code_id, redeem_code.c.redeemed_us.is_(None))
    change = update(redeem_code).where(unused, redeem_code.c.revoked_us.is_(None))
    connection.execute(change.values(revoked_us=now_us))
    row = connection.execute(_codes().where(redeem_code.c.id == code_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no redeem code with the id {code_id}. `runapi codes list` shows all.")
    code = _code(row)
    if code.redeemed_us is not None:
        raise NotFound(
            f"Code {code_id} was redeemed by {code.redeemed_by} and cannot be revoked. To take the money back: runapi "
            f"accounts adjust {code.redeemed_by} --usd -{usd(code.amount_nano)} --mode {code.mode} "
            f'--note "code {code_id}"'
        )
    return code


def take_code(connection: Connection, digest: bytes, account_id: int, now_us: int) -> RedeemCode | None:
    """Mark a code as redeemed by this account, if nobody has and it has not ended; None otherwise.

    One UPDATE decides, so that of many who try at once exactly one has it.
    """
    table = redeem_code.c
    in_force = and_(
        table.digest == digest,
        table.redeemed_us.is_(None),
        table.revoked_us.is_(None),
        or_(table.ends_us.is_(None), table.ends_us > now_us),
    )
    change = update(redeem_code).where(in_force).values(redeemed_us=now_us, redeemed_by=account_id)
    if connection.execute(change).rowcount != 1:
        return None
    return _code(connection.execute(_codes().where(table.digest == digest)).one())


def _codes() -> Select[Any]:
    name = account.c.name.label("account")
    return select(redeem_code, name).outerjoin(account, account.c.id == redeem_code.c.redeemed_by)


def _code(row: Row[Any]) -> RedeemCode:
    return RedeemCode(
        id=row.id,
        shown=row.shown,
        mode=Mode(row.mode),
        amount_nano=row.amount_nano,
        sold=row.sold,
        note=row.note,
        created_us=row.created_us,
        ends_us=row.ends_us,
        revoked_us=row.revoked_us,
        redeemed_us=row.redeemed_us,
        redeemed_by=row.account,
    )
