"""Read JSON as people write it (JSON5, and so JSON with comments too), and remember where each part stands."""

import re
from decimal import Decimal
from typing import NoReturn

import msgspec

from runapi.wire.client_config.fault import ConfigFault, line_of
from runapi.wire.client_config.json_value import Json

MOST_LEVELS = 200
MOST_CHARACTERS = 10_000_000

_BLANK = re.compile(r"(?:[\s\ufeff]+|//[^\n\r\u2028\u2029]*|/\*.*?\*/)*", re.DOTALL)
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F]+|Infinity|NaN|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)", re.ASCII
)
_NAME = re.compile(r"[^\W\d][\w$\u200c\u200d]*|[$][\w$\u200c\u200d]*")
_PLAIN = {'"': re.compile(r'[^"\\\n\r]*'), "'": re.compile(r"[^'\\\n\r]*")}
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
_HEX = {"x": 2, "u": 4}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A value of the file, from `start` to before `end`; `items` are its members or elements."""

    start: int
    end: int
    value: Json
    items: tuple["Item", ...] = ()

    @property
    def is_object(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_array(self) -> bool:
        return isinstance(self.value, list)


class Item(msgspec.Struct, frozen=True):
    """One member of an object, or one element of an array, whose name is empty."""

    name: str
    start: int
    part: Part
    comma: int | None  # the comma after it, if there is one


def read_json(text: str) -> Part:
    """Read the one value of a file.

    Raises:
        ConfigFault: it is none, with the line of the first fault.
    """
    if len(text) > MOST_CHARACTERS:
        raise ConfigFault(0, "it is too large for a configuration file")
    return _Reader(text).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._level = 0

    def whole(self) -> Part:
        self._skip_blank()
        part = self._part()
        self._skip_blank()
        if self._at < len(self._text):
            self._fail(f"{self._here()} stands after the end of the value")
        return part

    def _part(self) -> Part:
        match self._text[self._at : self._at + 1]:
            case "{":
                return self._nested("}")
            case "[":
                return self._nested("]")
            case '"' | "'" as quote:
                start = self._at
                value: Json = self._string(quote)
                return Part(start=start, end=self._at, value=value)
            case _:
                return self._word()

    def _nested(self, close: str) -> Part:
        self._level += 1
        if self._level > MOST_LEVELS:
            self._fail("it is nested too deep")
        start, items = self._at, []
        self._at += 1
        self._skip_blank()
        while not self._text.startswith(close, self._at):
            item = self._item(close)
            items.append(item)
            if item.comma is None:
                break
        self._expect(close, ("a comma or " if items else "") + repr(close))
        self._level -= 1
        value: Json = (
            {item.name: item.part.value for item in items}
            if close == "}"
            else [item.part.value for item in items]
        )
        return Part(start=start, end=self._at, value=value, items=tuple(items))

    def _item(self, close: str) -> Item:
        start, name = self._at, ""
        if close == "}":
            name = self._name()
            self._skip_blank()
            self._expect(":", f"':' after {name[:40]!r}")
            self._skip_blank()
        part = self._part()
        self._skip_blank()
        comma = self._at if self._text.startswith(",", self._at) else None
        if comma is not None:
            self._at += 1
            self._skip_blank()
        return Item(name, start, part, comma)

    def _name(self) -> str:
        quote = self._text[self._at : self._at + 1]
        if quote in _PLAIN:
            return self._string(quote)
        match = _NAME.match(self._text, self._at)
        if match is None:
            self._fail(f"a name or '}}' is expected, not {self._here()}")
        self._at = match.end()
        return match[0]

    def _string(self, quote: str) -> str:
        start, pieces = self._at, []
        self._at += 1
        while True:
            plain = _PLAIN[quote].match(self._text, self._at)
            assert plain is not None  # noqa: S101 - the pattern matches nothing as well
            pieces.append(plain[0])
            self._at = plain.end()
            match self._text[self._at : self._at + 1]:
                case "\\":
                    pieces.append(self._escape())
                case end if end == quote:
                    self._at += 1
                    return _join_pairs("".join(pieces))
                case _:
                    self._at = start
                    self._fail("a text in quotes has no end on its line")

    def _escape(self) -> str:
        letter = self._text[self._at + 1 : self._at + 2]
        self._at += 2
        if letter in _HEX:
            digits = self._text[self._at : self._at + _HEX[letter]]
            if not re.fullmatch(rf"[0-9a-fA-F]{{{_HEX[letter]}}}", digits):
                self._fail(f"\\{letter} needs {_HEX[letter]} hexadecimal digits")
            self._at += len(digits)
            return chr(int(digits, 16))
        if letter == "\r" and self._text.startswith("\n", self._at):
            self._at += 1
        if letter in ("\n", "\r", "\u2028", "\u2029"):
            return ""
        return _ESCAPES.get(letter, letter)

    def _word(self) -> Part:
        start = self._at
        number = _NUMBER.match(self._text, start)
        name = _NAME.match(self._text, start)
        if name is not None and name[0] in _WORDS:
            self._at = name.end()
            return Part(start=start, end=self._at, value=_WORDS[name[0]])
        if number is None:
            self._fail(f"a value is expected, not {self._here()}")
        self._at = number.end()
        return Part(start=start, end=self._at, value=_number(number[0]))

    def _skip_blank(self) -> None:
        match = _BLANK.match(self._text, self._at)
        assert match is not None  # noqa: S101 - the pattern matches nothing as well
        self._at = match.end()

    def _expect(self, sign: str, what: str) -> None:
        if not self._text.startswith(sign, self._at):
            self._fail(f"{what} is expected, not {self._here()}")
        self._at += len(sign)

    def _here(self) -> str:
        rest = self._text[self._at : self._at + 20].split("\n")[0].strip()
        return repr(rest) if rest else "the end"

    def _fail(self, what: str) -> NoReturn:
        raise ConfigFault(line_of(self._text, self._at), what)


def _join_pairs(text: str) -> str:
    """Make one character of two escapes that are halves of it."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _number(text: str) -> Json:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if digits[:2].lower() == "0x":
        return sign * int(digits, 16)
    return sign * int(digits) if digits.isdigit() else sign * Decimal(digits.rstrip("."))
