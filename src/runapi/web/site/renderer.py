"""A page in one of its forms: Markdown with its values filled in, and for browsers that Markdown as HTML.

Everything here is loaded with the first page that is asked for: a server that only serves its API stays small.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import msgspec

from runapi.web.site import menus, structured_data
from runapi.web.site.content import DEFAULT_LOCALE, PACKAGED, ContentFault, Page
from runapi.web.site.markdown import Heading, MarkdownWriter
from runapi.web.site.negotiate import Form
from runapi.web.site.paths import page_path, twin_path
from runapi.web.site.twins import write_twin
from runapi.web.site.values import Values
from runapi.web.site.view import Missing, View

MACROS = "macros.md.j2"
MORE_MACROS = "*_macros.md.j2"
CHANGES = PACKAGED / "changes.md"
_DEAD_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(\)")
_DEAD_ANCHOR = re.compile(r'<a\b[^>]*\bhref=""[^>]*>(.*?)</a>', re.DOTALL)
_WIDGET = re.compile("(?:<p>)?\x02([0-9]+)\x03(?:</p>)?")


class PageText(msgspec.Struct, frozen=True):
    """A rendered page."""

    text: str
    uses_live: bool  # it shows how models do at this moment


class Renderer:
    """Renders pages. Not for two threads at once."""

    def __init__(self, static_url: Callable[[str], str]) -> None:
        """Take the function that gives the URL of a file such as "site.css"."""
        templates = PACKAGED / "templates"
        options: dict[str, Any] = {
            "loader": jinja2.FileSystemLoader(templates),
            "undefined": jinja2.StrictUndefined,
            "trim_blocks": True,
            "lstrip_blocks": True,
            "keep_trailing_newline": True,
        }
        self._markdown = jinja2.Environment(**options)  # noqa: S701 - Markdown, whose writer escapes HTML
        self._html = jinja2.Environment(**options, autoescape=True)
        self._html.globals["static"] = static_url
        self._widgets = frozenset(path.stem for path in (templates / "widgets").glob("*.html"))
        self._macros = [MACROS, *sorted(path.name for path in templates.glob(MORE_MACROS))]
        self._writer = MarkdownWriter()

    def render(self, view: View) -> PageText:
        """Render a page as `view` says.

        Raises:
            ContentFault: the page's text asks for what there is not.
        """
        try:
            return self._render(view)
        except (jinja2.TemplateError, KeyError, TypeError, ValueError) as fault:
            raise ContentFault(f"{view.page.file.source}: {fault}") from fault

    def render_broken(self, view: View) -> str:
        """Render what is said in the place of a page whose file has a mistake."""
        values = Values(view)
        context = values.context()
        if view.form is Form.MARKDOWN:
            return self._markdown.get_template("broken.md.j2").render(context)
        frame = self._frame(view, context, values.t("broken_title"), "")
        return self._template("broken.html", {**context, **frame, "headings": []})

    def _render(self, view: View) -> PageText:
        values = Values(view)
        context = self._context(view, values)
        title, description = self._head(view.page, context)
        if view.form is Form.MARKDOWN:
            text = write_twin(
                _twin_head(view, title, description), self._body(view.page, context), values.label
            )
            return PageText(text, values.uses_live)
        html, headings = self._html_body(view, context, values)
        shown = self._frame(view, context, title, description)
        text = self._template("page.html", {**context, **shown, "content": html, "headings": headings})
        return PageText(text, values.uses_live)

    def render_not_found(self, view: View, missing: Missing) -> str:
        """Render what is said where there is no page."""
        values = Values(view)
        context = {**values.context(), "missing": missing}
        context["near"] = [
            (self.title_of(view, page)[0], values.link(f"/{page.path}")) for page in missing.near
        ]
        if view.form is Form.MARKDOWN:
            return self._markdown.get_template("not_found.md.j2").render(context)
        frame = self._frame(view, context, values.t("not_found_title"), "")
        return self._template("not_found.html", {**context, **frame, "headings": []})

    def title_of(self, view: View, page: Page) -> tuple[str, str]:
        """The title and description of another page of the view's locale, values filled in."""
        return self._head(page, Values(msgspec.structs.replace(view, page=page)).context())

    def _context(self, view: View, values: Values) -> dict[str, Any]:
        """All values, and the lists of pages."""
        context = values.context()

        def pages_in(section: str) -> list[dict[str, str]]:
            pages = menus.pages_of(view.library, view.page.locale, section)
            heads = [
                (
                    page.path,
                    self._head(page, context),
                    values.link(f"/{page.path}"),
                    self._name_in_menus(context, page),
                )
                for page in pages
            ]
            return [
                {"path": path, "title": title, "description": description, "href": href, "menu": menu}
                for path, (title, description), href, menu in heads
            ]

        return {**context, "pages_in": pages_in}

    # ---- the parts ---------------------------------------------------------------------------------------

    def _head(self, page: Page, context: dict[str, Any]) -> tuple[str, str]:
        meta = page.file.meta
        return self._fill(meta.title, context), self._fill(meta.description, context)

    def _name_in_menus(self, context: dict[str, Any], page: Page) -> str:
        return self._fill(page.file.meta.menu or page.file.meta.title, context)

    def _fill(self, text: str, context: dict[str, Any]) -> str:
        """Fill the values in; with a mistake in it, a title stands as it was written, for other pages show it too."""
        if "{" not in text:
            return text
        try:
            return self._markdown.from_string(text).render(context)
        except jinja2.TemplateError:
            return text

    def _body(self, page: Page, context: dict[str, Any]) -> str:
        """The Markdown of a page with its values; macros know them too."""
        filled = {**self._macros_for(context), **context}
        text = self._markdown.from_string(page.file.body).render(filled)
        return _DEAD_LINK.sub(r"\1", text)

    def _macros_for(self, context: dict[str, Any]) -> dict[str, Any]:
        macros: dict[str, Any] = {"changes": _read_changes}
        for name in self._macros:
            module = self._markdown.get_template(name).make_module({**macros, **context})
            macros |= {key: value for key, value in vars(module).items() if not key.startswith("_")}
        return macros

    def _html_body(
        self, view: View, context: dict[str, Any], values: Values
    ) -> tuple[str, Sequence[Heading]]:
        """The body as HTML, with what has a form of its own there, such as charts, put in its place."""
        drawn: list[str] = []
        macros = self._macros_for(context)

        def draw(name: str) -> Callable[..., str]:
            def widget(*arguments: Any, **named: Any) -> str:
                given = {**macros, **context, "arguments": arguments, **named, "number": len(drawn) + 1}
                drawn.append(self._template(f"widgets/{name}.html", given))
                return f"\n\n\x02{len(drawn) - 1}\x03\n\n"

            return widget

        widgets = {name: draw(name) for name in self._widgets}
        rendered = self._writer.render(self._body(view.page, {**context, **macros, **widgets}), values.t)
        html = _WIDGET.sub(lambda found: _DEAD_ANCHOR.sub(r"\1", drawn[int(found[1])]), rendered.html)
        return html, rendered.headings

    def _template(self, name: str, context: dict[str, Any]) -> str:
        return self._html.get_template(name).render(context)

    def _frame(self, view: View, context: dict[str, Any], title: str, description: str) -> dict[str, Any]:
        """What stands around the text of every page."""
        page, library, strings = view.page, view.library, view.library.strings
        translations = [
            (locale, strings[locale].name, page_path(locale, page.path))
            for locale in library.locales
            if library.find(locale, page.path) is not None
        ]
        name_of = partial(self._name_in_menus, context)
        before, after = menus.neighbours(library, page, name_of)
        offered = None if view.offered is None else strings[view.offered]
        return {
            "page": page,
            "layout": page.file.meta.layout,
            "title": title,
            "description": description,
            "canonical": view.site_url + page_path(page.locale, page.path),
            "twin": twin_path(page.locale, page.path),
            "default_locale": DEFAULT_LOCALE,
            "translations": translations,
            "languages": [
                (
                    locale,
                    strings[locale].name,
                    page_path(locale, page.path) + view.choice.query if known else page_path(locale, ""),
                )
                for locale in library.locales
                for known in (library.find(locale, page.path) is not None,)
                if known or library.find(locale, "") is not None
            ],
            "offer": offered
            and (offered.locale, offered.texts["offer"], page_path(offered.locale, page.path)),
            "top_menu": menus.top_menu(library, page, strings[page.locale].texts),
            "side_menus": menus.side_menus(library, page, name_of),
            "foot_menu": menus.foot_menu(library, page, name_of),
            "before": before,
            "after": after,
            "structured": structured_data.describe(
                view, title, description, lambda other: self._head(other, context)[0]
            ),
        }


def _twin_head(view: View, title: str, description: str) -> dict[str, str]:
    page = view.page
    head = {
        "title": title,
        "description": description,
        "url": view.site_url + twin_path(page.locale, page.path),
        "canonical": view.site_url + page_path(page.locale, page.path),
        "locale": page.locale,
    }
    return {**head, "model": page.model} if page.model else head


def _read_changes(path: Path = CHANGES) -> str:
    """What changed in each version, without the heading of the file."""
    _, _, rest = path.read_text("utf-8").partition("\n## ")
    return f"## {rest}" if rest else ""
