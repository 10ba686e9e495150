"""POST /v1/responses/input_tokens and POST /v1/messages/count_tokens: how many tokens a request would have."""

import msgspec

from runapi.core.keys import Principal
from runapi.flows.count_input import InputCounter
from runapi.web.api.large_bodies import room_for_body
from runapi.web.api.me import PRIVATE
from runapi.web.body import check_content_type
from runapi.web.call import Call
from runapi.web.services import Services


class _ResponseTokens(msgspec.Struct, frozen=True):
    input_tokens: int
    object: str = "response.input_tokens"


class _MessageTokens(msgspec.Struct, frozen=True):
    input_tokens: int


async def count_response_input(services: Services, call: Call, principal: Principal) -> None:
    """Count the input of a Responses request."""
    with room_for_body(services, call, principal):
        body = await _read_body(services, call)
        counted = _ResponseTokens(await _counter(services).count_response(principal, body))
    await call.respond_json(200, msgspec.json.encode(counted), PRIVATE)


async def count_message_input(services: Services, call: Call, principal: Principal) -> None:
    """Count the input of a Messages request; refusals are rendered in Anthropic's shape by the edge."""
    with room_for_body(services, call, principal):
        body = await _read_body(services, call)
        counted = _MessageTokens(await _counter(services).count_message(principal, body))
    await call.respond_json(200, msgspec.json.encode(counted), PRIVATE)


async def _read_body(services: Services, call: Call) -> bytes:
    check_content_type(call)
    return await call.read_body(services.most_body_bytes, services.body_deadline())


def _counter(services: Services) -> InputCounter:
    return InputCounter(
        services.admission, services.front_desk, services.relay.find_model, services.stored_responses
    )
