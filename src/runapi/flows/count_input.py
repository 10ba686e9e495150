"""Count the tokens of a request that is not made yet: the same count that stands in where an upstream reports none."""

import asyncio
from collections.abc import Callable

from runapi.core.catalog import Model
from runapi.core.keys import Principal
from runapi.core.problems import unknown_model
from runapi.flows.admit import Admission
from runapi.flows.front_desk import FrontDesk
from runapi.flows.stored_responses import StoredResponses
from runapi.wire.anthropic.ask import to_asked
from runapi.wire.anthropic.request import read_count_request
from runapi.wire.count_asked import count_asked
from runapi.wire.openai_responses.count_request import read_input_tokens_request
from runapi.wire.openai_responses.input_tokens import count_input


class InputCounter:
    """Counts for nothing, a few requests at a time."""

    def __init__(
        self,
        admission: Admission,
        desk: FrontDesk,
        find_model: Callable[[str], Model],
        stored_responses: StoredResponses,
    ) -> None:
        """Join the parts."""
        self._admission = admission
        self._desk = desk
        self._find_model = find_model
        self._stored_responses = stored_responses

    async def count_response(self, principal: Principal, body: bytes) -> int:
        """Count the body of POST /v1/responses, which here may leave the model out.

        Raises:
            Problem: 400, 404 or 410, it could not be served to anybody.
        """
        request = read_input_tokens_request(body)
        if request.model:
            self._check_model(principal, request.model)
        async with self._desk.counts:
            whole = await self._stored_responses.expand(principal, request)
            return await asyncio.to_thread(count_input, whole)

    async def count_message(self, principal: Principal, body: bytes) -> int:
        """Count the body of POST /v1/messages, which here may leave `max_tokens` out.

        Raises:
            Problem: 400, 404 or 410, it could not be served to anybody.
        """
        request = read_count_request(body)
        self._check_model(principal, request.model)
        async with self._desk.counts:
            return await asyncio.to_thread(lambda: count_asked(to_asked(request)))

    def _check_model(self, principal: Principal, model_id: str) -> None:
        model = self._find_model(model_id)
        if not self._admission.allows_model(principal, model.id):
            raise unknown_model(model.id)
