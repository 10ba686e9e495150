"""List an account's requests to its own programs, newest first, in the shape of OpenAI's lists."""

import msgspec
from sqlalchemy import Connection

from runapi.core.account_problems import unknown_request
from runapi.core.keys import Mode, Principal
from runapi.core.money import usd
from runapi.core.receipts import utc
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage, UsageSource
from runapi.flows.explain_request import is_own
from runapi.store import requests

MOST_LISTED = 100
DEFAULT_LISTED = 20


class OwnRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request that has ended; its whole explanation stands under its id."""

    object: str = "request"
    id: str
    at: str
    mode: Mode
    key_id: int
    endpoint: str
    model: str
    stream: bool
    status: int
    outcome: Outcome
    error_code: str | None
    client_left: bool
    attempts: int
    total_us: int
    usage: Usage
    usage_source: UsageSource
    cost_nano: str
    cost_usd: str


class RequestList(msgspec.Struct, frozen=True, kw_only=True):
    """A page; `last_id` is the next page's `after`."""

    object: str = "list"
    data: list[OwnRequest]
    first_id: str | None
    last_id: str | None
    has_more: bool


def list_own_requests(
    connection: Connection, principal: Principal, *, limit: int, after: str | None
) -> RequestList:
    """Give one page of the requests that the caller's account made in the key's mode.

    Raises:
        Problem: 404, `after` is none of them.
    """
    last = None
    if after is not None:
        last = requests.find_request(connection, after)
        if last is None or not is_own(principal, last):
            raise unknown_request(after, "after")
    found = requests.list_own_requests(
        connection, principal.account_id, principal.mode, limit=limit + 1, after=last
    )
    data = [_row(record) for record in found[:limit]]
    return RequestList(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > limit,
    )


def _row(record: RequestRecord) -> OwnRequest:
    return OwnRequest(
        id=record.id,
        at=utc(record.at_us),
        mode=record.mode,
        key_id=record.key_id,
        endpoint=record.endpoint,
        model=record.model,
        stream=record.stream,
        status=record.status,
        outcome=record.outcome,
        error_code=record.error_code,
        client_left=record.client_left,
        attempts=record.attempts,
        total_us=record.total_us,
        usage=record.usage,
        usage_source=record.usage_source,
        cost_nano=str(record.cost_nano),
        cost_usd=usd(record.cost_nano),
    )
