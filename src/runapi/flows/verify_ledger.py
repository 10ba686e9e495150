"""Check the whole ledger, beside the requests that are served meanwhile."""

import msgspec

from runapi.flows.ledger_rows import VerificationRow, verification_row
from runapi.flows.office import CommandRefused, Office
from runapi.store.database import Database
from runapi.store.ledger.verify import verify_running


class VerifyLedger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


async def verify_ledger(database: Database, _office: Office, _asked: VerifyLedger) -> VerificationRow:
    """Recompute everything from the transfers; nothing is changed, whatever is found."""
    try:
        return verification_row(await verify_running(database))
    except RuntimeError as fault:  # the database was closed under us
        raise CommandRefused(
            f"The server stopped before everything was checked ({fault}). Ask again."
        ) from None
