"""Change single values of a TOML file in place: comments, order and layout of everything else stay as they are.

Each change is proven: what `tomllib` reads afterwards is what it read before, but for that value.
"""

import copy
import json
import re
from collections.abc import Sequence

from runapi.wire.client_config.fault import ConfigFault, line_of
from runapi.wire.client_config.toml_reader import Statement, read_toml, statements

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LINE_END = re.compile(r"[^\n]*\n?")

Scalar = str | int | bool


def put(text: str, path: Sequence[str], value: Scalar) -> str:
    """Set one value; a table that is missing is added at the end.

    Raises:
        ConfigFault: the text is no TOML, or the table stands there in a form that this does not change.
    """
    wanted = _with(read_toml(text), path, value)
    changed = _put(text, tuple(path), _written(value))
    _prove(changed, wanted, path)
    return changed


def remove(text: str, path: Sequence[str]) -> str:
    """Take one value out, with its line, if it is there."""
    wanted = _with(read_toml(text), path, None)
    found = _find(statements(text), tuple(path))
    if found is None:
        return text
    line_start = text.rfind("\n", 0, found.start) + 1
    line_end = _LINE_END.match(text, found.end)
    changed = text[:line_start] + text[line_end.end() if line_end else len(text) :]
    _prove(changed, wanted, path)
    return changed


def _put(text: str, path: tuple[str, ...], written: str) -> str:
    all_of_them = statements(text)
    newline = "\r\n" if "\r\n" in text else "\n"
    found = _find(all_of_them, path)
    if found is not None:
        return text[: found.value_start] + written + text[found.end :]
    pair = f"{_key(path[-1])} = {written}"
    table = path[:-1]
    if not table:
        return _insert_at_top(text, all_of_them, pair, newline)
    header = next((one for one in all_of_them if one.is_header and one.path == table), None)
    if header is not None:
        return _insert_behind(text, _last_of(all_of_them, header), pair, newline)
    other = next((one for one in all_of_them if not one.is_header and one.path[: len(table)] == table), None)
    other = other or next(
        (one for one in all_of_them if not one.is_header and table[: len(one.path)] == one.path), None
    )
    if other is not None:
        name = ".".join(map(_key, table))
        raise ConfigFault(
            line_of(text, other.start), f"write this as a table of its own, [{name}], and try again"
        )
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return text + gap + f"[{'.'.join(map(_key, table))}]{newline}{pair}{newline}"


def _find(all_of_them: Sequence[Statement], path: tuple[str, ...]) -> Statement | None:
    return next((one for one in all_of_them if not one.is_header and one.path == path), None)


def _last_of(all_of_them: Sequence[Statement], header: Statement) -> Statement:
    """The last pair below `header`, or `header` itself."""
    last = header
    for one in all_of_them[all_of_them.index(header) + 1 :]:
        if one.is_header:
            break
        last = one
    return last


def _insert_at_top(text: str, all_of_them: Sequence[Statement], pair: str, newline: str) -> str:
    if all_of_them and not all_of_them[0].is_header:
        first_header = next((at for at, one in enumerate(all_of_them) if one.is_header), len(all_of_them))
        return _insert_behind(text, all_of_them[first_header - 1], pair, newline)
    gap = newline if all_of_them else ""
    return pair + newline + (gap if text else "") + text


def _insert_behind(text: str, before: Statement, pair: str, newline: str) -> str:
    rest = _LINE_END.match(text, before.end)
    place = rest.end() if rest else len(text)
    gap = "" if text[:place].endswith("\n") else newline
    return text[:place] + gap + pair + newline + text[place:]


def _with(document: dict[str, object], path: Sequence[str], value: Scalar | None) -> dict[str, object]:
    """A copy of `document` with `value` at `path`, or without anything there."""
    changed = copy.deepcopy(document)
    table = changed
    for name in path[:-1]:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigFault(0, f"{'.'.join(path[:-1])!r} is not a table")
        table = inner
    if value is None:
        table.pop(path[-1], None)
    else:
        table[path[-1]] = value
    return changed


def _prove(changed: str, wanted: dict[str, object], path: Sequence[str]) -> None:
    if read_toml(changed) != wanted:
        raise ConfigFault(
            0, f"{'.'.join(path)!r} cannot be changed here without changing something else: do it by hand"
        )


def _written(value: Scalar) -> str:
    return json.dumps(value, ensure_ascii=False)  # strings, numbers and booleans are written as in JSON


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
