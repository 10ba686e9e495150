"""The endpoints that are answered by a model: POST /v1/chat/completions, /v1/responses, /v1/messages and the older ones.

They differ in how their requests are read; all take one way through `flows/relay.py`.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from runapi.core import bridge_problems
from runapi.core.keys import Principal
from runapi.core.problems import Problem
from runapi.flows.idempotency import Recorder
from runapi.flows.relay import Read
from runapi.web.api.large_bodies import is_small, room_for_body
from runapi.web.body import check_content_type, max_costs
from runapi.web.call import Call
from runapi.web.services import Services
from runapi.wire.endpoints.chat import ChatAsking
from runapi.wire.endpoints.messages import MessagesAsking
from runapi.wire.endpoints.older import ask_completion, ask_embeddings, ask_moderations
from runapi.wire.endpoints.responses import ResponsesAsking

Answer = Callable[..., Awaitable[None]]
Handler = Callable[[Services, Call, Principal], Awaitable[None]]


def _relayed(read: Read) -> Handler:
    """Make the handler of an endpoint whose requests are read so."""

    async def answer(services: Services, call: Call, principal: Principal) -> None:
        try:
            check_content_type(call)
            if is_small(call):
                body = await call.read_body(services.most_body_bytes, services.body_deadline())
            else:
                with room_for_body(services, call, principal):
                    body = await call.read_body(services.most_body_bytes, services.body_deadline())
        except Problem as problem:
            services.relay.note_refusal(principal, call.request_id, call.path, problem)
            raise
        answer = partial(
            services.relay.answer,
            principal,
            read,
            body,
            request_id=call.request_id,
            endpoint=call.path,
            headers=call.headers,
            max_costs=max_costs(call),
        )
        if b"idempotency-key" not in call.headers:
            await answer(client=call)
        else:
            await _answer_once(services, call, principal, body, answer)

    return answer


create_chat_completion = _relayed(ChatAsking)
create_response = _relayed(ResponsesAsking)
create_message = _relayed(MessagesAsking)
create_embeddings = _relayed(ask_embeddings)
create_completion = _relayed(ask_completion)
create_moderation = _relayed(ask_moderations)


async def list_chat_completions(_services: Services, _call: Call, _principal: Principal) -> None:
    """Refuse to list what is not kept.

    Raises:
        Problem: 400.
    """
    raise bridge_problems.chat_is_not_stored()


async def _answer_once(
    services: Services, call: Call, principal: Principal, body: bytes, answer: Answer
) -> None:
    """Answer a request under an idempotency key: it runs once, however often it is sent."""
    begun, key = False, call.headers[b"idempotency-key"]

    async def run(recorder: Recorder) -> None:
        nonlocal begun
        begun = True
        await answer(client=recorder.client, keep=recorder.keep)

    try:
        await services.idempotent.answer(
            principal, key, path=call.path, body=body, client=call, request_id=call.request_id, run=run
        )
    except Problem as problem:
        if not begun:
            services.relay.note_refusal(principal, call.request_id, call.path, problem)
        raise
