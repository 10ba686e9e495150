"""Say to a program whose key it has, and what that key may do. Limits are as this process has them in memory."""

from datetime import UTC, datetime, timedelta

import msgspec

from runapi.core.accounts import Key
from runapi.core.keys import DisconnectPolicy, Mode, ParameterPolicy
from runapi.core.limits import KeyLimits
from runapi.core.money import usd
from runapi.core.receipts import utc
from runapi.core.windows import SpendWindow
from runapi.flows.admit import Admission
from runapi.flows.office import Office

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACES = {
    "balance": "/v1/me/balance",
    "usage": "/v1/me/usage",
    "requests": "/v1/requests",
    "estimate": "/v1/estimate",
    "topups": "/v1/topups",
    "redeem": "/v1/redeem",
    "models": "/v1/models",
}


class SpendRow(msgspec.Struct, frozen=True, kw_only=True):
    """A spending limit of a key: what is spent of it, what running requests hold of it, and what is left."""

    limit_nano: str
    limit_usd: str
    spent_nano: str
    spent_usd: str
    held_nano: str
    left_nano: str
    left_usd: str
    resets_at: str | None  # None: never


class SpendRows(msgspec.Struct, frozen=True, kw_only=True):
    """The spending limits by their window; null is no limit."""

    day: SpendRow | None
    week: SpendRow | None
    month: SpendRow | None
    total: SpendRow | None


class LimitRows(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one key; null is no limit."""

    spend: SpendRows
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrent: int | None
    models: tuple[str, ...] | None
    networks: tuple[str, ...] | None
    expires_at: str | None


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """The key that was sent, without its secret part."""

    id: int
    prefix: str
    created_at: str
    on_disconnect: DisconnectPolicy
    on_refused_parameter: ParameterPolicy


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling."""

    object: str = "me"
    account: str
    mode: Mode
    key: KeyRow
    limits: LimitRows
    models: list[str]  # those that this key can call now
    links: dict[str, str]


def describe_key(key: Key, office: Office, admission: Admission, public_url: str) -> Me:
    """Describe the key of the caller; call it on the event loop, for its limits change there."""
    now_us = office.now_us()
    gate = admission.gates.get(key.id)
    limits = KeyLimits() if gate is None else gate.limits
    today = (_EPOCH + timedelta(microseconds=now_us)).date()
    return Me(
        account=key.account,
        mode=key.mode,
        key=KeyRow(
            id=key.id,
            prefix=key.prefix,
            created_at=utc(key.created_us),
            on_disconnect=key.on_disconnect,
            on_refused_parameter=key.on_refused_parameter,
        ),
        limits=_limit_rows(limits, () if gate is None else gate.windows(now_us)),
        models=[
            model.id
            for model in office.catalog.models.values()
            if not model.is_retired(today) and limits.allows_model(model.id) and admission.book.get(model.id)
        ],
        links={name: public_url + path for name, path in _PLACES.items()},
    )


def _limit_rows(limits: KeyLimits, windows: tuple[SpendWindow, ...]) -> LimitRows:
    rows = {window.span.value: _spend_row(window) for window in windows}
    return LimitRows(
        spend=SpendRows(
            day=rows.get("day"), week=rows.get("week"), month=rows.get("month"), total=rows.get("total")
        ),
        requests_per_minute=limits.requests_per_minute,
        tokens_per_minute=limits.tokens_per_minute,
        concurrent=limits.concurrent,
        models=limits.models,
        networks=limits.networks,
        expires_at=None if limits.expires_us is None else utc(limits.expires_us),
    )


def _spend_row(window: SpendWindow) -> SpendRow:
    left_nano = max(0, window.room_nano())
    return SpendRow(
        limit_nano=str(window.limit_nano),
        limit_usd=usd(window.limit_nano),
        spent_nano=str(window.spent_nano),
        spent_usd=usd(window.spent_nano),
        held_nano=str(window.reserved_nano),
        left_nano=str(left_nano),
        left_usd=usd(left_nano),
        resets_at=None if window.resets_us is None else utc(window.resets_us),
    )
