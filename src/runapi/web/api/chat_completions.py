"""POST /v1/chat/completions."""

from runapi.core import problems
from runapi.core.keys import Principal
from runapi.core.problems import Problem
from runapi.web.asgi import Call
from runapi.web.services import Services

_JSON = (b"application/json", b"text/plain")  # the latter is what a browser sends without asking first


async def create_chat_completion(services: Services, call: Call, principal: Principal) -> None:
    """Answer a Chat Completions request, streamed or whole."""
    try:
        _check_content_type(call)
        body = await call.read_body(services.most_body_bytes, services.body_deadline())
    except Problem as problem:
        services.relay.note_refusal(principal, call.request_id, problem)
        raise
    await services.relay.answer(principal, body, call, call.request_id)


def _check_content_type(call: Call) -> None:
    content_type = call.headers.get(b"content-type", b"application/json")
    if content_type not in _JSON and content_type.lower().partition(b";")[0].strip() not in _JSON:
        raise problems.wrong_content_type(content_type[:80].decode("latin-1"))
