"""End a request: price what it consumed, charge it, and leave its row. Done once, before the end marker is sent."""

import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Protocol

import msgspec
import structlog

from runapi.core import limit_problems
from runapi.core.admission import priced_tier
from runapi.core.idempotency import KeptAnswer
from runapi.core.ledger.operations import Settle, Settled, Void
from runapi.core.ledger.recover import write_usage
from runapi.core.money import nano_from_pico
from runapi.core.pricing import FREE, Charge, charge, rates_for
from runapi.core.receipts import ReceiptSource
from runapi.core.records import Outcome, RequestRecord
from runapi.core.refusal_rows import RefusalRows
from runapi.core.routing import COST_RATIO_ONE_PPM, Deployment
from runapi.core.stored_responses import StoredResponse
from runapi.core.usage import Usage, UsageSource
from runapi.flows.admit import Admission, Hold
from runapi.flows.client_side import Header
from runapi.store.faults import LedgerUnavailable
from runapi.store.ledger.writer import LedgerWriter
from runapi.store.record_log import RecordLog

_MOST_REPORT_BYTES = 16 * 1024  # of an upstream's words on its usage: more of them are no report
_LONGEST_TIER = 40
_log = structlog.get_logger("runapi.settle")


class Keep(Protocol):
    """Makes the kept answer of a request under an idempotency key; see `flows.idempotency.Recorder.keep`."""

    def __call__(
        self, rest: bytes, at_us: int, head: tuple[int, Sequence[Header]] | None = None
    ) -> KeptAnswer | None: ...


class Counted(msgspec.Struct, frozen=True):
    """What a request consumed at the upstream, and who says so."""

    usage: Usage = Usage()
    source: UsageSource = UsageSource.NONE
    tier: str | None = None  # the service tier that the upstream says it served
    verbatim: bytes | None = None  # the upstream's own report


class Till:
    """Where requests are charged and their rows are left."""

    def __init__(self, ledger: LedgerWriter, admission: Admission, log: RecordLog) -> None:
        self.ledger = ledger
        self.admission = admission
        self._log = log
        self._refusal_rows = RefusalRows()

    def note_refused(self, record: RequestRecord) -> None:
        """Leave the row of a request that was refused before its hold; a key's storm leaves no more than it may."""
        over = self._refusal_rows.take(record.key_id, time.monotonic_ns() // 1_000)
        if not over:
            record.model = _storable(record.model)  # as the customer wrote it
            self._log.add(record)
        elif over == 1:
            _log.warning("refused requests leave no rows for a while", key_id=record.key_id)


class Settlement:
    """The one ending of a request. Whoever comes second changes nothing."""

    def __init__(
        self, till: Till, record: RequestRecord, elapsed_us: Callable[[], int], keep: Keep | None = None
    ) -> None:
        self._till = till
        self._keep = keep
        self.record = record
        self.elapsed_us = elapsed_us
        self.hold: Hold | None = None
        self.request_sha256 = b""
        self.sent = sha256()  # of the body that was sent to the client so far
        self.ended = False

    @property
    def ledger(self) -> LedgerWriter:
        """Where checkpoints go while the request runs."""
        return self._till.ledger

    def price(self, deployment: Deployment | None, counted: Counted) -> Charge:
        """Price what was consumed by the prices pinned at the hold, and note it in the row.

        Never more than the hold is charged: what an upstream reports beyond it is the operator's loss.
        """
        record, hold = self.record, self._held()
        usage, tier = counted.usage, priced_tier(hold.asked_tier, counted.tier)
        price = charge(hold.price.ours, usage, tier)
        self._note_consumed(deployment, counted, tier)
        record.cost_pico, record.cost_nano = price.pico, min(price.nano, hold.granted_nano)
        return Charge(price.pico, record.cost_nano)

    def forgive(self, deployment: Deployment | None, counted: Counted) -> Charge:
        """Note what was consumed though the customer pays nothing: the answer was empty, or broke off."""
        self._note_consumed(deployment, counted, priced_tier(self._held().asked_tier, counted.tier))
        return FREE

    async def settle(
        self,
        counted: Counted,
        rest: bytes = b"",
        head: tuple[int, Sequence[Header]] | None = None,
        *,
        outcome: Outcome = Outcome.COMPLETED,
        error_code: str | None = None,
        stored: StoredResponse | None = None,
    ) -> None:
        """Charge what `price` found; the charge is durable when this returns.

        Args:
            counted: what was consumed.
            rest: the last bytes of the body, which are sent after this.
            head: status and headers, where they are sent after this too.
            outcome: how the request ended.
            error_code: why, when it did not end well.
            stored: what is kept of the answer for requests that continue it.

        Raises:
            Problem: 503, it could not be made durable. The customer is not charged.
        """
        record, hold = self.record, self._held()
        if self.ended:
            return
        self.ended = True
        record.status, record.outcome, record.error_code = 200, outcome, error_code
        record.total_us = self.elapsed_us()
        try:
            await self._commit(hold, counted, rest, head, stored)
        except LedgerUnavailable:
            problem = limit_problems.ledger_unavailable()
            record.cost_pico = record.cost_nano = 0
            record.status, record.outcome, record.error_code = problem.status, Outcome.FAILED, problem.code
            self._till.ledger.note(self._void("the charge could not be written"))
            self._till.admission.leave(hold, 0, 0)
            raise problem from None

    async def _commit(
        self,
        hold: Hold,
        counted: Counted,
        rest: bytes,
        head: tuple[int, Sequence[Header]] | None,
        stored: StoredResponse | None,
    ) -> None:
        record = self.record
        now_us = time.time_ns() // 1_000
        answer = None
        if self._keep is not None and record.outcome is Outcome.COMPLETED:
            answer = self._keep(rest, now_us, head)
        if rest:
            self.sent.update(rest)
        outcome = await self._till.ledger.submit(
            Settle(
                request_id=record.id,
                amount_nano=nano_from_pico(record.cost_pico),
                cost_pico=record.cost_pico,
                usage=write_usage(counted.usage),
                usage_source=counted.source,
                at_us=now_us,
                reason=record.error_code or "",
                record=record,
                receipt=self._receipt(hold, counted, now_us),
                answer=answer,
                stored=stored,
            )
        )
        if isinstance(outcome, Settled):
            self._till.admission.leave(hold, outcome.charged_nano, counted.usage.total)
            if outcome.written_off_nano:
                _log.error(
                    "cost above hold written off",
                    request_id=record.id,
                    upstream=record.upstream,
                    written_off_nano=outcome.written_off_nano,
                )
        else:
            self._till.admission.leave(hold, 0, counted.usage.total)
            _log.error("settlement refused", request_id=record.id, outcome=repr(outcome))
            raise LedgerUnavailable(f"the ledger answered {outcome!r}")

    async def void(self, status: int, code: str | None, outcome: Outcome) -> None:
        """End a request without a charge, with a row that says why; its hold is gone when this returns."""
        operation = self._end_free(status, code, outcome)
        if operation is None:
            return
        try:
            await self._till.ledger.submit(operation)
        except LedgerUnavailable:
            self._till.ledger.note(operation)

    def void_soon(self, status: int, code: str | None, outcome: Outcome) -> None:
        """Do as `void` does, for who cannot wait for it."""
        operation = self._end_free(status, code, outcome)
        if operation is not None:
            self._till.ledger.note(operation)

    def _end_free(self, status: int, code: str | None, outcome: Outcome) -> Void | None:
        if self.ended:
            return None
        self.ended = True
        record = self.record
        record.status, record.outcome = status, outcome
        record.error_code = None if code is None else _storable(code)  # it may be an upstream's
        record.total_us = self.elapsed_us()
        if self.hold is None:
            self._till.note_refused(record)
            return None
        self._till.admission.leave(self.hold, 0, record.usage.total)
        return self._void(code or outcome.value)

    def _void(self, reason: str) -> Void:
        return Void(
            request_id=self.record.id, reason=reason, at_us=time.time_ns() // 1_000, record=self.record
        )

    def _receipt(self, hold: Hold, counted: Counted, now_us: int) -> ReceiptSource:
        return ReceiptSource(
            self.record.id,
            now_us,
            self.request_sha256,
            self.sent.digest(),
            _report(counted.verbatim),
            hold.price.version,
            rates_for(hold.price.ours, counted.usage, self.record.service_tier),
        )

    def _note_consumed(self, deployment: Deployment | None, counted: Counted, tier: str | None) -> None:
        record = self.record
        record.usage, record.usage_source = counted.usage, counted.source
        record.service_tier = None if tier is None else _word(tier)
        if deployment is not None:
            official = charge(self._held().price.official, counted.usage, counted.tier)
            ratio_ppm = deployment.upstream.cost_ratio_ppm
            record.upstream_cost_nano = nano_from_pico(-(-official.pico * ratio_ppm // COST_RATIO_ONE_PPM))

    def _held(self) -> Hold:
        if self.hold is None:
            raise RuntimeError("a request is admitted before it is priced")
        return self.hold


def _report(verbatim: bytes | None) -> str | None:
    """An upstream's own report as a receipt shows it; None where it is too long to be one."""
    return None if verbatim is None or len(verbatim) > _MOST_REPORT_BYTES else verbatim.decode()


def _storable(text: str) -> str:
    """A text without NUL, which PostgreSQL refuses."""
    return text.replace("\0", "\ufffd")


def _word(tier: str) -> str | None:
    """A service tier as a row has it; None for what an upstream made up, and no price list has rates for."""
    return tier if len(tier) <= _LONGEST_TIER and tier.isprintable() else None
