"""Explain one request to who paid for it: what was held, what was consumed, each line of the arithmetic, each transfer.

Nothing here tells which upstream answered, nor how it is reached.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec
from sqlalchemy import Connection

from runapi.core.account_problems import no_receipt, unknown_request
from runapi.core.keys import Mode, Principal
from runapi.core.ledger.books import Transfer, TransferKind
from runapi.core.money import PICO_PER_NANO, nano_from_pico, usd, usd_per_1m
from runapi.core.pricing import Rates, rates_for
from runapi.core.receipts import KINDS, ReceiptSource, SignedReceipt, TransferRef, utc
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage, UsageSource
from runapi.flows.office import Office
from runapi.flows.sign_receipt import give_receipt
from runapi.store.faults import NotFound
from runapi.store.ledger.customers import read_transfers
from runapi.store.ledger.open_holds import RunningHold, find_open_hold
from runapi.store.prices import find_price
from runapi.store.receipts import find_source, key_prefix
from runapi.store.requests import find_request


class RequestState(StrEnum):
    """Where a request stands in the ledger."""

    RUNNING = "running"  # its hold is open
    SETTLED = "settled"  # it was charged
    VOIDED = "voided"  # its hold was given back, and nothing was charged
    EXPIRED = "expired"  # ... because nobody looked after it any more
    REFUSED = "refused"  # nothing was held
    UNHELD = "unheld"  # it ended before anything was held, or is older than the ledger


_ENDINGS = {
    TransferKind.SETTLE: RequestState.SETTLED,
    TransferKind.VOID: RequestState.VOIDED,
    TransferKind.EXPIRE: RequestState.EXPIRED,
}


class KeyRef(msgspec.Struct, frozen=True):
    """The key that made the request."""

    id: int
    prefix: str


class Waits(msgspec.Struct, frozen=True):
    """Elapsed microseconds since the request arrived; None where it never came to it."""

    first_byte_us: int | None
    total_us: int | None


class HoldRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was set aside, and the output tokens of each choice that it pays for."""

    amount_nano: str
    amount_usd: str
    output_cap: int | None  # None: not known yet, or no more


class LineRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of arithmetic: tokens x rate_pico = pico, in pico-dollars."""

    kind: str
    tokens: int
    usd_per_1m: str
    rate_pico: str
    pico: str


class CostRow(msgspec.Struct, frozen=True, kw_only=True):
    """From tokens to the charge: the sum of the lines, rounded up once to nano-dollars."""

    price_version: int | None
    lines: list[LineRow]
    total_pico: str
    rounding_pico: str  # what the rounding added
    charged_nano: str
    charged_usd: str
    written_off_nano: str  # what went beyond the hold, and is not charged


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a request."""

    object: str = "request"
    id: str
    state: RequestState
    at: str
    mode: Mode
    key: KeyRef
    endpoint: str
    model: str
    upstream_model: str | None = None
    stream: bool
    status: int | None = None
    outcome: Outcome | None = None
    error_code: str | None = None
    client_left: bool = False
    attempts: int | None = None
    waits: Waits
    dropped: tuple[str, ...] = ()
    hold: HoldRow | None
    usage: Usage | None = None
    usage_source: UsageSource = UsageSource.NONE
    service_tier: str | None = None
    cost: CostRow | None = None
    transfers: list[TransferRef]
    receipt: str | None = None  # where it is


def explain_request(
    connection: Connection, principal: Principal, request_id: str, public_url: str
) -> Explanation:
    """Explain a request of the caller's account and mode.

    Raises:
        Problem: 404, there is none.
    """
    found = find_any_request(connection, request_id)
    if found is None or not is_own(principal, found):
        raise unknown_request(request_id)
    return explain(connection, found, public_url)


def find_any_request(connection: Connection, request_id: str) -> RequestRecord | RunningHold | None:
    """Give the row of a request that has ended, or the hold of one that runs, whoever made it."""
    return find_request(connection, request_id) or find_open_hold(connection, request_id)


def explain(connection: Connection, found: RequestRecord | RunningHold, public_url: str) -> Explanation:
    """Explain what `find_any_request` gave."""
    if isinstance(found, RequestRecord):
        return _explain_ended(connection, found, public_url)
    return _explain_running(connection, found)


def give_own_receipt(
    connection: Connection, office: Office, principal: Principal, request_id: str
) -> SignedReceipt:
    """Sign the receipt of a request of the caller's account and mode.

    Raises:
        Problem: 404, there is no such request, or it has no receipt.
        ReceiptImpossible: what is stored does not add up; nothing is signed.
    """
    found = find_any_request(connection, request_id)
    if found is None or not is_own(principal, found):
        raise unknown_request(request_id)
    if not isinstance(found, RequestRecord):
        raise no_receipt(request_id)
    try:
        return give_receipt(connection, office, request_id, principal.account_id)
    except NotFound:
        raise no_receipt(request_id) from None


def is_own(principal: Principal, thing: RequestRecord | RunningHold) -> bool:
    """Whether the caller may see it: it is of the same account, and of the same mode."""
    return (thing.account_id, thing.mode) == (principal.account_id, principal.mode)


def _explain_running(connection: Connection, running: RunningHold) -> Explanation:
    transfers = read_transfers(connection, running.request_id)
    return Explanation(
        id=running.request_id,
        state=RequestState.RUNNING,
        at=utc(running.at_us),
        mode=running.mode,
        key=KeyRef(running.key_id, key_prefix(connection, running.key_id)),
        endpoint=running.endpoint,
        model=running.model,
        stream=running.stream,
        waits=Waits(None, None),
        hold=_hold_row(running.amount_nano, None),
        transfers=[TransferRef.of(row) for row in transfers],
    )


def _explain_ended(connection: Connection, record: RequestRecord, public_url: str) -> Explanation:
    transfers = read_transfers(connection, record.id)
    held = [row.amount for row in transfers if row.kind in {TransferKind.HOLD, TransferKind.EXTEND}]
    found = find_source(connection, record.id)
    return Explanation(
        id=record.id,
        state=_state(record, transfers),
        at=utc(record.at_us),
        mode=record.mode,
        key=KeyRef(record.key_id, key_prefix(connection, record.key_id)),
        endpoint=record.endpoint,
        model=record.model,
        upstream_model=record.upstream_model,
        stream=record.stream,
        status=record.status,
        outcome=record.outcome,
        error_code=record.error_code,
        client_left=record.client_left,
        attempts=record.attempts,
        waits=Waits(record.first_byte_us, record.total_us),
        dropped=record.dropped,
        hold=_hold_row(sum(held), record.output_cap) if held else None,
        usage=record.usage,
        usage_source=record.usage_source,
        service_tier=record.service_tier,
        cost=_cost_row(connection, record, transfers, None if found is None else found[0]),
        transfers=[TransferRef.of(row) for row in transfers],
        receipt=None if found is None else f"{public_url}/v1/requests/{record.id}/receipt",
    )


def _state(record: RequestRecord, transfers: Sequence[Transfer]) -> RequestState:
    for row in transfers:
        ending = _ENDINGS.get(TransferKind(row.kind))
        if ending is not None:
            return ending
    return RequestState.REFUSED if record.outcome is Outcome.REFUSED else RequestState.UNHELD


def _hold_row(amount_nano: int, output_cap: int | None) -> HoldRow:
    return HoldRow(amount_nano=str(amount_nano), amount_usd=usd(amount_nano), output_cap=output_cap)


def _cost_row(
    connection: Connection, record: RequestRecord, transfers: Sequence[Transfer], source: ReceiptSource | None
) -> CostRow:
    version = next((row.price_version for row in transfers), None) if source is None else source.price_version
    rates = _priced_at(connection, record, version) if source is None else source.rates
    total_nano = nano_from_pico(record.cost_pico)
    written_off_nano = sum(row.amount for row in transfers if row.kind == TransferKind.WRITE_OFF)
    return CostRow(
        price_version=version,
        lines=_lines(record, rates),
        total_pico=str(record.cost_pico),
        rounding_pico=str(total_nano * PICO_PER_NANO - record.cost_pico),
        charged_nano=str(record.cost_nano),
        charged_usd=usd(record.cost_nano),
        written_off_nano=str(written_off_nano),
    )


def _priced_at(connection: Connection, record: RequestRecord, version: int | None) -> Rates | None:
    """The rates of a request without a receipt: one that was ended after a crash."""
    price = None if version is None else find_price(connection, version, record.model)
    return None if price is None else rates_for(price.ours, record.usage, record.service_tier)


def _lines(record: RequestRecord, rates: Rates | None) -> list[LineRow]:
    """The lines that make up the charge; none where nothing was charged, or they are not known to be right."""
    if rates is None or not record.cost_pico:
        return []
    lines = []
    for kind in KINDS:
        tokens, rate = getattr(record.usage, kind), getattr(rates, kind)
        lines.append((kind, tokens, rate, tokens * rate))
    if sum(pico for *_, pico in lines) != record.cost_pico:
        return []
    return [
        LineRow(kind=kind, tokens=tokens, usd_per_1m=usd_per_1m(rate), rate_pico=str(rate), pico=str(pico))
        for kind, tokens, rate, pico in lines
    ]
