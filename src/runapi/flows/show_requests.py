"""Show the requests that were made, newest first, and one of them with all that is known of it."""

import re

import msgspec
from sqlalchemy import Connection

from runapi.core.keys import Mode
from runapi.core.money import usd
from runapi.core.records import RequestRecord
from runapi.flows.explain_request import Explanation, explain, find_any_request
from runapi.flows.office import CommandRefused, Office
from runapi.flows.operator_input import check_name, quoted
from runapi.flows.operator_rows import RequestRow, request_row
from runapi.store import accounts, keys, requests

MOST_ROWS = 1_000
REQUEST_ID = re.compile(r"req_[0-9a-f]{32}")
_QUOTED_ID = re.compile(r"\W*(?:[a-z]+[-_])?([0-9a-f]{32})\W*", re.IGNORECASE)
"""As it comes in a letter. Answers are named after their request too, where no upstream named them: chatcmpl-, resp_."""


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


class ShowRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str


class ShownRequest(Explanation, frozen=True, kw_only=True):
    """What its customer can be told of a request, and what is the operator's alone."""

    account: str
    upstream: str | None = None
    upstream_request_id: str | None = None
    upstream_error: str | None = None  # of the last attempt that failed
    upstream_cost_usd: str | None = None  # None: it runs
    upstream_cost_nano: str | None = None
    margin_usd: str | None = None  # what was charged less what the upstream charges; None for play money too
    margin_nano: str | None = None


def show_request(connection: Connection, _office: Office, asked: ShowRequest) -> ShownRequest:
    """Everything about one request, by the id that its client was given."""
    quoted_id = _QUOTED_ID.fullmatch(asked.id)
    if quoted_id is None:
        raise CommandRefused(
            f"{quoted(asked.id)} is not a request's id: they begin with req_, and clients find them in the header "
            "x-request-id."
        )
    request_id = f"req_{quoted_id[1].lower()}"
    found = find_any_request(connection, request_id)
    if found is None:
        raise CommandRefused(f"There is no request with the id {quoted(request_id)} in this installation.")
    told = msgspec.structs.asdict(explain(connection, found, public_url=""))
    account = accounts.name_of(connection, found.account_id)
    if not isinstance(found, RequestRecord):
        return ShownRequest(account=account, **told)
    margin_nano = found.cost_nano - found.upstream_cost_nano if found.mode is Mode.LIVE else None
    return ShownRequest(
        account=account,
        upstream=found.upstream,
        upstream_request_id=found.upstream_request_id,
        upstream_error=found.upstream_error,
        upstream_cost_usd=usd(found.upstream_cost_nano),
        upstream_cost_nano=str(found.upstream_cost_nano),
        margin_usd=None if margin_nano is None else usd(margin_nano),
        margin_nano=None if margin_nano is None else str(margin_nano),
        **told,
    )
