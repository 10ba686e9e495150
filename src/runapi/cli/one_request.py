"""One request in lines that a person reads: all that the JSON has, but for hashes and lines of nothing."""

from collections.abc import Iterator

from runapi.core.money import usd
from runapi.flows.explain_request import CostRow
from runapi.flows.show_requests import ShownRequest


def describe(request: ShownRequest) -> Iterator[str]:
    """Give the lines."""
    yield f"Request {request.id}: {request.state}."
    for name, text in (*_facts(request), *_money(request)):
        if text:
            yield f"  {f'{name}:' if name else '':<16} {text}"
    if request.receipt is not None:
        yield f"Its receipt: runapi receipts show {request.id}"


def _facts(request: ShownRequest) -> Iterator[tuple[str, str]]:
    key = request.key
    yield "at", f"{request.at} (UTC)"
    yield "account", f"{request.account}, key {key.id} ({key.prefix}), {request.mode}"
    yield "asked", f"{request.model} at {request.endpoint}{', as a stream' if request.stream else ''}"
    yield "left out", ", ".join(request.dropped)
    yield "told", _told(request)
    yield "upstream", _upstream(request)
    yield "upstream error", request.upstream_error or ""
    yield "waits", _waits(request)
    yield "held", _held(request)
    yield "tokens", _tokens(request)


def _money(request: ShownRequest) -> Iterator[tuple[str, str]]:
    cost = request.cost
    if cost is not None:
        yield "charged", f"{cost.charged_usd} USD, by price version {cost.price_version or '-'}"
        yield from (("", text) for text in _sums(cost))
    if request.upstream_cost_usd is not None:
        yield "upstream cost", f"{request.upstream_cost_usd} USD"
    if request.margin_usd is not None:
        yield "margin", f"{request.margin_usd} USD"
    for transfer in request.transfers:
        yield "ledger", f"row {transfer.seq}, {transfer.kind} {usd(int(transfer.amount_nano))} USD"


def _told(request: ShownRequest) -> str:
    if request.status is None:
        return "nothing yet: it runs"
    code = f" {request.error_code}" if request.error_code else ""
    left = "; the client left before the end" if request.client_left else ""
    return f"{request.status}{code} ({request.outcome}){left}"


def _upstream(request: ShownRequest) -> str:
    if request.upstream is None:
        return "none was asked" if request.attempts == 0 else ""
    tries = f"{request.attempts} attempt{'' if request.attempts == 1 else 's'}"
    theirs = f", its id {request.upstream_request_id}" if request.upstream_request_id else ""
    return f"{request.upstream} ({request.upstream_model}), {tries}{theirs}"


def _waits(request: ShownRequest) -> str:
    first, total = request.waits.first_byte_us, request.waits.total_us
    if total is None:
        return ""
    begun = "" if first is None else f"{_seconds(first)} to the first byte, "
    return f"{begun}{_seconds(total)} to the end"


def _held(request: ShownRequest) -> str:
    if request.hold is None:
        return ""
    cap = request.hold.output_cap
    return f"{request.hold.amount_usd} USD" + ("" if cap is None else f", for {cap} output tokens")


def _tokens(request: ShownRequest) -> str:
    used = request.usage
    if used is None or request.status is None:
        return ""
    counts = (
        f"{used.input} input, {used.cached} cached, {used.cache_write} cache write, {used.output} output "
        f"({used.reasoning} of it reasoning)"
    )
    tier = f", tier {request.service_tier}" if request.service_tier else ""
    return f"{counts}; {request.usage_source}{tier}"


def _sums(cost: CostRow) -> Iterator[str]:
    for line in cost.lines:
        if line.tokens:
            kind = line.kind.replace("_", " ")
            yield f"{kind}: {line.tokens} x {line.usd_per_1m} USD / 1M = {line.pico} pico-dollars"
    if cost.lines:
        yield f"sum: {cost.total_pico} pico-dollars, {cost.rounding_pico} added by rounding"
    if cost.written_off_nano != "0":
        yield f"written off: {usd(int(cost.written_off_nano))} USD beyond the hold"


def _seconds(elapsed_us: int) -> str:
    return f"{elapsed_us / 1_000_000:.3f} s"
