"""Show the requests that were made, newest first."""

import re

import msgspec
from sqlalchemy import Connection

from runapi.flows.office import CommandRefused, Office
from runapi.flows.operator_input import check_name, quoted
from runapi.flows.operator_rows import RequestRow, request_row
from runapi.store import keys, requests

MOST_ROWS = 1_000
REQUEST_ID = re.compile(r"req_[0-9a-f]{32}")


class ListRequests(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: int = 20
    account: str | None = None
    after: str | None = None  # the id of a request: only older ones are shown


def list_requests(connection: Connection, _office: Office, asked: ListRequests) -> list[RequestRow]:
    """The newest requests of one account or of all; `after` gives the next page."""
    if not 1 <= asked.limit <= MOST_ROWS:
        raise CommandRefused(f"The limit must be a whole number from 1 to {MOST_ROWS}, not {asked.limit}.")
    account = None if asked.account is None else check_name("account", asked.account)
    if asked.after is not None and not REQUEST_ID.fullmatch(asked.after):
        raise CommandRefused(f"{quoted(asked.after)} is not a request's id: they begin with req_.")
    records = requests.list_requests(connection, limit=asked.limit, account=account, after=asked.after)
    issued = {key.id: key for key in keys.list_keys(connection, account)}
    return [request_row(record, issued.get(record.key_id)) for record in records]
