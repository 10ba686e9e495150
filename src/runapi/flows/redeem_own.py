"""Redeem a code for a program: as an operator's code is redeemed, with a bound on guessing."""

from sqlalchemy import Connection

from runapi.core.account_problems import code_of_other_mode, too_many_codes
from runapi.core.keys import Principal
from runapi.flows.front_desk import FrontDesk, ticks_us
from runapi.flows.office import Office
from runapi.flows.payment_rows import Redeemed
from runapi.flows.redeem import redeem_code
from runapi.store.database import Database


async def redeem_own(
    database: Database, office: Office, desk: FrontDesk, principal: Principal, typed: str
) -> Redeemed:
    """Credit the caller's account with a code of the key's mode, once.

    Raises:
        Problem: 400, it cannot be redeemed; 429, too many were tried.
    """
    begun_us = ticks_us()
    wait_us = desk.bad_codes.begin(principal.account_id, begun_us)
    if wait_us:
        raise too_many_codes(desk.bad_codes.most, -(-wait_us // 1_000_000))
    redeemed = await database.run(_redeem, office, principal, typed)
    desk.bad_codes.forgive(principal.account_id, begun_us)
    return redeemed


def _redeem(connection: Connection, office: Office, principal: Principal, typed: str) -> Redeemed:
    redeemed = redeem_code(connection, office, principal.account_id, typed)
    if redeemed.mode is not principal.mode:  # raised inside the transaction, which takes everything back
        raise code_of_other_mode(redeemed.mode)
    return redeemed
