"""What a proof found."""

import os
from typing import Self

import msgspec


class Violation(str):
    """What was broken, in a sentence. With `seed`, one case alone shows it again: `--tier one --seed SEED`."""

    __slots__ = ("seed",)
    seed: int | None

    def __new__(cls, text: str, *, seed: int | None = None) -> Self:
        """Make the sentence; without a seed of its own, the whole proof has to be repeated."""
        violation = super().__new__(cls, text)
        violation.seed = seed
        return violation


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How much was tried and what broke. No violation: the proof holds."""

    cases: int
    figures: tuple[str, ...] = ()  # short, for the table: "K=50 of 200 admitted"
    notes: tuple[str, ...] = ()  # lines for below the table
    violations: list[str] = msgspec.field(default_factory=list)  # plain sentences, or Violations
    skipped: str | None = None  # what is missing on this machine, for all or a part of it


def nothing_may_be_skipped() -> bool:
    """Whether a skipped part counts as broken, as it does in `.ci/run`."""
    return os.environ.get("RUNAPI_TEST_ALL") == "1"
