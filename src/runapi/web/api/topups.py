"""POST /v1/topups and GET /v1/topups/{id}: pay by the service's payment provider."""

import msgspec

from runapi.core.keys import Principal
from runapi.flows.own_top_ups import OwnTopUps
from runapi.web.api.me import PRIVATE
from runapi.web.body import read_texts
from runapi.web.call import Call
from runapi.web.query import Query
from runapi.web.services import Services

PREFIX = "/v1/topups/"
_FIELDS = ("amount_usd", "success_url", "cancel_url")


async def open_top_up(services: Services, call: Call, principal: Principal) -> None:
    """Open an order and the page on which it is paid."""
    asked = await read_texts(services, call, _FIELDS)
    opened = await _own(services).open(
        principal,
        asked["amount_usd"],
        success_url=asked["success_url"],
        cancel_url=asked["cancel_url"],
    )
    await call.respond_json(200, msgspec.json.encode(opened), PRIVATE)


async def retrieve_top_up(services: Services, call: Call, principal: Principal) -> None:
    """Say how an order stands."""
    Query(call)
    order = await _own(services).show(principal, call.path.removeprefix(PREFIX))
    await call.respond_json(200, msgspec.json.encode(order), PRIVATE)


def _own(services: Services) -> OwnTopUps:
    return OwnTopUps(services.top_ups, services.database, services.front_desk, services.admission.throttle)
