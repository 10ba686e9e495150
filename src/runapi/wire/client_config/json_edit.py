"""Change single members of a JSON file in place: comments, order and layout of everything else stay as they are."""

import re
from collections.abc import Mapping, Sequence

from runapi.wire.client_config.fault import ConfigFault, line_of
from runapi.wire.client_config.json_reader import Item, Part, read_json
from runapi.wire.client_config.json_value import UNIT, Json, write_json

_REST_OF_LINE = re.compile(r"(?:[ \t]|/\*[^\n\r]*?\*/)*(?://[^\n\r]*)?(?=[\r\n])")
_INDENT = re.compile(r"[ \t]*")


def value_at(text: str, path: Sequence[str]) -> Json:
    """The value at `path` (the names of nested members), None where there is none."""
    value = read_json(text).value
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def put(text: str, path: Sequence[str], value: Json) -> str:
    """Set the member at `path`; objects on the way that are missing are made.

    Raises:
        ConfigFault: the text is no JSON, or something on the way is no object.
    """
    part = read_json(text)
    for depth, name in enumerate(path):
        _require_object(text, part, path[:depth])
        found = next((item for item in reversed(part.items) if item.name == name), None)
        if found is None:
            for missing in reversed(path[depth + 1 :]):
                value = {missing: value}
            return _insert(text, part, name, value)
        part = found.part
        if part.value is None and depth + 1 < len(path):
            for missing in reversed(path[depth + 1 :]):
                value = {missing: value}
            break
    return text if _is_same(part.value, value) else _replace(text, part, value)


def put_members(text: str, path: Sequence[str], members: Mapping[str, Json]) -> str:
    """Set each of `members` in the object at `path`; others in it stay."""
    if value_at(text, path) is None:
        return put(text, path, members)
    for name, value in members.items():
        text = put(text, (*path, name), value)
    return text


def remove(text: str, path: Sequence[str]) -> str:
    """Take the member at `path` out, with its line where nothing else stands on it, if it is there."""
    part, before, found = read_json(text), None, None
    for name in path:
        at = next((at for at in reversed(range(len(part.items))) if part.items[at].name == name), None)
        if at is None:
            return text
        before, found = (part.items[at - 1] if at else None), part.items[at]
        part = found.part
    if found is None:
        return text
    end = found.part.end if found.comma is None else found.comma + 1
    line_start = text.rfind("\n", 0, found.start) + 1
    rest = _REST_OF_LINE.match(text, end)
    start = found.start
    if rest is not None and not text[line_start:start].strip():
        start, end = line_start, text.index("\n", rest.end()) + 1
    kept = text[:start]
    if found.comma is None and before is not None and before.comma is not None:
        kept = text[: before.comma] + text[before.comma + 1 : start]
    return kept + text[end:]


def append(text: str, path: Sequence[str], value: Json) -> str:
    """Add an element to the array at `path`, which must be there."""
    part = read_json(text)
    for name in path:
        part = next(item.part for item in reversed(part.items) if item.name == name)
    return _insert(text, part, "", value)


def _require_object(text: str, part: Part, path: Sequence[str]) -> None:
    if not part.is_object:
        where = repr(".".join(path)) if path else "the file"
        raise ConfigFault(line_of(text, part.start), f"{where} is not an object")


def _is_same(old: Json, new: Json) -> bool:
    """Equality of JSON: true is not 1."""
    return write_json(old) == write_json(new)


def _replace(text: str, part: Part, value: Json) -> str:
    unit = _unit(text)
    written = write_json(value, _indent_of(text, part.start), unit)
    return text[: part.start] + _newlines(text, written) + text[part.end :]


def _insert(text: str, part: Part, name: str, value: Json) -> str:
    """Add an item behind the last one of `part`, in the layout that its neighbours have."""
    unit = _unit(text)
    outer = _indent_of(text, part.start)
    is_spread = bool(part.items) and "\n" in text[part.start : part.items[0].start]
    inner = _indent_of(text, part.items[0].start) if is_spread else outer + unit
    head = "" if part.is_array else write_json(name) + ": "
    item = head + write_json(value, inner, unit)
    if not part.items:
        return _fill_empty(text, part, inner, outer, item)
    last = part.items[-1]
    return _add_behind(text, last, item, inner, is_spread=is_spread)


def _add_behind(text: str, last: Item, item: str, inner: str, *, is_spread: bool) -> str:
    rest_from = last.part.end if last.comma is None else last.comma + 1
    rest = _REST_OF_LINE.match(text, rest_from)
    comma = "," if last.comma is None else ""
    after = "" if last.comma is None else ","
    if rest is not None:  # what is said of the last item stays beside it
        place, before = rest.end(), "\n" + inner
    else:
        place, before = rest_from, "\n" + inner if is_spread else " "
    added = _newlines(text, before + item + after)
    return text[: last.part.end] + comma + text[last.part.end : place] + added + text[place:]


def _fill_empty(text: str, part: Part, inner: str, outer: str, item: str) -> str:
    """Put the first item into an object or array that has none; a comment in it stays."""
    inside = text[part.start + 1 : part.end - 1].rstrip()
    written = _newlines(text, f"\n{inner}{item}\n{outer}")
    return text[: part.start + 1] + inside + written + text[part.end - 1 :]


def _indent_of(text: str, position: int) -> str:
    """The blanks with which the line of `position` begins."""
    start = text.rfind("\n", 0, position) + 1
    match = _INDENT.match(text, start)
    return match[0] if match else ""


def _unit(text: str) -> str:
    """By how much the file indents: as its first member is."""
    root = read_json(text)
    if root.items and "\n" in text[root.start : root.items[0].start]:
        return _indent_of(text, root.items[0].start) or UNIT
    return UNIT


def _newlines(text: str, written: str) -> str:
    return written.replace("\n", "\r\n") if "\r\n" in text else written
