"""POST /v1/chat/completions."""

from runapi.core import problems
from runapi.core.keys import Principal
from runapi.web.asgi import Call
from runapi.web.services import Services


async def create_chat_completion(services: Services, call: Call, principal: Principal) -> None:
    """Answer a Chat Completions request, streamed or whole."""
    content_type = call.headers.get(b"content-type", b"application/json")
    if not content_type.lower().startswith((b"application/json", b"text/plain")):
        raise problems.wrong_content_type(content_type[:80].decode("latin-1"))
    body = await call.read_body(services.most_body_bytes, services.body_deadline())
    await services.relay.answer(principal, body, call, call.request_id)
