"""What operator commands show: plain rows whose fields are the JSON that scripts read. No I/O.

Amounts are exact decimal strings; times are UTC in ISO 8601 with microseconds.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import msgspec

from runapi.core.accounts import Account, Key
from runapi.core.catalog import Model
from runapi.core.dialects import Dialect
from runapi.core.keys import DisconnectPolicy, Mode, ParameterPolicy
from runapi.core.ledger.books import Balance
from runapi.core.money import usd, usd_per_1m
from runapi.core.pricing import Rates
from runapi.core.records import Outcome, RequestRecord
from runapi.core.routing import COST_RATIO_ONE_PPM, Upstream, UpstreamAuth
from runapi.core.usage import Usage, UsageSource

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AccountBalance(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has in one mode."""

    posted_nano: str
    posted_usd: str
    held_nano: str  # set aside for requests that run
    held_usd: str
    available_nano: str  # posted - held
    available_usd: str
    frozen: bool  # a refund or chargeback left it below zero: its requests are refused until it is topped up


class AccountRow(msgspec.Struct, frozen=True):
    id: int
    name: str
    created_at: str
    balances: dict[Mode, AccountBalance]


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret."""

    id: int
    prefix: str
    account: str
    mode: Mode
    on_disconnect: DisconnectPolicy
    on_refused_parameter: ParameterPolicy
    created_at: str
    revoked_at: str | None


class AccountWithKeys(msgspec.Struct, frozen=True):
    id: int
    name: str
    created_at: str
    balances: dict[Mode, AccountBalance]
    keys: list[KeyRow]


class IssuedKey(msgspec.Struct, frozen=True, kw_only=True):
    """The one time that a key is shown."""

    key: str
    id: int
    prefix: str
    account: str
    mode: Mode
    on_disconnect: DisconnectPolicy
    on_refused_parameter: ParameterPolicy
    created_at: str


class UpstreamRow(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream; of its key only that there is one."""

    name: str
    base_url: str  # as it can be given again: with its query
    dialects: tuple[Dialect, ...]
    auth: UpstreamAuth
    key: str = "set"
    models: dict[str, str]  # our model id -> theirs
    priority: int
    cost_ratio: str


class TriedUpstream(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    ok: bool
    status: int | None
    latency_ms: int
    detail: str
    unlisted: list[str]  # names we would call there that it does not list


class RequestRow(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    at: str
    account: str
    key: str  # its visible prefix
    key_id: int
    mode: Mode
    endpoint: str
    model: str
    stream: bool
    status: int
    outcome: Outcome
    error_code: str | None
    client_left: bool
    upstream: str | None
    upstream_model: str | None
    upstream_request_id: str | None
    upstream_error: str | None  # of the last attempt that failed
    attempts: int
    first_byte_us: int | None
    total_us: int
    usage: Usage
    usage_source: UsageSource
    service_tier: str | None
    cost_usd: str
    cost_nano: str
    upstream_cost_usd: str
    upstream_cost_nano: str
    dropped: tuple[str, ...]


class PriceRow(msgspec.Struct, frozen=True):
    """USD per 1,000,000 tokens, as decimals."""

    input: str
    cached: str
    output: str


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    owned_by: str
    status: str
    released: date
    shutdown_date: date | None
    successor: str | None
    context_window: int
    max_input_tokens: int
    max_output_tokens: int
    efforts: tuple[str, ...]
    default_effort: str | None
    endpoints: tuple[str, ...]
    price: PriceRow
    official_price: PriceRow
    long_threshold: int | None
    long_price: PriceRow | None


def utc(at_us: int) -> str:
    """Unix microseconds as ISO 8601 in UTC: 2026-11-22T09:30:00.000000Z."""
    at = EPOCH + timedelta(microseconds=at_us)
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def account_row(account: Account, balances: Mapping[Mode, Balance]) -> AccountRow:
    shown = {mode: balance_of(balances.get(mode, Balance())) for mode in Mode}
    return AccountRow(account.id, account.name, utc(account.created_us), shown)


def balance_of(balance: Balance) -> AccountBalance:
    return AccountBalance(
        posted_nano=str(balance.posted),
        posted_usd=usd(balance.posted),
        held_nano=str(balance.held),
        held_usd=usd(balance.held),
        available_nano=str(balance.available),
        available_usd=usd(balance.available),
        frozen=not balance.guarded,
    )


def key_row(key: Key) -> KeyRow:
    return KeyRow(
        id=key.id,
        prefix=key.prefix,
        account=key.account,
        mode=key.mode,
        on_disconnect=key.on_disconnect,
        on_refused_parameter=key.on_refused_parameter,
        created_at=utc(key.created_us),
        revoked_at=None if key.revoked_us is None else utc(key.revoked_us),
    )


def issued_key(key: Key, secret: str) -> IssuedKey:
    return IssuedKey(
        key=secret,
        id=key.id,
        prefix=key.prefix,
        account=key.account,
        mode=key.mode,
        on_disconnect=key.on_disconnect,
        on_refused_parameter=key.on_refused_parameter,
        created_at=utc(key.created_us),
    )


def upstream_row(upstream: Upstream) -> UpstreamRow:
    whole, part = divmod(upstream.cost_ratio_ppm, COST_RATIO_ONE_PPM)
    return UpstreamRow(
        name=upstream.name,
        base_url=f"{upstream.base_url}?{upstream.query}" if upstream.query else upstream.base_url,
        dialects=upstream.dialects,
        auth=upstream.auth,
        models=dict(upstream.models),
        priority=upstream.priority,
        cost_ratio=f"{whole}.{part:06d}".rstrip("0").rstrip("."),
    )


def request_row(record: RequestRecord, key: Key | None) -> RequestRow:
    """Join a record with the key that made it."""
    return RequestRow(
        id=record.id,
        at=utc(record.at_us),
        account=key.account if key else str(record.account_id),
        key=key.prefix if key else "",
        key_id=record.key_id,
        mode=record.mode,
        endpoint=record.endpoint,
        model=record.model,
        stream=record.stream,
        status=record.status,
        outcome=record.outcome,
        error_code=record.error_code,
        client_left=record.client_left,
        upstream=record.upstream,
        upstream_model=record.upstream_model,
        upstream_request_id=record.upstream_request_id,
        upstream_error=record.upstream_error,
        attempts=record.attempts,
        first_byte_us=record.first_byte_us,
        total_us=record.total_us,
        usage=record.usage,
        usage_source=record.usage_source,
        service_tier=record.service_tier,
        cost_usd=usd(record.cost_nano),
        cost_nano=str(record.cost_nano),
        upstream_cost_usd=usd(record.upstream_cost_nano),
        upstream_cost_nano=str(record.upstream_cost_nano),
        dropped=record.dropped,
    )


def price_row(rates: Rates) -> PriceRow:
    return PriceRow(usd_per_1m(rates.input), usd_per_1m(rates.cached), usd_per_1m(rates.output))


def model_row(model: Model, today: date) -> ModelRow:
    """A model as it stands on `today`."""
    return ModelRow(
        id=model.id,
        owned_by=model.owned_by,
        status="retired" if model.is_retired(today) else "active",
        released=model.released,
        shutdown_date=model.shutdown_date,
        successor=model.successor,
        context_window=model.context_window,
        max_input_tokens=model.max_input_tokens,
        max_output_tokens=model.max_output_tokens,
        efforts=model.efforts,
        default_effort=model.default_effort,
        endpoints=model.endpoints,
        price=price_row(model.ours.standard),
        official_price=price_row(model.official.standard),
        long_threshold=model.ours.long_threshold,
        long_price=None if model.ours.long is None else price_row(model.ours.long),
    )
