"""What a visitor asked for, told from the headers Accept and Accept-Language."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache

MOST_HEADER_BYTES = 1000
MOST_ITEMS = 20


class Form(StrEnum):
    """The forms in which the site says things."""

    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"


_TYPES = {
    "text/markdown": Form.MARKDOWN,
    "text/x-markdown": Form.MARKDOWN,
    "text/html": Form.HTML,
    "application/xhtml+xml": Form.HTML,
    "application/json": Form.JSON,
}
_RANK = (Form.MARKDOWN, Form.HTML, Form.JSON)
"""Among equals the first is taken: no browser names Markdown, and agents that do prefer it."""

_CHINESE = {"zh-hant": "zh-TW", "zh-hk": "zh-TW", "zh-mo": "zh-TW", "zh": "zh-CN", "zh-hans": "zh-CN"}
"""Chinese by script and place, where no locale has the very name."""


@lru_cache(maxsize=256)
def read_accept(accept: bytes | None) -> Form | None:
    """The form that Accept asks for by name; None where it leaves the choice to us."""
    asked: dict[Form, float] = {}
    for name, weight in _items(accept):
        form = _TYPES.get(name)
        if form is not None and weight > 0:
            asked[form] = max(asked.get(form, 0.0), weight)
    return max(_RANK, key=lambda form: asked.get(form, 0.0)) if asked else None


@lru_cache(maxsize=256)
def read_languages(accept_language: bytes | None, known: Sequence[str]) -> str | None:
    """The visitor's best language among `known` (a tuple of locales), or None."""
    by_name = {locale.lower(): locale for locale in known}
    for name, weight in sorted(_items(accept_language), key=lambda item: -item[1]):
        found = _match_language(name, by_name)
        if found is not None and weight > 0:
            return found
    return None


def _match_language(name: str, by_name: dict[str, str]) -> str | None:
    parts = name.split("-")
    for length in range(len(parts), 0, -1):
        prefix = "-".join(parts[:length])
        chinese = _CHINESE.get(prefix)
        if chinese in by_name.values():
            return chinese
        if prefix in by_name:
            return by_name[prefix]
    return None


def _items(header: bytes | None) -> Iterator[tuple[str, float]]:
    """Each item of such a header in lower case, with its weight."""
    text = (header or b"")[:MOST_HEADER_BYTES].decode("latin-1").lower()
    for item in text.split(",")[:MOST_ITEMS]:
        name, *parameters = (part.strip() for part in item.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        yield name, float(weight) if _is_weight(weight) else 0.0


def _is_weight(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal() and text.isascii()
