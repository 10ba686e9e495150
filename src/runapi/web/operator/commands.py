"""POST /admin/v1/{command}: the operator's commands, for who holds the token in server.json."""

from runapi.web.call import Call
from runapi.web.operator.admin import handle
from runapi.web.services import Services

PREFIX = "/admin/v1/"


async def perform_command(services: Services, call: Call, _principal: None) -> None:
    """Carry out one command; the edge has checked the token."""
    body = await call.read_body(services.most_body_bytes, services.body_deadline())
    status, reply = await handle(services.desk, call.path.removeprefix(PREFIX), body)
    await call.respond_json(status, reply)
