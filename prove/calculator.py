"""A second opinion on what a request costs: exact fractions of dollars, from the decimals of the price lists.

Written from docs/operate/prices.md and models.md, and sharing nothing with the product's own arithmetic: the lists are
read as text, so that no decimal ever passes through a float, and nothing is rounded before the very end.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import yaml

from prove.report import REPOSITORY

PACKAGE_LIST = REPOSITORY / "src" / "runapi" / "data" / "models.yaml"
CATALOGUE = "catalogue"
PER_MILLION = 1_000_000
NANO = 10**9

_TIERS = ("standard", "long", "flex", "flex_long", "priority")
_FLEX = ("flex", "batch")
_PRIORITY = ("priority", "fast")  # the newer name of the same
Adapt = Callable[[Fraction], Fraction]

_STEPS = 10**6  # a price is a whole number of micro-dollars per million tokens


class Rates(msgspec.Struct, frozen=True):
    """Dollars per million tokens."""

    input: Fraction
    cached: Fraction
    cache_write: Fraction
    output: Fraction


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What an upstream reports, in its own terms: the parts of the prompt are inside `prompt`."""

    prompt: int
    completion: int
    cached: int = 0
    cache_write: int = 0


class Prices(msgspec.Struct, frozen=True):
    """What one model costs."""

    tiers: dict[str, Rates]
    long_threshold: int | None

    def rates(self, tokens: Tokens, asked: str | None, served: str | None) -> Rates:
        """The rates of a request."""
        is_long = self.long_threshold is not None and tokens.prompt > self.long_threshold
        wanted = "long" if is_long else "standard"
        if served in _FLEX:
            wanted = "flex_long" if is_long else "flex"
        elif served in _PRIORITY and asked in _PRIORITY and not is_long:
            wanted = "priority"
        if wanted not in self.tiers:
            wanted = "long" if is_long else "standard"
        return self.tiers[wanted]


class Cost(msgspec.Struct, frozen=True):
    """What a request costs: exact, and as it is charged."""

    usd: Fraction
    nano: int  # rounded up, once
    rates: Rates

    @property
    def pico(self) -> Fraction:
        """The exact cost in pico-dollars; a whole number, since prices are."""
        return self.usd * 10**12


def cost(prices: Prices, tokens: Tokens, asked: str | None = None, served: str | None = None) -> Cost:
    """Price a request. A part of the prompt that is larger than the prompt counts as the whole of it."""
    rates = prices.rates(tokens, asked, served)
    lines = (Fraction(count, PER_MILLION) * getattr(rates, kind) for kind, count in parts(tokens))
    usd = sum(lines, Fraction())
    return Cost(usd, round_up(usd), rates)


def round_up(usd: Fraction) -> int:
    """The smallest number of nano-dollars that is not below this."""
    return -((-usd * NANO).__floor__())


def nano_of(decimal: str) -> Fraction:
    """Read a decimal number of dollars as nano-dollars; a fraction of one stays one, so that it is noticed."""
    return Fraction(decimal) * NANO


class PriceList:
    """The models of one or more files, with their official prices and ours."""

    def __init__(self, models: dict[str, dict[str, Any]]) -> None:
        self._models = models

    @classmethod
    def read(cls, *files: Path) -> "PriceList":
        """Read the package's list, and the models that other files add to it."""
        models: dict[str, dict[str, Any]] = {}
        for file in (PACKAGE_LIST, *files):
            # This loader leaves every scalar as the text that stands in the file.
            models |= yaml.load(file.read_text("utf-8"), Loader=yaml.BaseLoader)["models"]  # noqa: S506 - it makes only texts
        return cls(models)

    def served_at(self, endpoint: str) -> list[str]:
        """The models that are offered there today."""
        today = datetime.now(UTC).date()
        return [
            name
            for name, model in self._models.items()
            if endpoint in model["endpoints"]
            and ("shutdown_date" not in model or date.fromisoformat(model["shutdown_date"]) > today)
        ]

    def most_input(self, model: str) -> int:
        """How many input tokens it takes."""
        return int(self._models[model]["max_input_tokens"])

    def prices(self, model: str, policy: str = CATALOGUE) -> Prices:
        """What customers pay under a policy: `catalogue`, or a ratio such as "0.37" of what the maker asks."""
        entry = self._models[model]
        if policy != CATALOGUE:
            ratio = Fraction(policy)
            return _read(entry["official"], lambda rate: _step_up(rate * ratio))
        if "ours" in entry:
            return _read(entry["ours"], lambda rate: rate)
        return _read(entry["official"], lambda rate: rate / 2)


def _step_up(rate: Fraction) -> Fraction:
    """A price is published in whole micro-dollars per million tokens, never below what the policy says."""
    return Fraction(-((-rate * _STEPS).__floor__()), _STEPS)


def _read(table: dict[str, Any], adapt: Adapt) -> Prices:
    tiers = {tier: _rates(table[tier], adapt) for tier in _TIERS if tier in table}
    threshold = table.get("long_threshold")
    return Prices(tiers, None if threshold is None else int(threshold))  # int reads 272_000, as YAML does


def _rates(given: dict[str, str], adapt: Adapt) -> Rates:
    read = {name: Fraction(text.replace("_", "")) for name, text in given.items()}
    read = {"cached": read["input"], "cache_write": read["input"]} | read
    return Rates(**{name: adapt(rate) for name, rate in read.items()})


def parts(tokens: Tokens) -> Iterator[tuple[str, int]]:
    """The lines of the arithmetic, in the order in which receipts have them."""
    cached = min(tokens.cached, tokens.prompt)
    written = min(tokens.cache_write, tokens.prompt - cached)
    yield "input", tokens.prompt - cached - written
    yield "cached", cached
    yield "cache_write", written
    yield "output", tokens.completion
