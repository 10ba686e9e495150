"""Customers who want everything at once: whole and streamed, short and long, and a part of them with bad luck."""

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random

import msgspec

from prove.aftermath import Row
from prove.calculator import PriceList, Tokens, cost
from prove.provider import Conduct, Plan, Provider
from prove.served import RICH_USD, Served
from prove.traffic import Told, write_body, write_usage
from runapi.core.keys import DisconnectPolicy, Mode
from runapi.core.usage import UsageSource

MAIN, DOUBLE, LIMITED, UNREACHABLE = "gpt-5.4-mini", "gpt-5.4", "gpt-5.2", "gpt-5.5"
"""Models by what is behind them: one upstream, two, one that limits us, one where nobody listens."""

PATIENCE_S = 2
"""How long a gateway waits for these upstreams, some of which never answer."""

SETTINGS = {"first_byte_timeout_s": PATIENCE_S, "idle_timeout_s": PATIENCE_S, "connect_timeout_s": PATIENCE_S}
FAILURES = (
    *(Conduct.EMPTY, Conduct.FAILS, Conduct.LIMITED, Conduct.REFUSES_US, Conduct.REFUSES_REQUEST),
    *(Conduct.RESETS, Conduct.CUTS, Conduct.BABBLES, Conduct.GIVES_UP, Conduct.SILENT, Conduct.STALLS),
)
COSTLY_TEXT = "Consider every word of this sentence with care. " * 1_000  # more than a cent's worth

_BAD_BODIES = (
    b"{",
    b"[]",
    b'{"model":"gpt-5.4-mini"}',
    b'{"model":"no-such-model","messages":[{"role":"user","content":"Hi"}]}',
    b'{"model":"gpt-5.4-mini","messages":[{"role":"user","content":"Hi"}],"max_completion_tokens":-1}',
    b'{"model":"gpt-5.4-mini","messages":[{"role":"user","content":"Hi"}],"max_cost":"0.000000001"}',
)
_SANDBOX = (
    "[[sandbox:reply It is done.]]",
    "[[sandbox:chunks 5 interval_ms=5]]",
    "[[sandbox:status 500]]",
    "[[sandbox:cut_after 1]]",
)
_NOBODY = "http://127.0.0.1:9/v1"  # the port of a service that throws everything away, and that nobody runs


class Customer(msgspec.Struct, frozen=True):
    """Somebody with a key."""

    key: str
    key_id: int
    mode: Mode = Mode.LIVE


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it is to be sent."""

    told: Told
    body: bytes
    leave_after_s: float | None = None

    def again(self, key: str | None = None) -> "Ask":
        """The same request, for another answer."""
        old = self.told
        told = Told(plan=old.plan, key=key or old.key, model=old.model, idempotency_key=old.idempotency_key)
        return Ask(told=told, body=self.body)


class Odds(msgspec.Struct, frozen=True, kw_only=True):
    """How likely each kind of bad luck is."""

    upstream: float = 0.0  # the upstream fails
    leaves: float = 0.0  # the client leaves
    bad: float = 0.0  # the request is no good
    keyed: float = 0.0  # not bad luck: it has an idempotency key


def connect(gateway: Served, provider: Provider) -> None:
    """Let the gateway call the provider for all of these models."""
    gateway.add_provider("provider", provider.base_url, [MAIN, DOUBLE, LIMITED])
    gateway.add_provider("spare", provider.spare_url, [DOUBLE], priority=200)
    gateway.add_provider("nobody", _NOBODY, [UNREACHABLE])


def let_in(gateway: Served, account: str, *, usd: str = RICH_USD) -> list[Customer]:
    """Open an account; give a customer for each policy and mode."""
    gateway.open_account(account, usd)
    made = [
        (gateway.make_key(account, mode, policy), mode)
        for mode, policy in (
            (Mode.LIVE, DisconnectPolicy.DRAIN),
            (Mode.LIVE, DisconnectPolicy.CANCEL),
            (Mode.TEST, DisconnectPolicy.DRAIN),
        )
    ]
    return [Customer(key.key, key.id, mode) for key, mode in made]


def draw(chance: Random, tag: str, customer: Customer, odds: Odds) -> Ask:
    """Draw a request. The same chance draws the same."""
    conduct = (
        Conduct.FINE if chance.random() < 0.9 else chance.choice([Conduct.FAILS_OVER, Conduct.UNCOUNTED])
    )
    if chance.random() < odds.upstream:
        conduct = chance.choice(FAILURES)
    cap = chance.randint(16, 400)
    is_long = chance.random() < 0.1
    plan = Plan(
        tag=tag,
        conduct=conduct,
        stream=chance.random() < 0.6,
        chunks=chance.randint(20, 40) if is_long else chance.randint(1, 6),
        pause_ms=chance.choice([0, 0, 1, 5, 15]),
        usage=_draw_usage(chance, cap),
    )
    told = Told(plan=plan, key=customer.key, model=_model_for(chance, plan, odds))
    if chance.random() < odds.keyed and customer.mode is Mode.LIVE:
        told.idempotency_key = f"key of {tag}"
    body = _write(chance, customer, told, cap)
    if chance.random() < odds.bad:
        body, told.is_bad = chance.choice(_BAD_BODIES), True
    leaves = chance.random() < odds.leaves
    return Ask(told=told, body=body, leave_after_s=chance.uniform(0.001, 0.2) if leaves else None)


def draw_costly(chance: Random, tag: str, customer: Customer, *, lasts_s: float) -> Ask:
    """Draw a stream that is worth a checkpoint, and long enough to come to one."""
    pause_ms = 50
    plan = Plan(
        tag=tag,
        stream=True,
        chunks=int(lasts_s * 1_000 / pause_ms),
        pause_ms=pause_ms,
        usage=write_usage(10_000, 400),
    )
    told = Told(plan=plan, key=customer.key, model=DOUBLE)
    if chance.random() < 0.5:
        told.idempotency_key = f"key of {tag}"
    return Ask(told=told, body=write_body(plan, DOUBLE, COSTLY_TEXT, max_completion_tokens=400))


def price_by_plan(
    told: Sequence[Told], ceilings: Mapping[str, int] | None = None
) -> Callable[[Row], int | None]:
    """What a request costs by its plan: what the upstream was to report, priced by the second opinion.

    With `ceilings`, what was held for each request by its id, no more than that: for an upstream that writes more than
    it was asked to.
    """
    price_list, by_tag = PriceList.read(), {one.plan.tag: one for one in told}
    prices = {model: price_list.prices(model) for model in (MAIN, DOUBLE, LIMITED, UNREACHABLE)}

    def expected_nano(row: Row) -> int | None:
        one = by_tag.get(row.tag or "")
        if one is None or one.plan.usage is None or row.usage_source is not UsageSource.REPORTED:
            return None
        nano = cost(prices[one.model], read_tokens(one.plan.usage)).nano
        return nano if ceilings is None else min(nano, ceilings[row.id])

    return expected_nano


def read_tokens(usage: str) -> Tokens:
    """The tokens of a report by `write_usage`."""
    report = json.loads(usage)
    parts = report["prompt_tokens_details"]
    return Tokens(
        prompt=report["prompt_tokens"],
        completion=report["completion_tokens"],
        cached=parts["cached_tokens"],
        cache_write=parts["cache_write_tokens"],
    )


def _draw_usage(chance: Random, cap: int) -> str:
    prompt = chance.randint(1, 60)
    completion = chance.randint(1, cap)
    cached = chance.choice([0, chance.randint(0, prompt)])
    return write_usage(prompt, completion, cached=cached, reasoning=chance.randint(0, completion))


def _model_for(chance: Random, plan: Plan, odds: Odds) -> str:
    """Failures that make a gateway avoid an upstream stay among themselves, so that the others are tried."""
    match plan.conduct:
        case Conduct.LIMITED:
            return LIMITED
        case Conduct.FAILS_OVER | Conduct.RESETS:
            return DOUBLE
        case Conduct.FAILS if chance.random() < min(odds.upstream, 0.5):
            return UNREACHABLE
        case _:
            return MAIN


def _write(chance: Random, customer: Customer, told: Told, cap: int) -> bytes:
    text = "Say something about " + " and ".join(["rain"] * chance.randint(2, 40))
    if customer.mode is Mode.TEST:
        text = chance.choice(_SANDBOX)
    fields: dict[str, object] = {}
    if chance.random() < 0.9:
        fields["max_completion_tokens"] = cap
    if told.plan.stream and chance.random() < 0.5:
        fields["stream_options"] = {"include_usage": True}
    return write_body(told.plan, told.model, text, **fields)
