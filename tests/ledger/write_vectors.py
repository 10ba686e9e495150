"""Writes tests/ledger/vectors/*.json from tests/ledger/scenarios/*.txt: `.venv/bin/python tests/ledger/write_vectors.py`.

A scenario is a heading and one operation a line, with the outcome written by hand after `->` where it matters. The other outcomes
and the balances come from the model in model.py, which must agree with every one written here. The ledger itself has no
part in it, so that a vector can show it wrong.

    topup 1 live 1000 p1            also promo, refund, chargeback, adjust, write_off: account, mode, amount, payment
    hold a 1 live 300 100           request, account, mode, amount, least
    extend a 1 50 50                request, number, amount, least
    checkpoint a 20.5               request, cost so far in nano-dollars; settle likewise
    settle a 120.001                a third number is the amount asked for, where it is not the cost rounded up
    void a / expire a / crash
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from ledger.model import Model

FOLDER = Path(__file__).parent / "vectors"
SCENARIOS = Path(__file__).parent / "scenarios"
NAMES = {
    "hold": ("request", "account", "mode", "amount", "least"),
    "extend": ("request", "n", "amount", "least"),
    "checkpoint": ("request", "pico"),
    "settle": ("request", "pico", "amount"),
    "void": ("request",),
    "expire": ("request",),
    "crash": (),
}
POSTED = ("account", "mode", "amount", "id")
WHOLE = {"account", "amount", "least", "n"}


def read(text: str) -> list[tuple[dict[str, Any], list[Any] | None]]:
    """Each operation of a scenario with the outcome that is written after it."""
    found: list[tuple[dict[str, Any], list[Any] | None]] = []
    clock: dict[str, int] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("@"):
            clock = {"at_us": int(line[1:])}
            continue
        asked, _, expected = line.partition("->")
        op, *words = asked.split()
        fields = zip(NAMES.get(op, POSTED), words, strict=False)
        values = {name: _value(name, word) for name, word in fields}
        found.append(({"op": op} | values | clock, _words(expected) if expected else None))
        clock = {}
    return found


def _value(name: str, word: str) -> str | int:
    if name == "pico":
        whole, _, thousandths = word.partition(".")
        return int(whole + thousandths.ljust(3, "0"))
    return int(word) if name in WHOLE else word


def _words(expected: str) -> list[Any]:
    return [int(word) if word.lstrip("-").isdigit() else word for word in expected.split()]


def play(name: str, text: str) -> dict[str, Any]:
    """A vector: what the model answers, which must be what is written in the scenario."""
    model, ops = Model(), []
    for op, written in read(text):
        outcome = model.do(op)
        if written is not None and outcome != written:
            raise SystemExit(f"{name!r}: {op} gives {outcome}, and {written} is written")
        ops.append(op | {"outcome": outcome})
    return {"name": name, "operations": ops, "balances": model.balances()}


def vectors() -> dict[str, list[dict[str, Any]]]:
    """All vectors, by the name of their file."""
    return {path.stem: [play(*scenario) for scenario in _scenarios(path)] for path in SCENARIOS.glob("*.txt")}


def _scenarios(path: Path) -> list[tuple[str, str]]:
    blocks = path.read_text("utf-8").split("# ")[1:]
    return [(name, text) for name, _, text in (block.partition("\n") for block in blocks)]


def written(played: list[dict[str, Any]]) -> str:
    """A file's text: one operation a line, so that a change can be read."""
    blocks = []
    for vector in played:
        ops = ",\n".join("      " + json.dumps(op, ensure_ascii=False) for op in vector["operations"])
        blocks.append(
            f'  {{\n    "name": {json.dumps(vector["name"], ensure_ascii=False)},\n    "operations": [\n{ops}\n    ],\n'
            f'    "balances": {json.dumps(vector["balances"])}\n  }}'
        )
    return "[\n" + ",\n".join(blocks) + "\n]\n"


if __name__ == "__main__":
    for subject, played in vectors().items():
        (FOLDER / f"{subject}.json").write_text(written(played), encoding="utf-8")
