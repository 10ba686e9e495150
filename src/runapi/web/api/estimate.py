"""POST /v1/estimate: what a Chat Completions request would cost."""

import msgspec

from runapi.core.keys import Principal
from runapi.flows.estimate_request import Estimator
from runapi.web.api.large_bodies import room_for_body
from runapi.web.api.me import PRIVATE
from runapi.web.body import check_content_type, max_costs
from runapi.web.call import Call
from runapi.web.services import Services


async def estimate(services: Services, call: Call, principal: Principal) -> None:
    """Estimate a request, given the body that POST /v1/chat/completions takes."""
    check_content_type(call)
    estimator = Estimator(
        services.database, services.admission, services.front_desk, services.relay.find_model
    )
    with room_for_body(services, call, principal):
        body = await call.read_body(services.most_body_bytes, services.body_deadline())
        estimated = await estimator.estimate(principal, body, max_costs(call))
    await call.respond_json(200, msgspec.json.encode(estimated), PRIVATE)
