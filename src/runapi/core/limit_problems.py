"""Problems of money and of a key's limits: the part of the closed list of `problems` that says "not now", or "not so".

402 stands for one thing alone, funds that only a payment can bring back: it is the one status on which nearly all
clients stop, and some lock the provider for ten minutes (openclaw.md 4). What passes with time is a 429.
"""

from datetime import UTC, datetime, timedelta

from runapi.core.money import usd
from runapi.core.problems import Problem, RateLimit
from runapi.core.windows import Span

WORTH_WAITING_S = 60
"""SDKs wait no longer than this for a retry; told a longer time they would only retry sooner."""

_ADJECTIVES = {Span.DAY: "Daily", Span.WEEK: "Weekly", Span.MONTH: "Monthly", Span.TOTAL: "Total"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def insufficient_credits(needed_nano: int, available_nano: int, explanation: str) -> Problem:
    """Refuse for want of funds; `explanation` is a sentence that says how to top up."""
    return Problem(
        402,
        f"Insufficient credits: this request needs at least ${usd(needed_nano)} and ${usd(available_nano)} is available. "
        f"{explanation}",
        type="insufficient_quota",
        code="insufficient_credits",
        should_retry=False,
    )


def too_many_strings(most: int) -> Problem:
    """Refuse a body that is short enough and takes seconds to read, before anybody knows whether it is paid for."""
    return Problem(
        413,
        f"The request body is too large: it holds more than {most:,} names and strings. Send fewer messages, tools or "
        "fields.",
        code="request_too_large",
        should_retry=False,
    )


def credits_held(held_nano: int, retry_after_s: int) -> Problem:
    """Refuse while the balance is set aside for running requests: an SDK's retry finds what they give back."""
    return Problem(
        429,
        f"The balance of this account is set aside for requests that are running (${usd(held_nano)}); what they do not "
        "use is given back when they end. Try again shortly, or send a lower max_completion_tokens, which sets less aside.",
        type="requests",
        code="credits_held",
        retry_after_s=retry_after_s,
    )


def account_frozen(explanation: str) -> Problem:
    """Refuse an account whose payment was taken back; `explanation` is a sentence that says whom to ask."""
    return Problem(
        402,
        f"Insufficient credits: this account is on hold after a payment was returned. {explanation}",
        type="insufficient_quota",
        code="account_on_hold",
        should_retry=False,
    )


def spend_limit_reached(span: Span, limit_nano: int, resets_us: int | None, retry_after_s: int) -> Problem:
    """Refuse a key that has spent what it may in a calendar window, or in all."""
    told = f"{_ADJECTIVES[span]} spending limit reached (${usd(limit_nano)} for this key)."
    if resets_us is None:
        return Problem(
            402,
            f"{told} Raise the limit, or use another key.",
            type="insufficient_quota",
            code="spend_limit_reached",
            should_retry=False,
        )
    return Problem(
        429,
        f"{told} Resets at {_minute(resets_us)}.",
        type="requests",
        code="spend_limit_reached",
        should_retry=False if retry_after_s > WORTH_WAITING_S else None,
        retry_after_s=retry_after_s,
    )


def spend_limit_held(span: Span, limit_nano: int, retry_after_s: int) -> Problem:
    """Refuse a key whose running requests have set aside all that is left: in words of a rate limit, as it is one."""
    rest = f"the rest of its {_ADJECTIVES[span].lower()} ${usd(limit_nano)}"
    return RateLimit(
        f"this key: {rest} is set aside for requests that still run",
        retry_after_s,
        ", or set a lower max_completion_tokens",
    )


def too_many_per_minute(what: str, most: int, retry_after_s: int) -> Problem:
    """Refuse a key over its `requests` or `tokens` per minute."""
    return RateLimit(f"this key: {most} {what} per minute", retry_after_s, counted=what)


def too_many_at_once(most: int, retry_after_s: int) -> Problem:
    return RateLimit(f"this key: {most} concurrent requests", retry_after_s)


def key_expired(expires_us: int) -> Problem:
    return Problem(
        401,
        f"This API key has expired: it was valid until {_minute(expires_us)}. Use another key.",
        code="key_expired",
        should_retry=False,
    )


def address_not_allowed(address: str) -> Problem:
    """Refuse a key outside its networks: 401 and this code are OpenAI's for it (a 403 stops more than it should)."""
    return Problem(
        401,
        f"IP not authorized: this API key is not for use from the address {address or 'that you call from'}. Add it to "
        "the key's networks.",
        code="ip_not_authorized",
        should_retry=False,
    )


def model_not_priced(model: str) -> Problem:
    """Refuse a model without a published price: it is never served for nothing."""
    return Problem(
        503,
        f"The model `{model}` has no published price yet and is not served. Use another model; the operator publishes "
        "prices with `runapi prices publish`.",
        type="service_unavailable_error",
        param="model",
        code="model_not_priced",
        should_retry=False,
    )


def max_cost_too_low(max_cost_nano: int, needed_nano: int) -> Problem:
    return Problem(
        400,
        f"The max_cost of ${usd(max_cost_nano)} is too low: at least ${usd(needed_nano)} must be set aside for the input "
        "and a short answer. Raise it, or send less.",
        param="max_cost",
        code="max_cost_too_low",
        should_retry=False,
    )


def ledger_unavailable() -> Problem:
    """Refuse while nothing can be set aside or charged durably."""
    return Problem(
        503,
        "The accounts cannot be written at the moment. Nothing was charged; try again in a few seconds.",
        type="service_unavailable_error",
        code="ledger_unavailable",
        retry_after_s=5,
    )


def _minute(at_us: int) -> str:
    """A UTC time as people and programs read it: 2026-11-23T00:00:00Z."""
    return (_EPOCH + timedelta(seconds=at_us // 1_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ")
