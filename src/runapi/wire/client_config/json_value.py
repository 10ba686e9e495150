"""JSON values whose numbers are exact, and how they are laid out for people."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

Json: TypeAlias = "bool | int | Decimal | str | Sequence[Json] | Mapping[str, Json] | None"

WIDTH = 100
UNIT = "  "


def write_json(value: Json, indent: str = "", unit: str = UNIT) -> str:
    """Write `value` with what fits on one line on one line, the first line without `indent`. No newline at the end."""
    short = _on_one_line(value)
    if not isinstance(value, (Mapping, list, tuple)) or not value:
        return short
    if len(indent) + len(short) <= WIDTH and not _is_nested(value):
        return short
    inner = indent + unit
    if isinstance(value, Mapping):
        lines = [f"{inner}{_quoted(key)}: {write_json(member, inner, unit)}" for key, member in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + write_json(item, inner, unit) for item in value) + f"\n{indent}]"


def _on_one_line(value: Json) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_quoted(key)}: {_on_one_line(member)}" for key, member in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_on_one_line, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _is_nested(value: Json) -> bool:
    """Whether objects stand in objects: such a value is easier to read, and to add to, on several lines."""
    members = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    )
    return any(isinstance(member, Mapping) and member for member in members)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
