"""POST /v1/chat/completions."""

from collections.abc import Awaitable, Callable
from functools import partial

from runapi.core.keys import Principal
from runapi.core.problems import Problem
from runapi.flows.idempotency import Recorder
from runapi.web.asgi import Call
from runapi.web.body import check_content_type, max_costs
from runapi.web.services import Services

Answer = Callable[..., Awaitable[None]]


async def create_chat_completion(services: Services, call: Call, principal: Principal) -> None:
    """Answer a Chat Completions request, streamed or whole."""
    try:
        check_content_type(call)
        body = await call.read_body(services.most_body_bytes, services.body_deadline())
    except Problem as problem:
        services.relay.note_refusal(principal, call.request_id, problem)
        raise
    answer = partial(
        services.relay.answer,
        principal,
        body,
        request_id=call.request_id,
        max_costs=max_costs(call),
    )
    if b"idempotency-key" not in call.headers:
        await answer(client=call)
    else:
        await _answer_once(services, call, principal, body, answer)


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
            services.relay.note_refusal(principal, call.request_id, problem)
        raise
