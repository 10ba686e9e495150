"""Check each charge again: the usage in its row, times the prices that were pinned, and what the request's row says.

Beside `replay`, which checks what moves; this checks why so much.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from runapi.core.ledger.books import ENDINGS, TransferKind
from runapi.core.ledger.faults import Area, Faults
from runapi.core.pricing import PriceTable, charge
from runapi.core.usage import Usage

Prices = Mapping[tuple[int, str], PriceTable]
"""What customers paid, by version and model."""

_read_usage = msgspec.json.Decoder(Usage).decode


class RequestSide(NamedTuple):
    """What a request's own row says of its charge."""

    model: str
    service_tier: str | None  # the tier that it was priced at
    cost_pico: int
    cost_nano: int
    input: int
    cached: int
    cache_write: int
    output: int
    reasoning: int


class Charges:
    """Takes the endings of requests, each with the request's row."""

    def __init__(self, faults: Faults, prices: Prices) -> None:
        """Price by `prices`; what is wrong is noted in `faults`."""
        self.prices = prices
        self.priced = 0  # settlements that were priced again
        self.compared = 0  # endings whose request has a row
        self._faults = faults

    def feed(self, rows: Iterable[Sequence[Any]], requests: Mapping[str, RequestSide]) -> None:
        """Check the endings among the rows, each as the columns of Transfer, against the rows of their requests."""
        for row in rows:
            if row[3] in ENDINGS:
                request = requests.get(row[7])
                if request is not None:
                    self.compared += 1
                    self._compare(row, request)
                if row[3] == TransferKind.SETTLE and row[8] != 0:
                    self._check_price(row, request)

    def _compare(self, row: Sequence[Any], request: RequestSide) -> None:
        """Make sure that the request's row says what was charged."""
        is_settled = row[3] == TransferKind.SETTLE
        charged, cost_pico = (row[6], row[9]) if is_settled else (0, 0)
        if request.cost_nano != charged:
            self._blame(
                Area.REQUESTS,
                row,
                f"the row of {row[7]} says it cost {request.cost_nano}; it was charged {charged}",
            )
        if request.cost_pico != cost_pico:
            self._blame(
                Area.REQUESTS,
                row,
                f"the row of {row[7]} says it cost {request.cost_pico} pico-dollars; it was charged for {cost_pico}",
            )

    def _check_price(self, row: Sequence[Any], request: RequestSide | None) -> None:
        """Price the usage again, at the version and tier that it was priced at."""
        request_id, version, cost_pico = row[7:10]
        if request is None:
            self._blame(Area.REQUESTS, row, f"{request_id} was charged, and has no row of its own")
            return
        table = self.prices.get((version, request.model))
        if table is None:
            self._blame(
                Area.PRICES,
                row,
                f"{request_id} was priced by version {version}, in which {request.model!r} has no price",
            )
            return
        try:
            usage = _read_usage(row[10])
        except (msgspec.DecodeError, TypeError, UnicodeError):
            self._blame(Area.PRICES, row, f"the usage of {request_id} cannot be read: {row[10]!r}")
            return
        self.priced += 1
        due = charge(table, usage, request.service_tier).pico
        if due != cost_pico:
            self._blame(
                Area.PRICES,
                row,
                f"{request_id} cost {cost_pico} pico-dollars; its usage at price version {version} costs {due}",
            )
        if request[4:] != msgspec.structs.astuple(usage):
            self._blame(
                Area.REQUESTS,
                row,
                f"the row of {request_id} counts {request[4:]} tokens; it was charged for {msgspec.structs.astuple(usage)}",
            )

    def _blame(self, area: Area, row: Sequence[Any], text: str) -> None:
        self._faults.blame(area, row[0], text)
