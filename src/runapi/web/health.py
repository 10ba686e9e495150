"""GET /healthz (the process lives) and GET /readyz (it can serve)."""

from runapi.web.call import Call
from runapi.web.services import Services

_FRESH = (b"cache-control", b"no-store")


async def live(_services: Services, call: Call, _principal: None) -> None:
    """Answer 200 for as long as the process answers anything."""
    await call.respond_json(200, b'{"status":"ok"}', _FRESH)


async def ready(services: Services, call: Call, _principal: None) -> None:
    """Answer 200 while new requests are served; 503 before that, while the server stops, and without a ledger."""
    if services.ready and not services.stopping and not services.ledger.is_failing:
        await call.respond_json(200, b'{"status":"ready"}', _FRESH)
    else:
        await call.respond_json(503, b'{"status":"not ready"}', _FRESH)
