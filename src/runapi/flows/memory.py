"""What is kept of an answer for the requests that come after it: the reasoning before its calls, and responses."""

import time
from collections.abc import Callable

from runapi.core.keys import Principal
from runapi.core.stored_responses import StoredResponse
from runapi.flows.exchange import Attempts, Exchange, origin_of
from runapi.flows.stored_responses import StoredResponses
from runapi.wire.endpoints.asking import Asking
from runapi.wire.endpoints.responses import ResponsesAsking
from runapi.wire.reasoning_memory import ReasoningMemory, Thought

_MOST_ENTRIES = 20_000
_MOST_BYTES = 64 * 1024 * 1024
_MOST_PER_KEY = 2_000
_MOST_AGE_S = 24 * 3600.0


class Memory:
    """The memory of one process. Reasoning is lost when it ends, and then thought anew; responses are not."""

    def __init__(self, responses: StoredResponses) -> None:
        self._responses = responses
        self._reasoning = ReasoningMemory(
            most_entries=_MOST_ENTRIES,
            most_bytes=_MOST_BYTES,
            most_per_key=_MOST_PER_KEY,
            most_age_s=_MOST_AGE_S,
        )

    def recall(self, principal: Principal) -> Callable[[str, str], Thought | None]:
        """Give what finds the thought of an upstream and model before a call: (origin, call id)."""
        key = str(principal.key_id)
        return lambda origin, call_id: self._reasoning.find(key, origin, call_id, time.monotonic())

    async def open(self, principal: Principal, asking: Asking) -> str | None:
        """Put what a request only names, being kept here, into it; give the upstream that can read it best.

        Raises:
            Problem: 400 or 404, it is not kept here.
        """
        if not isinstance(asking, ResponsesAsking):
            return None
        conversation = await self._responses.open(principal, asking.request)
        asking.continue_from(conversation.asked, conversation.request)
        return conversation.upstream

    async def keep(self, exchange: Exchange, attempts: Attempts, end: bytes) -> StoredResponse | None:
        """Keep the reasoning of an answer that is about to end; give what its settlement is to store.

        Args:
            exchange: the request.
            attempts: how it was answered.
            end: the last bytes of the answer.
        """
        deployment = attempts.deployment
        if deployment is not None:
            for thought in attempts.way.thoughts:
                key, origin = str(exchange.principal.key_id), origin_of(deployment)
                self._reasoning.keep(key, origin, thought, time.monotonic())
        asking = exchange.asking
        if isinstance(asking, ResponsesAsking) and asking.request.store:
            return await self._responses.to_stored(exchange.record, asking.request, end)
        return None
