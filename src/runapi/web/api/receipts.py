"""GET /v1/requests/{id}/receipt, and GET /v1/receipts/key by which receipts are checked."""

import msgspec

from runapi.core.keys import Principal
from runapi.core.receipts import canonical
from runapi.flows.explain_request import give_own_receipt
from runapi.flows.sign_receipt import ShowKey, show_key
from runapi.web.api.me import PRIVATE
from runapi.web.api.requests import PREFIX, check_id
from runapi.web.call import Call
from runapi.web.query import Query
from runapi.web.services import Services

SUFFIX = "/receipt"


async def retrieve_receipt(services: Services, call: Call, principal: Principal) -> None:
    """Give the signed receipt of one request, in the form in which it is checked."""
    Query(call)
    request_id = check_id(call.path.removeprefix(PREFIX).removesuffix(SUFFIX))
    await services.front_desk.written()
    signed = await services.database.run(give_own_receipt, services.office, principal, request_id)
    await call.respond_json(200, canonical(signed), PRIVATE)


async def show_receipt_key(services: Services, call: Call, _principal: None) -> None:
    """Give the public key by which anybody can check receipts; it is read once, for it never changes."""
    Query(call)
    desk = services.front_desk
    if desk.receipt_key is None:
        desk.receipt_key = await services.database.run(show_key, services.office, ShowKey())
    await call.respond_json(200, msgspec.json.encode(desk.receipt_key))
