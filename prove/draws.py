"""Operations as a gateway asks for them, drawn by lot. What each costs is worked out here, apart from the product."""

from itertools import count
from random import Random

import msgspec

from runapi.core.idempotency import KeptAnswer
from runapi.core.keys import Mode
from runapi.core.ledger.books import TransferKind
from runapi.core.ledger.operations import (
    Checkpoint,
    ExtendHold,
    OpenHold,
    Operation,
    Post,
    Settle,
    Void,
    make_tid,
)
from runapi.core.price_book import CATALOGUE, Price
from runapi.core.pricing import PriceTable, Rates
from runapi.core.receipts import ReceiptSource
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage, UsageSource

AT_US = 1_700_000_000_000_000
MODEL = "gpt-5.5"
ENDPOINT = "/v1/chat/completions"
RATES = {1: Rates(700, 5_300, 310, 1_100), 2: Rates(1_300, 10_100, 0, 1_700)}
"""Pico-dollars per token of each price version: input, output, cached, cache write."""

_HASH = bytes(32)


def prices(version: int) -> list[Price]:
    """What is published as this version."""
    table = PriceTable(standard=RATES[version])
    return [Price(model=MODEL, ours=table, official=table, policy=CATALOGUE, source="")]


def cost_pico(version: int, usage: Usage) -> int:
    """What the usage costs at this version, in pico-dollars."""
    rates = RATES[version]
    parts = (
        (usage.input, rates.input),
        (usage.output, rates.output),
        (usage.cached, rates.cached),
        (usage.cache_write, rates.cache_write),
    )
    return sum(tokens * rate for tokens, rate in parts)


def round_up(pico: int) -> int:
    """Whole nano-dollars, the rest counted as one more."""
    whole, rest = divmod(pico, 1_000)
    return whole + (1 if rest else 0)


def payment(name: str, account_id: int, amount_nano: int, kind: TransferKind = TransferKind.TOPUP) -> Post:
    """A payment of this name, which happens once."""
    return Post(
        kind=kind,
        mode=Mode.LIVE,
        account_id=account_id,
        amount_nano=amount_nano,
        tid=make_tid(kind.value, name),
        at_us=AT_US,
        reference=name,
    )


def hold(
    request_id: str, account_id: int, amount_nano: int, *, least_nano: int | None = None, key_id: int = 1
) -> OpenHold:
    """A live hold at the first price, all or nothing unless `least_nano` says otherwise."""
    return OpenHold(
        request_id=request_id,
        account_id=account_id,
        mode=Mode.LIVE,
        amount_nano=amount_nano,
        least_nano=amount_nano if least_nano is None else least_nano,
        key_id=key_id,
        price_version=1,
        at_us=AT_US,
        endpoint=ENDPOINT,
        model=MODEL,
    )


def checkpoint(asked: OpenHold, usage: Usage) -> Checkpoint:
    """Note that a request has come so far."""
    return Checkpoint(
        request_id=asked.request_id,
        progress_pico=cost_pico(asked.price_version, usage),
        usage=_text(usage),
        at_us=AT_US,
    )


def settle(asked: OpenHold, usage: Usage) -> Settle:
    """End a request: with its row, what its receipt is made from, and the answer that its key repeats."""
    pico = cost_pico(asked.price_version, usage)
    receipt = ReceiptSource(
        request_id=asked.request_id,
        ended_us=AT_US,
        request_sha256=_HASH,
        response_sha256=_HASH,
        upstream_usage=None,
        price_version=asked.price_version,
        rates=RATES[asked.price_version],
    )
    return Settle(
        request_id=asked.request_id,
        amount_nano=round_up(pico),
        cost_pico=pico,
        usage=_text(usage),
        usage_source=UsageSource.REPORTED,
        at_us=AT_US,
        record=_record(asked, usage, pico),
        receipt=receipt,
        answer=KeptAnswer(asked.request_id, AT_US, b"sealed"),
    )


def void(asked: OpenHold) -> Void:
    """End a request that cost nothing."""
    free = _record(asked, Usage(), 0)
    return Void(request_id=asked.request_id, reason="upstream failed", at_us=AT_US, record=free)


def draw_usage(chance: Random, version: int, about_nano: int) -> Usage:
    """Tokens of every kind, that cost about so much or less."""
    rates, pico = RATES[version], about_nano * 1_000
    output = chance.randint(0, pico // 2 // rates.output)
    reasoning = chance.randint(0, output)
    return Usage(
        input=chance.randint(0, pico // 2 // rates.input),
        cached=chance.randint(0, 9),
        cache_write=chance.randint(0, 3),
        output=output,
        reasoning=reasoning,
    )


class Lots:
    """Draws what happens next. `run` begins every name, so that no two runs on one database share any."""

    def __init__(self, chance: Random, run: str, accounts: int) -> None:
        self._chance = chance
        self._run = run
        self._accounts = accounts
        self._numbers = count(1)

    def draw_hold(self) -> OpenHold:
        """A new request, of test mode now and then."""
        chance = self._chance
        wanted = hold(
            f"{self._run}-{next(self._numbers)}",
            chance.randint(1, self._accounts),
            chance.randint(20, 500),
            least_nano=1,
            key_id=chance.randint(1, 3),
        )
        mode = Mode.LIVE if chance.random() < 0.8 else Mode.TEST
        return msgspec.structs.replace(wanted, mode=mode, price_version=chance.choice(list(RATES)))

    def draw_next(self, asked: OpenHold, held_nano: int) -> Operation:
        """What may happen to an open request: it goes on, or it ends, now and then above its hold."""
        chance = self._chance
        drawn = chance.random()
        if drawn < 0.3:
            return checkpoint(asked, draw_usage(chance, asked.price_version, held_nano))
        if drawn < 0.4:
            more = chance.randint(1, 200)
            return ExtendHold(
                request_id=asked.request_id, number=1, amount_nano=more, least_nano=1, at_us=AT_US
            )
        if drawn < 0.6:
            return void(asked)
        return settle(asked, draw_usage(chance, asked.price_version, held_nano + held_nano // 2))

    def draw_payment(self) -> Post:
        """Money that comes, mostly; goes back; or is corrected."""
        chance = self._chance
        name, account_id = f"{self._run} payment {next(self._numbers)}", chance.randint(1, self._accounts)
        match chance.randrange(4):
            case 0:
                return payment(name, account_id, chance.randint(1, 50), TransferKind.REFUND)
            case 1:
                correction = chance.choice([-1, 1]) * chance.randint(1, 50)
                return payment(name, account_id, correction, TransferKind.ADJUST)
            case _:
                return payment(name, account_id, chance.randint(1, 2_000))


def _text(usage: Usage) -> str:
    return msgspec.json.encode(usage).decode()


def _record(asked: OpenHold, usage: Usage, pico: int) -> RequestRecord:
    """The request's own row."""
    return RequestRecord(
        id=asked.request_id,
        at_us=asked.at_us,
        account_id=asked.account_id,
        key_id=asked.key_id,
        mode=asked.mode,
        endpoint=asked.endpoint,
        model=asked.model,
        stream=asked.stream,
        status=200 if pico else 502,
        outcome=Outcome.COMPLETED if pico else Outcome.FAILED,
        usage=usage,
        usage_source=UsageSource.REPORTED,
        cost_pico=pico,
        cost_nano=round_up(pico),
    )
