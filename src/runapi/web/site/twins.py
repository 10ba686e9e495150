"""A page as Markdown for programs: the same text without what only a browser shows."""

import re
from collections.abc import Callable, Iterator, Mapping

import msgspec

_CONTAINER = re.compile(r"(:{3,})\s*(\w*)\s*$")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_SKIP = re.compile(r"""\s+skip=("[^"]*"|'[^']*'|\S+)""")
_BLANK_LINES = re.compile(r"\n{3,}")
CALLOUTS = ("note", "warning")


def write_twin(head: Mapping[str, str], body: str, label: Callable[[str], str]) -> str:
    """Write front matter, the title as a heading, and the body without containers; `label` names call-outs."""
    front = "".join(f"{key}: {_yaml_text(value)}\n" for key, value in head.items())
    text = _BLANK_LINES.sub("\n\n", "\n".join(_plain_lines(body, label)).strip())
    return f"---\n{front}---\n\n# {head['title']}\n\n{text}\n"


def _yaml_text(value: str) -> str:
    """A text as YAML reads it everywhere: JSON's quotes."""
    return msgspec.json.encode(value).decode()


def _plain_lines(body: str, label: Callable[[str], str]) -> Iterator[str]:
    """Leave out the lines that open and close containers; a call-out becomes a quotation."""
    fence = ""
    opened: list[str] = []
    for line in body.split("\n"):
        found = _FENCE.match(line)
        if fence:
            fence = "" if found and found[1].startswith(fence) and not line.strip(" `~") else fence
        elif found:
            fence = found[1]
            line = _SKIP.sub("", line)  # noqa: PLW2901 - the line without what only the tests read
        elif container := _CONTAINER.match(line):
            if container[2]:
                opened.append(container[2])
                if container[2] in CALLOUTS:
                    yield f"> **{label(container[2])}**"
            elif opened:
                opened.pop()
                yield ""
            continue
        yield f"> {line}".rstrip() if any(name in CALLOUTS for name in opened) else line
