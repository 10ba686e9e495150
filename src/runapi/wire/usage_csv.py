"""Read what an upstream served from a CSV of the user's own making. Nothing is guessed: each fault names its line.

The columns are day, model, requests, input_tokens, cached_tokens, output_tokens and, if you like, cost_usd.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final

from runapi.core.money import NANO_PER_USD
from runapi.core.upstream_usage import LONGEST_MODEL, MOST_COUNT, MOST_ROWS, ExportRow, UsageExport

COLUMNS: Final = ("day", "model", "requests", "input_tokens", "cached_tokens", "output_tokens")
COST: Final = "cost_usd"

_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,16}", re.ASCII)
_USD = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?", re.ASCII)
_LONGEST_SHOWN = 40


class ExportFault(ValueError):  # noqa: N818 - a fault of the file
    """A file cannot be read as an export; the text names the place."""


def read_csv(data: bytes) -> UsageExport:
    """Read the file; every day from its first to its last counts as covered.

    Raises:
        ExportFault: it is no such CSV; the text names the line.
    """
    lines = _read_lines(data)
    number, header = next(lines, (1, []))
    _check_header(number, header)
    rows: dict[tuple[date, str], ExportRow] = {}
    at: dict[tuple[date, str], int] = {}
    for number, fields in lines:
        if len(fields) != len(header):
            raise ExportFault(f"Line {number} has {len(fields)} fields, and the header has {len(header)}.")
        row = _read_row(number, dict(zip(header, fields, strict=True)))
        place = row.day, row.model
        if place in rows:
            raise ExportFault(f"Line {number} repeats {row.day} {shown(row.model)} of line {at[place]}.")
        if len(rows) == MOST_ROWS:
            raise ExportFault(f"Line {number} is one too many: at most {MOST_ROWS} can be compared.")
        rows[place], at[place] = row, number
    if not rows:
        raise ExportFault("The file has a header and no line below it.")
    days = [day for day, _ in rows]
    return UsageExport(first_day=min(days), last_day=max(days), rows=tuple(rows[key] for key in sorted(rows)))


def _read_lines(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Every line that is not empty, with its number."""
    try:
        text = data.decode()
    except UnicodeDecodeError as fault:
        number = data.count(b"\n", 0, fault.start) + 1
        raise ExportFault(f"Line {number} is not UTF-8 text.") from None
    reader = csv.reader(text.split("\n"), strict=True)
    try:
        for fields in reader:
            stripped = [field.strip() for field in fields]
            if any(stripped):
                yield reader.line_num, stripped
    except csv.Error as fault:
        raise ExportFault(f"Line {reader.line_num} is not CSV: {fault}.") from None


def _check_header(number: int, header: Sequence[str]) -> None:
    wanted = f"{','.join(COLUMNS)} and, if you like, {COST}"
    unknown = [name for name in header if name not in (*COLUMNS, COST)]
    if unknown:
        raise ExportFault(
            f"Line {number}: there is no column {shown(unknown[0])}; the header must be {wanted}."
        )
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise ExportFault(f"Line {number}: the column {missing[0]} is missing; the header must be {wanted}.")
    if len(set(header)) != len(header):
        raise ExportFault(f"Line {number}: a column stands there twice.")


def _read_row(number: int, fields: Mapping[str, str]) -> ExportRow:
    counts = {name: _read_count(number, name, fields[name]) for name in COLUMNS[2:]}
    if counts["cached_tokens"] > counts["input_tokens"]:
        raise ExportFault(
            f"Line {number} has more cached_tokens than input_tokens, of which they are a part."
        )
    if not is_model(fields["model"]):
        raise ExportFault(f"Line {number}: the model {shown(fields['model'])} is no name.")
    cost = fields.get(COST, "")
    return ExportRow(
        day=_read_day(number, fields["day"]),
        model=fields["model"],
        requests=counts["requests"],
        input_tokens=counts["input_tokens"],
        cached_tokens=counts["cached_tokens"],
        output_tokens=counts["output_tokens"],
        cost_nano=_read_cost(number, cost) if cost else None,
    )


def _read_day(number: int, text: str) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ExportFault(f"Line {number}: {shown(text)} is no day; write 2026-11-22.")


def _read_count(number: int, name: str, text: str) -> int:
    if not _COUNT.fullmatch(text) or int(text) > MOST_COUNT:
        raise ExportFault(
            f"Line {number}: {name} is {shown(text)}; it must be a whole number from 0 to {MOST_COUNT}."
        )
    return int(text)


def _read_cost(number: int, text: str) -> int:
    parts = _USD.fullmatch(text)
    if parts is None:
        raise ExportFault(
            f"Line {number}: {COST} is {shown(text)}; it must be a plain decimal from 0 with at most 9 places."
        )
    return int(parts[1]) * NANO_PER_USD + int((parts[2] or "").ljust(9, "0"))


def is_model(name: str) -> bool:
    """Whether this can be the name of a model."""
    return 1 <= len(name) <= LONGEST_MODEL and name.isprintable() and name == name.strip()


def shown(text: str) -> str:
    """`text` as a message may show it: printable, and not too long."""
    return repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "...")
