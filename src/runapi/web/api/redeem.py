"""POST /v1/redeem: credit an account with a code."""

import msgspec

from runapi.core.keys import Principal
from runapi.flows.redeem_own import redeem_own
from runapi.web.api.me import PRIVATE
from runapi.web.body import read_texts
from runapi.web.call import Call
from runapi.web.services import Services


async def redeem(services: Services, call: Call, principal: Principal) -> None:
    """Redeem the code in the body; a key that was refused for want of money is served again at once."""
    asked = await read_texts(services, call, ("code",))
    redeemed = await redeem_own(
        services.database, services.office, services.front_desk, principal, asked["code"]
    )
    services.admission.throttle.forget_account(principal.account_id)
    await call.respond_json(200, msgspec.json.encode(redeemed), PRIVATE)
