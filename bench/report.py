"""Print the table."""

from collections.abc import Sequence

from bench.measures import (
    Measure,
    Rounds,
    Spread,
    all_measures,
    ratio,
    spread,
    translation_ratio,
    values_of,
    verdict,
)
from bench.targets import NAMES

_NAME, _CELL, _RATIO = 23, 9, 20
_UNDER = ("floor", "parts", "nginx")


def render(rounds: Rounds) -> tuple[str, bool]:
    """The whole table, and whether every goal was met."""
    shown = [name for name in NAMES if name in rounds]
    lines: list[str] = []
    missed: list[str] = []
    heads = "".join(f"{name:>{_CELL}}" for name in shown)
    ratios = "".join(f"{f'gateway/{under}':<{_RATIO}}" for under in _UNDER)
    lines.append(f"{'':{_NAME}}{heads}  {ratios}goal")
    for section, measures in all_measures().items():
        lines += ["", section if "bare" in rounds else section.partition(" (bare)")[0]]
        for measure in measures:
            if measure.untranslated and "gateway" not in rounds:
                continue
            lines.append(_line(measure, rounds, shown))
            if verdict(measure, rounds) is False:
                missed.append(measure.name)
    lines.append("")
    if "gateway" in rounds:
        lines.append(f"Goals missed: {'; '.join(missed)}" if missed else "All goals met.")
    return "\n".join(lines), not missed


def _line(measure: Measure, rounds: Rounds, shown: Sequence[str]) -> str:
    cells = "".join(f"{_cell(measure, rounds, name):>{_CELL}}" for name in shown)
    ratios = "".join(f"{_ratio(ratio(measure, rounds, 'gateway', under)):<{_RATIO}}" for under in _UNDER)
    return f"  {measure.name:{_NAME - 2}}{cells}  {ratios}{_goal(measure, rounds)}".rstrip()


def _cell(measure: Measure, rounds: Rounds, name: str) -> str:
    if measure.untranslated and name != "gateway":
        return ""
    value = spread(values_of(measure, rounds, name)).middle
    sign = "+" if measure.added and name != "bare" and "bare" in rounds else ""
    return f"{value:{sign}.{measure.digits}f}"


def _ratio(found: Spread | None) -> str:
    if not found:
        return ""
    middle, low, high = (
        f"{value:.{2 if value < 10 else 1}f}" for value in (found.middle, found.low, found.high)
    )
    return middle if found.low == found.high else f"{middle} ({low}..{high})"


def _goal(measure: Measure, rounds: Rounds) -> str:
    translated = translation_ratio(measure, rounds)
    if translated is not None:
        text = f"{_ratio(translated)} x untranslated, <= {measure.goal_ratio:g}"
    elif measure.goal_ratio is not None:
        text = f"<= {measure.goal_ratio:g} x floor"
    elif measure.goal_value is not None:
        text = f"<= {measure.goal_value:g}"
    else:
        return ""
    met = verdict(measure, rounds)
    return text if met is None else f"{text}: {'met' if met else 'MISSED'}"
