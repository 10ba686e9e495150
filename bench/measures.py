"""From outcomes to the figures of the table."""

from collections.abc import Callable, Mapping
from statistics import median

import msgspec

from bench.load import Outcome
from bench.scenarios import BRIDGED, FIRST_TOKEN, FROM_MESSAGES, MEMORY, MEMORY_STREAMS, REQUESTS, STREAMS


class Reading(msgspec.Struct, frozen=True):
    """All that was read from one target in one round."""

    started_in_s: float
    outcomes: dict[str, Outcome]


Rounds = Mapping[str, list[Reading]]  # by target


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table.

    `added`: what the target adds over the bare upstream. `untranslated`: the same without the translation that the
    gateway does here, and no other target can.
    """

    name: str
    read: Callable[[Reading], float]
    digits: int = 3
    added: bool = False
    untranslated: Callable[[Reading], float] | None = None
    goal_ratio: float | None = None  # to the floor, or to what is not translated
    goal_value: float | None = None


def _cpu_per_1000(scenario: str) -> Callable[[Reading], float]:
    def read(reading: Reading) -> float:
        outcome = reading.outcomes[scenario]
        return outcome.cpu_s / outcome.requests * 1_000

    return read


def _milliseconds(scenario: str, field: str) -> Callable[[Reading], float]:
    def read(reading: Reading) -> float:
        value: float = getattr(reading.outcomes[scenario], field)
        return value * 1_000

    return read


def _cpu_per_10000_chunks(scenario: str) -> Callable[[Reading], float]:
    def read(reading: Reading) -> float:
        outcome = reading.outcomes[scenario]
        return outcome.cpu_s / outcome.chunks * 10_000

    return read


def _idle_mb(reading: Reading) -> float:
    return reading.outcomes[MEMORY.name].idle_bytes / 1_000_000


def _kb_per_stream(reading: Reading) -> float:
    outcome = reading.outcomes[MEMORY.name]
    return (outcome.open_bytes - outcome.idle_bytes) / 1_000 / MEMORY_STREAMS


def all_measures() -> dict[str, list[Measure]]:
    """The table's sections and their lines."""
    latencies = [
        Measure(name=f"{scenario.name}: {field[:3]}", read=_milliseconds(scenario.name, field), added=True)
        for scenario in REQUESTS
        for field in ("p50_s", "p99_s")
    ]
    firsts = [
        Measure(name=f"first token: {field[6:9]}", read=_milliseconds(FIRST_TOKEN.name, field), added=True)
        for field in ("first_p50_s", "first_p99_s")
    ]
    return {
        "CPU seconds per 1,000 requests": [
            Measure(
                name=scenario.name,
                read=_cpu_per_1000(scenario.name),
                digits=4,
                goal_ratio=2.0
                if scenario.connections > 1
                else None,  # alone, a request waits for two commits
            )
            for scenario in REQUESTS
        ],
        "CPU seconds per 10,000 chunks": [
            Measure(name=STREAMS.name, read=_cpu_per_10000_chunks(STREAMS.name), digits=4, goal_ratio=1.3),
            *(
                Measure(
                    name=scenario.name,
                    read=_cpu_per_10000_chunks(scenario.name),
                    digits=4,
                    untranslated=_cpu_per_10000_chunks(STREAMS.name),
                    goal_ratio=2.5,
                )
                for scenario in (BRIDGED, FROM_MESSAGES)
            ),
        ],
        "Milliseconds (bare), added over bare (others)": latencies + firsts,
        "Memory and start": [
            Measure(name="RSS idle, MB", read=_idle_mb, digits=1, goal_value=100),
            Measure(name="KB per open stream", read=_kb_per_stream, digits=1, goal_value=30),
            Measure(name="start to /healthz, s", read=lambda reading: reading.started_in_s, digits=3),
        ],
    }


class Spread(msgspec.Struct, frozen=True):
    """A middle and its limits over the rounds."""

    middle: float
    low: float
    high: float


def spread(values: list[float]) -> Spread:
    return Spread(median(values), min(values), max(values))


def values_of(measure: Measure, rounds: Rounds, target: str) -> list[float]:
    """The figure of each round, less the bare upstream's of the same round where `added` says so."""
    own = [measure.read(reading) for reading in rounds[target]]
    if not measure.added or target == "bare" or "bare" not in rounds:
        return own
    return [value - measure.read(bare) for value, bare in zip(own, rounds["bare"], strict=True)]


def ratio(measure: Measure, rounds: Rounds, over: str, under: str) -> Spread | None:
    """How much more `over` needs than `under`, round by round. None for differences: their ratio says nothing."""
    if measure.added or measure.untranslated or over not in rounds or under not in rounds:
        return None
    pairs = zip(values_of(measure, rounds, over), values_of(measure, rounds, under), strict=True)
    return spread([a / b if b > 0 else 0.0 for a, b in pairs])


def translation_ratio(measure: Measure, rounds: Rounds) -> Spread | None:
    """How much more the gateway needs than for the same without a translation, round by round."""
    if measure.untranslated is None or "gateway" not in rounds:
        return None
    return spread([measure.read(one) / (measure.untranslated(one) or 1) for one in rounds["gateway"]])


def verdict(measure: Measure, rounds: Rounds) -> bool | None:
    """Whether the gateway meets the goal; None without a goal or a gateway."""
    if "gateway" not in rounds:
        return None
    if measure.goal_value is not None:
        return median(values_of(measure, rounds, "gateway")) <= measure.goal_value
    found = translation_ratio(measure, rounds) or ratio(measure, rounds, "gateway", "floor")
    if measure.goal_ratio is None or found is None:
        return None
    return found.middle <= measure.goal_ratio
