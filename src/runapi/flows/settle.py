"""End a request: price what it consumed and leave its row. Done once, before the end marker is sent."""

from collections.abc import Callable

from runapi.core.money import nano_from_pico
from runapi.core.pricing import FREE, Charge, charge
from runapi.core.records import Outcome, RequestRecord
from runapi.core.routing import COST_RATIO_ONE_PPM, Deployment
from runapi.core.usage import Usage, UsageSource
from runapi.flows.admit import Hold
from runapi.store.record_log import RecordLog


class Settlement:
    """The one ending of a request. Whoever comes second changes nothing."""

    def __init__(self, log: RecordLog, record: RequestRecord, elapsed_us: Callable[[], int]) -> None:
        self._log = log
        self.record = record
        self.elapsed_us = elapsed_us
        self.hold: Hold | None = None
        self.ended = False

    async def settle(
        self,
        deployment: Deployment | None,
        usage: Usage,
        source: UsageSource,
        *,
        charged: bool,
        tier: str | None = None,
        outcome: Outcome = Outcome.COMPLETED,
        error_code: str | None = None,
    ) -> Charge:
        """Price `usage` by the prices pinned at the hold, and write the row.

        Args:
            deployment: who answered.
            usage: what was consumed at the upstream.
            source: who counted.
            charged: False where the customer pays nothing: nothing was delivered, or the answer broke off. What the
                operator may owe the upstream is noted all the same.
            tier: the service tier that the upstream says it served.
            outcome: how the request ended.
            error_code: why, when it did not end well.
        """
        record = self.record
        if self.hold is None:
            raise RuntimeError("a request is admitted before it is settled")
        price = charge(self.hold.ours, usage, tier) if charged else FREE
        record.status, record.outcome, record.error_code = 200, outcome, error_code
        record.usage, record.usage_source, record.service_tier = usage, source, tier
        record.cost_pico, record.cost_nano = price.pico, price.nano
        if deployment is not None:
            official = charge(self.hold.official, usage, tier)
            ratio_ppm = deployment.upstream.cost_ratio_ppm
            record.upstream_cost_nano = nano_from_pico(-(-official.pico * ratio_ppm // COST_RATIO_ONE_PPM))
        self._end()
        return price

    def void(self, status: int, code: str | None, outcome: Outcome) -> None:
        """End a request of which nothing was delivered: no charge, and a row that says why."""
        record = self.record
        if not self.ended:
            record.status, record.error_code, record.outcome = status, code, outcome
        self._end()

    def _end(self) -> None:
        if self.ended:
            return
        self.ended = True
        self.record.total_us = self.elapsed_us()
        self._log.add(self.record)
