"""Write a text that matches a regular expression, as far as the expression is simple.

The expression comes from a customer's schema, so it is only read, never run: a hostile one could run for ever.
"""

from collections.abc import Callable

import msgspec

_MOST_CHARACTERS = 10_000
_DEEPEST = 50
_LONGEST_RANGE = 200
_SURROGATES = range(0xD800, 0xE000)
_ORDINARY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_ .@:/"
_CLASSES = {
    "d": "1234567890",
    "w": "abcdefghijklmnopqrstuvwxyz",
    "s": " ",
    "D": "abcdefghijklmnopqrstuvwxyz",
    "W": "-.:/",
    "S": "abcdefghijklmnopqrstuvwxyz",
}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
_EMPTY = frozenset("bAzZG")
_HEX_DIGITS = {"x": 2, "u": 4}


class UnknownPattern(ValueError):  # noqa: N818 - it says what is the matter, not that something broke
    """The expression uses what is not understood here (look-around, back-references ...), or is too large."""


def text_for_pattern(pattern: str, min_length: int, max_length: int, variant: int = 0) -> str:
    """Write a text for `pattern` with a length in the given bounds; another `variant` gives another text, if it can.

    Raises:
        UnknownPattern: no such text was found.
    """
    stretches = [1, 0, *range(2, 17), min_length]  # how often the open repetitions are done
    for stretch in stretches:
        text = _Reader(pattern, stretch, variant).read()
        if min_length <= len(text) <= max_length:
            return text
    raise UnknownPattern(f"no text of {min_length} to {max_length} characters was found for {pattern!r}")


class _Reader(msgspec.Struct):
    """One walk over the expression, writing as it goes."""

    pattern: str
    stretch: int
    variant: int
    at: int = 0
    depth: int = 0

    def read(self) -> str:
        text = self._alternatives()
        if self.at < len(self.pattern):
            raise UnknownPattern(f"unbalanced ) in {self.pattern!r}")
        return text

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _take(self) -> str:
        character = self._peek()
        if not character:
            raise UnknownPattern(f"{self.pattern!r} ends too early")
        self.at += 1
        return character

    def _alternatives(self) -> str:
        """Read `a|b|c`; the first is written."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise UnknownPattern("too deep")
        text = self._sequence()
        while self._peek() == "|":
            self.at += 1
            self._sequence()
        self.depth -= 1
        return text

    def _sequence(self) -> str:
        parts: list[str] = []
        while self._peek() not in {"", "|", ")"}:
            atom = self._atom()
            count = self._count()
            if count * len(atom) > _MOST_CHARACTERS:
                raise UnknownPattern("too long")
            parts.append(atom * count)
        text = "".join(parts)
        if len(text) > _MOST_CHARACTERS:
            raise UnknownPattern("too long")
        return text

    def _atom(self) -> str:
        readers: dict[str, Callable[[], str]] = {
            "(": self._group,
            "[": self._class,
            "\\": lambda: self._pick(self._escape()),
            ".": lambda: self._pick(_ORDINARY),
            "^": str,
            "$": str,
        }
        character = self._take()
        if character in {"*", "+", "?"}:
            raise UnknownPattern(f"nothing to repeat in {self.pattern!r}")
        reader = readers.get(character)
        return reader() if reader else character

    def _pick(self, characters: str) -> str:
        return characters[self.variant % len(characters)] if characters else ""

    def _group(self) -> str:
        if self._peek() == "?":
            self._group_kind()
        text = self._alternatives()
        if self._take() != ")":
            raise UnknownPattern(f"unbalanced ( in {self.pattern!r}")
        return text

    def _group_kind(self) -> None:
        self.at += 1
        kind = self._take()
        if kind == "P":
            kind = self._take()
        if kind == "<" and self._peek() not in {"=", "!"}:
            while self._take() != ">":
                pass
        elif kind != ":":
            raise UnknownPattern(f"(?{kind} is not understood")

    def _escape(self) -> str:
        """Read what follows a backslash; give the characters that it may stand for."""
        letter = self._take()
        if letter in _CLASSES:
            return _CLASSES[letter]
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter in _EMPTY:
            return ""
        if letter in _HEX_DIGITS:
            digits = self.pattern[self.at : self.at + _HEX_DIGITS[letter]]
            self.at += len(digits)
            try:
                character = chr(int(digits, 16))
                character.encode()
            except ValueError:
                raise UnknownPattern(f"\\{letter}{digits} is not a character") from None
            return character
        if letter.isalnum():
            raise UnknownPattern(f"\\{letter} is not understood")
        return letter

    def _class(self) -> str:
        negated = self._peek() == "^"
        self.at += negated
        found: list[str] = []
        while self._peek() != "]" or not found:
            found.append(self._class_item())
        self.at += 1
        allowed = "".join(found)
        if negated:
            allowed = "".join(character for character in _ORDINARY if character not in allowed)
        if not allowed:
            raise UnknownPattern("an empty class")
        return self._pick(allowed)

    def _class_item(self) -> str:
        first = self._take()
        if first == "\\":
            first = self._escape()
        if len(first) != 1 or self._peek() != "-" or self.pattern[self.at + 1 : self.at + 2] in {"", "]"}:
            return first
        self.at += 1
        last = self._take()
        if last == "\\":
            last = self._escape()
        if len(last) != 1 or last < first:
            raise UnknownPattern(f"{first}-{last} is not a range")
        codes = range(ord(first), min(ord(last), ord(first) + _LONGEST_RANGE) + 1)
        return "".join(chr(code) for code in codes if code not in _SURROGATES)

    def _count(self) -> int:
        """Read a quantifier, if there is one; give how often the atom before it is written."""
        match self._peek():
            case "*":
                least, most = 0, None
            case "+":
                least, most = 1, None
            case "?":
                least, most = 0, 1
            case "{" if (bounds := self._braces()) is not None:
                least, most = bounds
            case _:
                return 1
        self.at += 1
        if self._peek() in {"?", "+"}:
            self.at += 1
        wanted = max(least, self.stretch)
        return wanted if most is None else max(least, min(wanted, most))

    def _braces(self) -> tuple[int, int | None] | None:
        """Read `{m}`, `{m,}` or `{m,n}` up to its last brace; braces around anything else are text."""
        end = self.pattern.find("}", self.at)
        least, comma, most = self.pattern[self.at + 1 : max(end, 0)].partition(",")
        if not least.isdecimal() or not (most.isdecimal() or not most) or len(least + most) > 12:
            return None
        self.at = end
        if not comma:
            return int(least), int(least)
        return int(least), int(most) if most else None
