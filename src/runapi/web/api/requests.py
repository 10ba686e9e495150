"""GET /v1/requests and GET /v1/requests/{id}: what an account's requests did and cost."""

import msgspec

from runapi.core import problems
from runapi.core.account_problems import unknown_request
from runapi.core.keys import Principal
from runapi.flows.explain_request import explain_request
from runapi.flows.list_own_requests import DEFAULT_LISTED, MOST_LISTED, list_own_requests
from runapi.flows.show_requests import REQUEST_ID
from runapi.web.api.me import PRIVATE
from runapi.web.call import Call
from runapi.web.query import Query
from runapi.web.services import Services

PREFIX = "/v1/requests/"


async def list_requests(services: Services, call: Call, principal: Principal) -> None:
    """List the requests that have ended, newest first."""
    query = Query(call, ("limit", "after"))
    limit = query.read_whole("limit", 1, MOST_LISTED, DEFAULT_LISTED)
    after = query.read_text("after")
    if after is not None and not REQUEST_ID.fullmatch(after):
        raise problems.invalid_value(
            "after", "expected the id of a request, as `last_id` of a page gives it."
        )
    await services.front_desk.written()
    page = await services.database.run(list_own_requests, principal, limit=limit, after=after)
    await call.respond_json(200, msgspec.json.encode(page), PRIVATE)


async def retrieve_request(services: Services, call: Call, principal: Principal) -> None:
    """Explain one request."""
    Query(call)
    request_id = check_id(call.path.removeprefix(PREFIX))
    await services.front_desk.written()
    explanation = await services.database.run(explain_request, principal, request_id, services.public_url)
    await call.respond_json(200, msgspec.json.encode(explanation), PRIVATE)


def check_id(request_id: str) -> str:
    """Let through what can be the id of a request.

    Raises:
        Problem: 404, as for one that does not exist.
    """
    if not REQUEST_ID.fullmatch(request_id):
        raise unknown_request(request_id[:100])
    return request_id
