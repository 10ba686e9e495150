"""The line that opens a block of code, and its colours."""

import shlex
from html import escape

import msgspec
from pygments import highlight as highlight_code
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

_LABELS = {
    "": "",
    "text": "",
    "bash": "Shell",
    "console": "Shell",
    "javascript": "Node",
    "js": "Node",
    "json": "JSON",
    "python": "Python",
    "toml": "TOML",
    "typescript": "TypeScript",
    "yaml": "YAML",
}
_PLAIN = ("", "text", "plain")
_formatter: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


class Fence(msgspec.Struct, frozen=True):
    """What stands after the three backticks."""

    language: str = ""
    title: str = ""
    file: str = ""
    skip: str = ""

    @property
    def label(self) -> str:
        """What a tab or the line above the code says."""
        return self.title or self.file or _LABELS.get(self.language, self.language)


def read_fence(info: str) -> Fence:
    """Read `python title="Python" skip="needs a desktop"`; what cannot be read is left out."""
    try:
        words = shlex.split(info)
    except ValueError:
        words = info.split()
    named = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    known = {name: named[name] for name in ("title", "file", "skip") if name in named}
    return Fence(words[0].lower() if words else "", **known)


def highlight(code: str, language: str) -> str:
    """Colour code by classes; a language that nobody knows stays plain."""
    if language in _PLAIN:
        return escape(code)
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return escape(code)
    return highlight_code(code, lexer, _formatter)
