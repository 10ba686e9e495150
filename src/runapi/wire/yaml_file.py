"""Read a YAML file node by node, so that every fault names its line and the path of keys that leads to it.

Values are taken from their own text, so a price never passes through a float. Nothing is constructed from tags, and
aliases are refused: what stands in the file is what is read. A reader that finds a fault notes it and returns None,
so that one pass finds them all.
"""

import difflib
import re
from collections.abc import Collection
from datetime import date
from typing import Protocol

import msgspec
import yaml

from runapi.core.money import pico_per_token

MOST_CHARACTERS = 1_048_576
MOST_LEVELS = 16  # the composer recurses on the C stack: an endless "[[[[" would end the process
MOST_QUOTED = 60

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,20}(_[0-9]{1,20}){0,20})")  # no octal, no 60-based numbers
_UNPRINTABLE = yaml.reader.Reader.NON_PRINTABLE
_KINDS = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "timestamp": "a date",
    "bool": "true or false",
    "null": "nothing",
    "map": "a mapping",
    "seq": "a list",
}


class Mark(Protocol):
    """A place in the text, of either of PyYAML's two parsers."""

    line: int


class Entry(msgspec.Struct, frozen=True):
    """A value of the file and where it stands."""

    path: str
    line: int
    node: yaml.Node

    @property
    def is_null(self) -> bool:
        return bool(self.node.tag == f"{_TAG}null")


class Faults:
    """The faults found so far in one file."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, line: int, path: str, what: str) -> None:
        """Note a fault; `path` is empty where no key is concerned."""
        self._found.append((line, f"{path}: {what}" if path else what))

    def lines(self) -> tuple[str, ...]:
        """All faults as `source:line: path: what`, in the order of the file."""
        return tuple(f"{self._source}:{line}: {text}" for line, text in sorted(self._found))


class YamlFile:
    """One document and its faults."""

    def __init__(self, text: str, source: str) -> None:
        self.faults = Faults(source)
        self._text = text

    def root(self) -> Entry | None:
        """The whole document, or None where it is empty or cannot be read."""
        try:
            node = yaml.compose(self._text, Loader=_LOADER) if self._is_harmless() else None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.faults.add(_line(mark), "", f"not YAML: {error.problem or error.context}")
            return None
        return None if node is None else Entry("", _line(node.start_mark), node)

    def mapping(self, entry: Entry, known: Collection[str] | None = None) -> dict[str, Entry]:
        """The values of a mapping by key; unknown and repeated keys are faults and left out."""
        if not isinstance(entry.node, yaml.MappingNode):
            self._expected(entry, "a mapping of keys to values")
            return {}
        entries: dict[str, Entry] = {}
        for key_node, value_node in entry.node.value:
            line = _line(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self.faults.add(line, entry.path, "a key must be plain text")
                continue
            key = str(key_node.value)
            path = f"{entry.path}.{key}" if entry.path else key
            if key in entries:
                self.faults.add(line, path, f"given twice: first in line {entries[key].line}")
            elif known is not None and key not in known:
                self.faults.add(line, path, f"unknown key{suggestion(key, known)}")
            else:
                entries[key] = Entry(path, line, value_node)
        return entries

    def text(self, entry: Entry) -> str | None:
        """A text of any length."""
        if not _is_scalar(entry, "str"):
            self._expected(entry, "text (put it in quotes)" if _is_scalar(entry) else "text")
            return None
        return str(entry.node.value)

    def filled_text(self, entry: Entry) -> str | None:
        """A text of at least one visible character."""
        text = self.text(entry)
        if text is not None and not text.strip():
            self.faults.add(entry.line, entry.path, "must not be empty")
            return None
        return text

    def whole(self, entry: Entry, most: int) -> int | None:
        """A whole number from 1 to `most`; 1_050_000 may be written so."""
        if not _is_scalar(entry, "int") or not _WHOLE.fullmatch(entry.node.value):
            self._expected(entry, "a whole number")
            return None
        number = int(entry.node.value)
        if not 1 <= number <= most:
            self.faults.add(entry.line, entry.path, f"{_quoted(entry)} must be from 1 to {most:,}")
            return None
        return number

    def day(self, entry: Entry) -> date | None:
        """A date such as 2026-04-23, with or without quotes."""
        if not _is_scalar(entry, "timestamp", "str") or not _DAY.fullmatch(entry.node.value):
            self._expected(entry, "a date such as 2026-04-23")
            return None
        try:
            return date.fromisoformat(entry.node.value)
        except ValueError:
            self.faults.add(entry.line, entry.path, f"{_quoted(entry)} is not a day of the calendar")
            return None

    def price(self, entry: Entry) -> int | None:
        """A price in USD per 1,000,000 tokens, as pico-dollars per token."""
        if not _is_scalar(entry, "int", "float", "str"):
            self._expected(entry, "a price in USD per 1,000,000 tokens, such as 0.075")
            return None
        try:
            return pico_per_token(entry.node.value)
        except ValueError as error:
            self.faults.add(entry.line, entry.path, _shortened(str(error)))
            return None

    def choice(self, entry: Entry, known: Collection[str]) -> str | None:
        """One of the words `known`."""
        word = self.filled_text(entry)
        if word is not None and word not in known:
            self.faults.add(entry.line, entry.path, f"unknown: {_quoted(entry)}{suggestion(word, known)}")
            return None
        return word

    def words(self, entry: Entry, known: Collection[str] | None = None) -> tuple[str, ...] | None:
        """A list of different words, each of `known` if that is given."""
        if not isinstance(entry.node, yaml.SequenceNode):
            self._expected(entry, "a list such as [low, high]")
            return None
        before = len(self.faults)
        words: list[str] = []
        for node in entry.node.value:
            item = Entry(entry.path, _line(node.start_mark), node)
            word = self.filled_text(item) if known is None else self.choice(item, known)
            if word is not None and word in words:
                self.faults.add(item.line, item.path, f"{_quoted(item)} stands twice in the list")
            words.append(word or "")
        return tuple(words) if len(self.faults) == before else None

    def _is_harmless(self) -> bool:
        """Look for what must not be composed: the parser, unlike the composer, does not recurse."""
        if len(self._text) > MOST_CHARACTERS:
            self.faults.add(1, "", f"the file is too long: at most {MOST_CHARACTERS:,} characters")
            return False
        unprintable = _UNPRINTABLE.search(self._text)
        if unprintable:
            line = self._text.count("\n", 0, unprintable.start()) + 1
            self.faults.add(line, "", f"the character {unprintable[0]!a} does not belong in a text file")
            return False
        level = 0
        for event in yaml.parse(self._text, Loader=_LOADER):
            if isinstance(event, yaml.AliasEvent):
                line = _line(event.start_mark)
                self.faults.add(
                    line, "", f"alias *{event.anchor}: aliases are not accepted, write the value out"
                )
                return False
            level += isinstance(event, yaml.CollectionStartEvent)
            level -= isinstance(event, yaml.CollectionEndEvent)
            if level > MOST_LEVELS:
                self.faults.add(_line(event.start_mark), "", f"nested deeper than {MOST_LEVELS} levels")
                return False
        return True

    def _expected(self, entry: Entry, what: str) -> None:
        got = _KINDS.get(entry.node.tag.removeprefix(_TAG), f"the tag {entry.node.tag}")
        shown = f" ({_quoted(entry)})" if _is_scalar(entry) and not entry.is_null else ""
        self.faults.add(entry.line, entry.path, f"expected {what}, got {got}{shown}")


def suggestion(word: str, known: Collection[str]) -> str:
    """The end of a complaint about `word`: the known word that was probably meant, or all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f": did you mean '{close[0]}'?"
    return f": there are {', '.join(known)}" if known else ""


def _is_scalar(entry: Entry, *kinds: str) -> bool:
    """Whether the value is a scalar, of one of the YAML types `kinds` if any are given."""
    return isinstance(entry.node, yaml.ScalarNode) and (
        not kinds or entry.node.tag.removeprefix(_TAG) in kinds
    )


def _quoted(entry: Entry) -> str:
    return repr(_shortened(str(entry.node.value)))


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_QUOTED * 2 else f"{text[:MOST_QUOTED]}...{text[-MOST_QUOTED:]}"


def _line(mark: Mark | None) -> int:
    return mark.line + 1 if mark is not None else 1
