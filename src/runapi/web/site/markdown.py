"""Markdown -> HTML: code with colours and tabs, call-outs, tables that fit a phone, headings that can be linked to."""

import re
import unicodedata
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from html import escape
from typing import Any

import msgspec
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from mdit_py_plugins.container import container_plugin

from runapi.web.site.fences import Fence, highlight, read_fence
from runapi.web.site.tables import shape_tables

CONTAINERS = ("tabs", "note", "warning", "steps", "columns", "column", "cards", "names")
LOWEST_IN_CONTENTS = 3
LONGEST_WHOLE = 20  # characters of a name with hyphens that is not broken at the end of a line
LONGEST_IN_A_CELL = 12  # characters of a name in a table that is not broken: a phone has no room for more
_AFTER_PARTS = re.compile(r"(?<=\w[_./])(?=\w)")
_NOT_IN_SLUGS = re.compile(r"[^\w\- ]")
Text = Callable[[str], str]
Env = MutableMapping[str, Any]


class Heading(msgspec.Struct, frozen=True):
    """One line of a page's list of contents."""

    level: int
    slug: str
    text: str


class Rendered(msgspec.Struct, frozen=True):
    """The HTML of a Markdown text, and its headings."""

    html: str
    headings: list[Heading]


class MarkdownWriter:
    """Renders Markdown; raw HTML in it is shown as text."""

    def __init__(self) -> None:
        """Set the parser up once."""
        self._parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
        for name in CONTAINERS:
            self._parser.use(container_plugin, name, render=_RENDER_CONTAINER.get(name, _render_container))
        self._parser.core.ruler.push("site", _shape)
        for name, rule in (
            ("fence", _render_fence),
            ("code_inline", _render_name),
            ("table_open", _open_table),
            ("table_close", _close_table),
        ):
            self._parser.add_render_rule(name, rule)

    def render(self, text: str, t: Text) -> Rendered:
        """Render `text`; `t` gives the words that are not in it."""
        env: Env = {"t": t, "headings": []}
        html: str = self._parser.render(text, env)
        return Rendered(html, env["headings"])


def slug_of(text: str, taken: Sequence[str] = ()) -> str:
    """The part of the URL for a heading, in any script: "What it costs" -> "what-it-costs"."""
    plain = _NOT_IN_SLUGS.sub("", unicodedata.normalize("NFKC", text).lower()).strip()
    slug = re.sub(r"[\s-]+", "-", plain) or "section"
    number = 1
    while (slug if number == 1 else f"{slug}-{number}") in taken:
        number += 1
    return slug if number == 1 else f"{slug}-{number}"


# ---- rules on tokens -------------------------------------------------------------------------------------


def _shape(state: StateCore) -> None:
    """Give headings their ids, tables what a browser needs, and code in tabs its place."""
    env: Env = state.env
    for index, token in enumerate(state.tokens):
        if token.type == "heading_open":
            _name_heading(token, state.tokens[index + 1], env["headings"])
    for group, (start, fences) in enumerate(_tab_groups(state.tokens), 1):
        state.tokens[start].meta["tabs"] = (group, [read_fence(fence.info) for fence in fences])
        for place, fence in enumerate(fences, 1):
            fence.meta["tab"] = (group, place)
    state.tokens = shape_tables(state.tokens)


def _name_heading(token: Token, inline: Token, headings: list[Heading]) -> None:
    text = "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))
    slug = slug_of(text, [heading.slug for heading in headings])
    token.attrSet("id", slug)
    level = int(token.tag[1])
    if level <= LOWEST_IN_CONTENTS:
        headings.append(Heading(level, slug, text))


def _tab_groups(tokens: Sequence[Token]) -> Iterator[tuple[int, list[Token]]]:
    """Where each container of tabs opens, with the code in it."""
    start: int | None = None
    for index, token in enumerate(tokens):
        if token.type == "container_tabs_open":
            start = index
        elif token.type == "container_tabs_close" and start is not None:
            yield start, [inner for inner in tokens[start:index] if inner.type == "fence"]
            start = None


# ---- rendering -------------------------------------------------------------------------------------------


def _render_fence(
    _self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: Env
) -> str:
    token = tokens[index]
    fence = read_fence(token.info)
    code = highlight(token.content, fence.language)
    block = f'<pre><code class="language-{escape(fence.language or "text")}">{code}</code></pre>\n'
    tab = token.meta.get("tab")
    if tab is not None:
        return f'<div class="panel code">{block}</div>\n'
    head = f"<figcaption>{escape(fence.label)}</figcaption>" if fence.label else ""
    return f'<figure class="code">{head}{block}</figure>\n'


def _render_name(
    _self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: Env
) -> str:
    """Show code in a line of text; where it ends a line, it is broken between its parts or not at all."""
    token = tokens[index]
    text, name = escape(token.content), token.content
    if " " in name:
        return f"<code>{text}</code>"
    if "-" in name and len(name) <= LONGEST_WHOLE:
        return f'<code class="whole">{text}</code>'
    if token.meta.get("in_cell") and len(name) > LONGEST_IN_A_CELL:
        text = "<wbr>".join(escape(part) for part in _AFTER_PARTS.split(name))
    return f"<code>{text}</code>"


def _render_tabs(
    _self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, env: Env
) -> str:
    """Open the tabs: a radio button each, so that they work without a script."""
    token = tokens[index]
    if token.nesting < 0:
        return "</div>\n"
    group, fences = token.meta.get("tabs", (0, []))
    heads = "".join(_tab_head(group, place, fence) for place, fence in enumerate(fences, 1))
    return f'<div class="tabs" role="group" aria-label="{escape(env["t"]("tabs"))}">{heads}\n'


def _tab_head(group: int, place: int, fence: Fence) -> str:
    name, label = f"tab-{group}-{place}", escape(fence.label)
    checked = " checked" if place == 1 else ""
    return (
        f'<input type="radio" name="tabs-{group}" id="{name}" data-tab="{label}"{checked}>'
        f'<label for="{name}">{label}</label>'
    )


def _render_callout(
    _self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, env: Env
) -> str:
    token = tokens[index]
    kind = token.type.removeprefix("container_").removesuffix("_open")
    if token.nesting < 0:
        return "</div>\n"
    label = escape(env["t"](kind))
    return f'<div class="callout {kind}" role="note"><p class="callout-label">{label}</p>\n'


def _render_container(
    _self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: Env
) -> str:
    token = tokens[index]
    kind = token.type.removeprefix("container_").removesuffix("_open")
    return f'<div class="{kind}">\n' if token.nesting > 0 else "</div>\n"


def _open_table(
    _self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: Env
) -> str:
    kind = "table stack" if tokens[index].meta.get("stacks") else "table"
    return f'<div class="{kind}"><table>\n'


def _close_table(*_: object) -> str:
    return "</table></div>\n"


_RENDER_CONTAINER = {"tabs": _render_tabs, "note": _render_callout, "warning": _render_callout}
