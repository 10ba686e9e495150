"""Note durably what a running stream has cost so far: what it is charged should this process die (P5).

An answer of which less than a cent was delivered is not noted, and free after a crash.
"""

import asyncio
import time

import structlog

from runapi.core.admission import BYTES_PER_TOKEN, priced_tier
from runapi.core.ledger.operations import Checkpoint
from runapi.core.ledger.recover import write_usage
from runapi.core.money import PICO_PER_NANO
from runapi.core.pricing import charge
from runapi.core.usage import Usage
from runapi.flows.admit import Hold
from runapi.flows.estimate import count_output
from runapi.store.ledger.writer import LedgerWriter
from runapi.wire.endpoints.asking import Asking
from runapi.wire.endpoints.way import Stream

EVERY_S = 2.0
STEP_PICO = 10_000_000 * PICO_PER_NANO  # a cent
_log = structlog.get_logger("runapi.checkpoint")


class Checkpoints:
    """The checkpoints of one stream. `look` costs next to nothing until another cent was delivered."""

    def __init__(self, ledger: LedgerWriter, hold: Hold, asking: Asking, request_id: str) -> None:
        self._ledger = ledger
        self._hold = hold
        self._asking = asking
        self._request_id = request_id
        self._input: int | None = None  # tokens, once they were counted
        self._noted_pico = 0
        self._due_s = 0.0
        self._counting: asyncio.Task[None] | None = None

    def look(self, now_s: float, stream: Stream) -> float:
        """Begin a checkpoint if one is worth it; give the time to look again."""
        if now_s >= self._due_s:
            self._due_s = now_s + EVERY_S
            if self._counting is None and self._guess_pico(stream) - self._noted_pico >= STEP_PICO:
                self._counting = asyncio.create_task(self._note(stream))
        return self._due_s

    def stop(self) -> None:
        """Note nothing more: the request is being ended."""
        if self._counting is not None:
            self._counting.cancel()

    def _guess_pico(self, stream: Stream) -> int:
        """Guess quickly what has been delivered is worth; only to see whether counting pays."""
        if not stream.delivers:
            return 0
        rates = self._hold.price.ours.standard
        known = self._input
        size = self._asking.input_bytes // BYTES_PER_TOKEN if known is None else known
        return size * rates.input + stream.text_length // BYTES_PER_TOKEN * rates.output

    async def _note(self, stream: Stream) -> None:
        """Count what was delivered, in a thread, and note its price."""
        text, length = stream.text, stream.text_length
        try:
            if self._input is None:
                self._input = await asyncio.to_thread(self._asking.count_input)
            usage = Usage(input=self._input, output=await asyncio.to_thread(count_output, text, length))
            ours, tier = self._hold.price.ours, priced_tier(self._hold.asked_tier, stream.service_tier)
            self._noted_pico = charge(ours, usage).pico  # a recovered request is priced as standard
            if charge(ours, usage, tier).pico < self._noted_pico:
                return  # flex: what was delivered is worth less than that
            self._ledger.note(
                Checkpoint(
                    request_id=self._request_id,
                    progress_pico=self._noted_pico,
                    usage=write_usage(usage),
                    at_us=time.time_ns() // 1_000,
                )
            )
        except Exception:  # noqa: BLE001 - a background task: without this checkpoint a crash costs the operator more
            _log.exception("checkpoint failed", request_id=self._request_id)
        finally:
            self._counting = None
