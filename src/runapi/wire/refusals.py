"""How a request is refused: the place of what is wrong, and the words for it."""

import re
from collections.abc import Iterable

from runapi.core import problems
from runapi.core.problems import Problem

_MOST_SHOWN = 40
_WORDS = {
    "array": "an array",
    "bool": "a boolean",
    "float": "a decimal",
    "int": "an integer",
    "null": "null",
    "object": "an object",
    "str": "a string",
}
_AT = " - at `$"  # what msgspec puts between a fault and its place; a client's word may hold it too, further to the front
_LONGEST_PLACE = 200
_IN_A_MAP = "[...]"  # how msgspec names a value of an object whose keys it does not know
_MISSING = re.compile(r"^Object missing required field `(?P<field>[^`]+)`$")
_WRONG_TYPE = re.compile(r"^Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`$")
_OUT_OF_RANGE = re.compile(r"^Expected `[^`]+` (?P<bound>[<>]=? [0-9.]+)$")
_UNKNOWN_WORD = re.compile(r"^Invalid enum value '(?P<word>.*)'$", re.DOTALL)


def unsupported(param: str, explanation: str) -> Problem:
    """Refuse what is right by itself and cannot be served.

    Args:
        param: where it stands in the client's request.
        explanation: a sentence that says why and what to do.
    """
    return Problem(
        400, f"Unsupported parameter: '{param}'. {explanation}", param=param, code="unsupported_parameter"
    )


def unknown_word(param: str, word: str, words: Iterable[str]) -> Problem:
    """Refuse a word that is none of those allowed."""
    known = ", ".join(f"'{one}'" for one in words)
    return problems.invalid_value(param, f"'{word[:_MOST_SHOWN]}'. Supported values are: {known}.")


def problem_of(fault: str, within: str = "", words: tuple[str, ...] = ()) -> Problem:
    """Turn what msgspec says is wrong into the problem that names its place.

    Args:
        fault: the text of a `ValidationError`.
        within: where that, what was read, stands in the request.
        words: those that are allowed, should a word be the fault.
    """
    what, at, place = fault.rpartition(_AT)
    what, place = (what, place.removeprefix(".").removesuffix("`")) if at else (fault, "")
    param = _joined(within, place.split(_IN_A_MAP)[0][:_LONGEST_PLACE])
    if missing := _MISSING.match(what):
        return problems.missing_parameter(_joined(param, missing["field"]))
    if wrong := _WRONG_TYPE.match(what):
        return problems.invalid_type(param, _in_words(wrong["expected"]), _in_words(wrong["got"]))
    if bound := _OUT_OF_RANGE.match(what):
        return problems.invalid_value(param, f"expected a value {bound['bound'].removesuffix('.0')}.")
    if unknown := _UNKNOWN_WORD.match(what):
        if words:
            return unknown_word(param, unknown["word"], words)
        return problems.invalid_value(param, f"'{unknown['word'][:_MOST_SHOWN]}'.")
    return problems.invalid_value(param, f"{what.replace('`', '')[:_MOST_SHOWN]}.")


def _joined(within: str, place: str) -> str:
    if not within or not place:
        return within or place
    return within + place if place.startswith("[") else f"{within}.{place}"


def _in_words(types: str) -> str:
    names = [name for name in types.split(" | ") if name != "null" or types == "null"]
    return " or ".join(_WORDS.get(name, name) for name in names)
