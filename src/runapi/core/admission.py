"""How much to set aside for a request before its upstream is called, and what output that pays for.

    hold = input upper bound x dearest input rate + output cap x dearest output rate x choices

Every usage within the bound and the cap costs at most the hold, at every tier that may be billed: so a balance that
covered the hold covers the charge. Whoever cannot pay the whole hold gets a smaller cap, which goes upstream.
"""

import re
from collections.abc import Iterator

import msgspec

from runapi.core.catalog import Model
from runapi.core.money import PICO_PER_NANO, nano_from_pico
from runapi.core.pricing import PriceTable, Rates

LEAST_OUTPUT = 16
"""Fewer output tokens than this answer nothing, unless the client itself asked for fewer."""

AROUND = (
    64  # what an upstream writes around the messages: the answer's header, the date, a template's own words
)
AROUND_TOOLS = 256  # ... and around tools and schemas
PER_LIST_ITEM = 8  # a figure such as 1 or 1e15 may be written out longer than it came: "- 1000000000000000.0"
BYTES_PER_TOKEN = 4  # of English text, for likely counts; never for bounds
MOST_MAX_COST_NANO = 10**18

_PRIORITY = ("priority", "fast")
_DECIMAL = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,36}))?(?:[eE]([+-]?[0-9]{1,2}))?", re.ASCII)
_NANO_DECIMALS = 9


class RequestShape(msgspec.Struct, frozen=True, kw_only=True):
    """What of a request decides how much it can cost. Read from its bytes by `wire.openai_chat.shape`."""

    text_bytes: int  # JSON bytes of all that may reach the prompt, without the data of images
    has_tools: bool = False  # tools or an answer's schema
    list_items: int = 0  # most entries of lists and objects in them
    image_tokens: int = 0  # the most that its images can count
    is_open: bool = False  # holds what bytes do not bound: a document, sound, a search of the web
    texts: int = 1  # that are read apart from each other, so that the model's limit holds for each
    output_cap: int | None = None  # what the client asked for, per choice
    choices: int = 1
    service_tier: str | None = None

    @property
    def likely_input(self) -> int:
        """About how many input tokens it has: for limits per minute, never for money."""
        return -(-self.text_bytes // BYTES_PER_TOKEN) + self.image_tokens


class HoldWish(msgspec.Struct, frozen=True):
    """What to ask the ledger for. A grant of `least_nano` to `amount_nano` buys `output_cap(wish, granted)`."""

    amount_nano: int
    least_nano: int
    output_cap: int  # tokens per choice that the whole amount pays for
    input_tokens: int  # the upper bound
    input_pico: int  # what they cost at most
    output_pico: int  # what one token of the cap costs at most, over all choices


def input_upper_bound(shape: RequestShape, model: Model) -> int:
    """The most input tokens that the request can count.

    A byte-level token is at least one byte long, and JSON never writes a text shorter than it is; the names, braces
    and quotes around a text outweigh the tokens that a message or call adds. So bytes bound tokens.
    """
    if shape.is_open:
        return model.max_input_tokens
    bound = shape.text_bytes + shape.image_tokens + AROUND
    if shape.has_tools:
        bound += shape.list_items * PER_LIST_ITEM + AROUND_TOOLS
    return min(bound, model.max_input_tokens * shape.texts)


def priced_tier(asked: str | None, served: str | None) -> str | None:
    """The tier to price a request at: the one that the upstream served, but priority only for who asked for it.

    An upstream account may be set to priority for requests that name no tier; that is between it and the operator.
    """
    return None if served in _PRIORITY and asked not in _PRIORITY else served


def wanted(shape: RequestShape, model: Model, table: PriceTable) -> HoldWish:
    """Work out the whole hold and the least that is of use."""
    bound = input_upper_bound(shape, model)
    input_rate = output_rate = 0
    for rates in _reachable(table, bound, shape.service_tier):
        input_rate = max(input_rate, rates.input, rates.cached, rates.cache_write)
        output_rate = max(output_rate, rates.output)
    most = model.max_output_tokens
    cap = most if shape.output_cap is None else min(shape.output_cap, most)
    input_pico, output_pico = bound * input_rate, output_rate * shape.choices
    return HoldWish(
        amount_nano=nano_from_pico(input_pico + cap * output_pico),
        least_nano=nano_from_pico(input_pico + min(cap, LEAST_OUTPUT) * output_pico),
        output_cap=cap,
        input_tokens=bound,
        input_pico=input_pico,
        output_pico=output_pico,
    )


def ask_within(wish: HoldWish, *ceilings_nano: int | None) -> int | None:
    """The amount to ask for under ceilings such as `max_cost` and a key's spending limit; None: too little for use."""
    amount = min([wish.amount_nano, *(ceiling for ceiling in ceilings_nano if ceiling is not None)])
    return amount if amount >= wish.least_nano else None


def output_cap(wish: HoldWish, granted_nano: int) -> int:
    """The output tokens per choice that `granted_nano` pays for beside the input: the limit that goes upstream.

    Raises:
        ValueError: less than `wish.least_nano` was granted; no such request may go upstream.
    """
    if granted_nano < wish.least_nano:
        raise ValueError("less was granted than the request needs")
    if wish.output_pico == 0:
        return wish.output_cap
    return min(wish.output_cap, (granted_nano * PICO_PER_NANO - wish.input_pico) // wish.output_pico)


def read_max_cost(text: str) -> int:
    """Read a `max_cost` in USD, as a header or a JSON number writes it, as nano-dollars, rounded down.

    Raises:
        ValueError: not a decimal number of zero or more.
    """
    match = _DECIMAL.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected a decimal number of US dollars, such as 0.05")
    whole, part, exponent = match[1], match[2] or "", int(match[3] or "0")
    shift = exponent - len(part) + _NANO_DECIMALS
    digits = int(whole + part)
    nano = int(digits * 10**shift) if shift >= 0 else int(digits // 10**-shift)
    return min(nano, MOST_MAX_COST_NANO)


def _reachable(table: PriceTable, bound: int, asked: str | None) -> Iterator[Rates]:
    """Every set of rates that `pricing.rates_for` may choose for up to `bound` input tokens and a `priced_tier`."""
    yield table.standard
    if table.flex is not None:
        yield table.flex
    if table.priority is not None and asked in _PRIORITY:
        yield table.priority
    if table.long_threshold is not None and bound > table.long_threshold:
        if table.long is not None:
            yield table.long
        if table.flex_long is not None:
            yield table.flex_long
