"""GET /v1/me, /v1/me/balance and /v1/me/usage: what a key is, may do, and has."""

from datetime import date, timedelta

import msgspec

from runapi.core import problems
from runapi.core.keys import Principal
from runapi.flows.describe_key import describe_key
from runapi.flows.show_balance import show_balance
from runapi.flows.show_usage import DEFAULT_DAYS, GROUPS, MOST_DAYS, UsageAsked, show_usage, today
from runapi.store.keys import find_key
from runapi.web.call import Call
from runapi.web.query import Query
from runapi.web.services import Services

PRIVATE = (b"cache-control", b"no-store")


async def show_me(services: Services, call: Call, principal: Principal) -> None:
    """Say whose the key is, and what it may do."""
    Query(call)
    key = await services.database.run(find_key, str(principal.key_id))
    me = describe_key(key, services.office, services.admission, services.public_url)
    await call.respond_json(200, msgspec.json.encode(me), PRIVATE)


async def show_my_balance(services: Services, call: Call, principal: Principal) -> None:
    """Say what the account has in the key's mode."""
    Query(call)
    balance = await services.database.run(show_balance, principal)
    await call.respond_json(200, msgspec.json.encode(balance), PRIVATE)


async def show_my_usage(services: Services, call: Call, principal: Principal) -> None:
    """Add up what the account consumed in the key's mode."""
    asked = _read_usage(Query(call, ("group_by", "start", "end")), services.office.now_us())
    report = await show_usage(services.database, services.front_desk, principal, asked)
    await call.respond_json(200, msgspec.json.encode(report), PRIVATE)


def _read_usage(query: Query, now_us: int) -> UsageAsked:
    last = query.read_day("end", today(now_us))
    month = min(timedelta(days=DEFAULT_DAYS - 1), last - date.min)  # there is no day before the first
    first = query.read_day("start", last - month)
    if not 0 <= (last - first).days < MOST_DAYS:
        raise problems.invalid_value(
            "start", f"expected a day not after 'end', and at most {MOST_DAYS} days in all."
        )
    return UsageAsked(first, last, query.read_words("group_by", GROUPS))
