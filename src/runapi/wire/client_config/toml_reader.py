"""Find the statements of a TOML file and where their values stand; `tomllib` says what they mean."""

import re
import tomllib
from collections.abc import Iterator
from typing import NoReturn

import msgspec

from runapi.wire.client_config.fault import ConfigFault, line_of

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*""")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'", re.DOTALL
)
_ERROR_PLACE = re.compile(r" \(at line ([0-9]+), column [0-9]+\)$")
_OPENING, _CLOSING = "[{", "]}"


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A header (`[table]`, `[[array]]`) or a pair; `path` is the whole one, from the root."""

    path: tuple[str, ...]
    is_header: bool
    start: int
    value_start: int
    end: int


def read_toml(text: str) -> dict[str, object]:
    """Read a TOML file.

    Raises:
        ConfigFault: it is none, with the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _ERROR_PLACE.search(str(error))
        line = int(place[1]) if place else text.rstrip().count("\n") + 1
        raise ConfigFault(
            line, _ERROR_PLACE.sub("", str(error)).removesuffix(" (at end of document)")
        ) from None


def statements(text: str) -> list[Statement]:
    """List the statements of a file that `read_toml` takes, in their order."""
    return list(_Scanner(text).statements())


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def statements(self) -> Iterator[Statement]:
        table: tuple[str, ...] = ()
        while True:
            self._skip(_BLANK)
            if self._at >= len(self._text):
                return
            if self._text[self._at] == "[":
                start = self._at
                table = self._header()
                yield Statement(path=table, is_header=True, start=start, value_start=start, end=self._at)
            else:
                yield self._pair(table)

    def _header(self) -> tuple[str, ...]:
        self._at += 2 if self._text.startswith("[[", self._at) else 1
        path = self._path()
        while self._text.startswith("]", self._at):
            self._at += 1
        return path

    def _pair(self, table: tuple[str, ...]) -> Statement:
        start = self._at
        path = table + self._path()
        self._at += 1  # the equals sign
        while self._text[self._at] in " \t":
            self._at += 1
        value_start = self._at
        self._value()
        return Statement(path=path, is_header=False, start=start, value_start=value_start, end=self._at)

    def _path(self) -> tuple[str, ...]:
        names = []
        while True:
            key = _KEY.match(self._text, self._at)
            if key is None:
                self._fail()
            names.append(_name(key[1]))
            self._at = key.end()
            if not self._text.startswith(".", self._at):
                return tuple(names)
            self._at += 1

    def _value(self) -> None:
        """Go behind a value: to the end of its line, but for arrays and tables that go on."""
        level, end = 0, self._at
        while self._at < len(self._text):
            sign = self._text[self._at]
            if sign in "\"'":
                self._skip(_STRING)
                end = self._at
                continue
            if sign == "#" or (sign in "\r\n" and not level):
                if not level:
                    break
                self._skip(_BLANK)
                continue
            level += (sign in _OPENING) - (sign in _CLOSING)
            self._at += 1
            if not sign.isspace():
                end = self._at
        self._at = end

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match is None:
            self._fail()
        self._at = match.end()

    def _fail(self) -> NoReturn:
        raise ConfigFault(line_of(self._text, self._at), "this statement cannot be read")


def _name(key: str) -> str:
    if key[0] not in "\"'":
        return key
    (name,) = tomllib.loads(f"{key} = 0")
    return str(name)
