"""Plain tables that fit 80 columns."""

from collections.abc import Iterable

import typer
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

NUMBERS = frozenset(
    (
        "ID",
        "IN",
        "OUT",
        "HTTP",
        "SEC",
        "USD",
        "PRIO",
        "COST",
        "CONTEXT",
        "MAX OUTPUT",
        "INPUT",
        "CACHED",
        "OUTPUT",
        "LIVE USD",
        "TEST USD",
        "POSTED USD",
        "HELD USD",
        "ROW",
        "COUNT",
        "FAULTS",
        "REQUESTS",
        "%",
    )
)
FOLDED = frozenset(
    {"NAME", "ACCOUNT", "MODEL", "MODELS", "BASE URL", "REQUEST OR REASON"}
)  # others keep their width where it is tight

Cell = str | list[str]
"""A text, or several below each other."""


def print_table(columns: tuple[str, ...], rows: Iterable[tuple[Cell, ...]], nothing: str) -> None:
    """Print `rows` under `columns`, or the sentence `nothing` when there are none."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        name = column.partition("\n")[0]  # a second line says what stands below the first of each cell
        justify: JustifyMethod = "right" if name in NUMBERS else "left"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=name not in FOLDED)
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    if table.row_count:
        Console(highlight=False).print(table)
    else:
        typer.echo(nothing)


def _text(cell: Cell) -> Text:
    lines = [cell] if isinstance(cell, str) else cell
    return Text("\n".join(printable(line) for line in lines))  # Text: nothing in it is taken for markup


def printable(text: str) -> str:
    """`text` with control characters spelled out: some of it was chosen by clients."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def minute(at: str) -> str:
    """A UTC time to the second, as people read it: 2026-11-22 09:30:00."""
    return at[:19].replace("T", " ")
