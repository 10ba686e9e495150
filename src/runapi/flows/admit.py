"""May this request be served, and what is set aside for it? Called before any upstream is."""

import msgspec

from runapi.core.catalog import Model
from runapi.core.keys import Principal
from runapi.core.pricing import PriceTable


class Hold(msgspec.Struct, frozen=True):
    """What was promised for one request: its prices stay as they were when it was admitted."""

    request_id: str
    account_id: int
    ours: PriceTable
    official: PriceTable


async def admit(principal: Principal, model: Model, request_id: str) -> Hold:
    """Admit a request and pin its prices.

    The ledger will set funds aside here, durably, and may answer 402; today every known key is admitted.
    """
    return Hold(request_id, principal.account_id, model.ours, model.official)
