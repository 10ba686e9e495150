"""`POST /admin/v1/{command}`: one operator command, a JSON object in, a result or an error out.

The edge has checked the token of server.json before this is called.
"""

from http import HTTPStatus

import msgspec

from runapi.core.problems import Problem
from runapi.flows.desk import CommandDesk, UnknownCommand
from runapi.flows.office import CommandRefused
from runapi.store.faults import StoreFault


async def handle(desk: CommandDesk, command: str, body: bytes) -> tuple[int, bytes]:
    """Carry out `command` with the parameters in `body`; give a status and a JSON body."""
    try:
        return HTTPStatus.OK, await desk.perform(command, body)
    except UnknownCommand as refusal:
        problem = Problem(HTTPStatus.NOT_FOUND, str(refusal), code="unknown_command")
    except CommandRefused as refusal:
        problem = Problem(HTTPStatus.BAD_REQUEST, str(refusal), code="command_refused")
    except StoreFault as fault:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        problem = Problem(status, str(fault), type="server_error", code="store_failed")
    return problem.status, msgspec.json.encode(problem.body())
