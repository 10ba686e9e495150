"""Makes answers and keeps them: each page is rendered once, in a thread, for as long as what it says is true."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import structlog

from runapi.core.price_book import PriceBook
from runapi.web.site import api_description, feeds
from runapi.web.site.cache import Answer, Cache, Kept, pack
from runapi.web.site.choice import WHOLE, Choice
from runapi.web.site.content import ContentFault, ContentFile, FrontMatter, Library, Page, Shelf
from runapi.web.site.facts import Basis, Facts, gather_facts
from runapi.web.site.live_state import LiveState, LiveWatch
from runapi.web.site.missing import find_missing, tell_program
from runapi.web.site.negotiate import Form
from runapi.web.site.offers import write_offer
from runapi.web.site.paths import Target, page_path, twin_path
from runapi.web.site.replies import CHECK_EACH_TIME, NEVER_KEEP
from runapi.web.site.view import View

if TYPE_CHECKING:
    from runapi.web.site.renderer import Renderer

T = TypeVar("T")
_log = structlog.get_logger("runapi.site")
MARKDOWN = "text/markdown; charset=utf-8"
_TYPES = {Form.HTML: "text/html; charset=utf-8", Form.MARKDOWN: MARKDOWN}
_FEED_TYPES = {
    "xml": "application/xml; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "json": "application/json",
    "yaml": "application/yaml; charset=utf-8",
}
MODELS_FEED = "models.json"  # which `runapi connect` reads
FEEDS = ("llms.txt", "llms-full.txt", "sitemap.xml", "robots.txt", MODELS_FEED, *api_description.NAMES)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a visitor is to get: a page that there is, in one form."""

    page: Page
    form: Form
    site_url: str
    choice: Choice = WHOLE  # of the list of models
    offered: str | None = None


class Press:
    """Everything that the site can answer with, made when it is asked for first."""

    def __init__(
        self,
        *,
        basis: Basis,
        book: Callable[[], PriceBook],
        shelf: Shelf,
        live: LiveWatch,
        static_url: Callable[[str], str],
    ) -> None:
        """Take what pages are made of; `book` gives the prices in force at any moment."""
        self._basis = basis
        self._book = book
        self._shelf = shelf
        self._live = live
        self._static_url = static_url
        self._cache = Cache()
        self._facts: tuple[PriceBook, date, Facts] | None = None
        self._renderer: Renderer | None = None
        self._at_work = asyncio.Lock()

    # ---- what pages are made of --------------------------------------------------------------------------

    def facts(self) -> Facts:
        """What is true at this moment."""
        book, today = self._book(), datetime.now(UTC).date()
        if self._facts is None or self._facts[0] is not book or self._facts[1] != today:
            gathered = gather_facts(self._basis, book, today)
            self._facts = book, today, gathered
        return self._facts[2]

    async def library(self) -> Library:
        """The pages as they are in their files."""
        models = tuple(self.facts().models)
        library = self._shelf.newest(models)
        if library is None:
            library = await self._work(lambda: self._shelf.newest(models) or self._shelf.look(models))
        return library

    # ---- answers -----------------------------------------------------------------------------------------

    async def page(self, wish: Wish) -> Answer:
        """A page, from memory where what was made still holds."""
        library, facts = await self.library(), self.facts()
        version = (library.version, facts.price_version, facts.today)
        key = (wish.page.path, wish.page.locale, wish.form, wish.site_url, wish.choice, wish.offered)
        kept = self._cache.get(key, version)
        if kept is not None and (kept.live is None or kept.live == (await self._live.state()).number):
            return kept.answer
        view = self._view(wish, library, facts, await self._live.state())
        kept = await self._work(lambda: self._cache.get(key, version) or self._make_page(view, version))
        if kept.live is not None and kept.live != view.live.number:  # of another visitor, and old by now
            kept = await self._work(lambda: self._make_page(view, version))
        self._cache.put(key, kept)
        return kept.answer

    async def page_with(self, wish: Wish, extra: dict[str, Any], status: int) -> Answer:
        """A page for this one visit, which is not kept."""
        view = self._view(wish, await self.library(), self.facts(), await self._live.state(), extra)
        return await self._work(lambda: self._make_page_once(view, status))

    async def feed(self, name: str, locale: str, site_url: str) -> Answer:
        """One of FEEDS."""
        library, facts = await self.library(), self.facts()
        version = (library.version, facts.price_version, facts.today)
        key = (name, locale, site_url)
        kept = self._cache.get(key, version)
        if kept is None:
            page = library.find(locale, "") or _no_page(locale)
            wish = Wish(page=page, form=Form.MARKDOWN, site_url=site_url)
            view = self._view(wish, library, facts, LiveState())
            text = await self._work(lambda: self._write_feed(name, view))
            answer = pack(text.encode(), _FEED_TYPES[name.rpartition(".")[2]], headers=(CHECK_EACH_TIME,))
            kept = Kept(answer, version)
            self._cache.put(key, kept)
        return kept.answer

    async def not_found(self, target: Target, locale: str, form: Form, site_url: str) -> Answer:
        """Say that there is no such page, and what there is, in the visitor's language."""
        library, facts = await self.library(), self.facts()
        version = (library.version, facts.price_version, facts.today)
        missing = find_missing(target, locale, library)
        key = (missing, locale, form, site_url)
        kept = self._cache.get(key, version)
        if kept is None:
            wish = Wish(page=_no_page(locale), form=form, site_url=site_url)
            view = self._view(wish, library, facts, LiveState())
            text = await self._work(lambda: self._open_renderer().render_not_found(view, missing))
            kept = Kept(pack(text.encode(), _TYPES[form], headers=(NEVER_KEEP,), status=404), version)
            self._cache.put(key, kept)
        return kept.answer

    async def tell_missing(self, target: Target, locale: str, site_url: str) -> str:
        """Say the same to a program, in a sentence or two; this needs no renderer."""
        library = await self.library()
        return tell_program(find_missing(target, locale, library), library, locale, site_url)

    # ---- in the thread -----------------------------------------------------------------------------------

    async def _work(self, work: Callable[[], T]) -> T:
        """Do one piece of work at a time, beside the loop: requests to the API do not wait for pages."""
        async with self._at_work:
            return await asyncio.to_thread(work)

    def _open_renderer(self) -> "Renderer":
        if self._renderer is None:
            from runapi.web.site.renderer import Renderer  # noqa: PLC0415 - 20 MB that an API alone never needs

            self._renderer = Renderer(self._static_url)
        return self._renderer

    def _make_page_once(self, view: View, status: int) -> Answer:
        try:
            text = self._open_renderer().render(view).text
        except ContentFault as fault:
            return self._make_broken(view, fault)
        return pack(text.encode(), _TYPES[view.form], headers=(NEVER_KEEP,), status=status)

    def _make_broken(self, view: View, fault: ContentFault) -> Answer:
        _log.error("page cannot be shown", reason=str(fault))
        text = self._open_renderer().render_broken(view)
        return pack(text.encode(), _TYPES[view.form], headers=(NEVER_KEEP,), status=500)

    def _make_page(self, view: View, version: tuple[object, ...]) -> Kept:
        try:
            made = self._open_renderer().render(view)
        except ContentFault as fault:
            return Kept(self._make_broken(view, fault), version)
        page = view.page
        links = f'<{twin_path(page.locale, page.path)}>; rel="alternate"; type="text/markdown"'
        if view.form is Form.MARKDOWN:
            links = f'<{view.site_url}{page_path(page.locale, page.path)}>; rel="canonical"'
        headers = (
            CHECK_EACH_TIME,
            (b"link", links.encode()),
            (b"content-language", page.locale.encode()),
        )
        answer = pack(made.text.encode(), _TYPES[view.form], headers=headers)
        return Kept(answer, version, view.live.number if made.uses_live else None)

    def _write_feed(self, name: str, view: View) -> str:
        library, brand = view.library, view.facts.operator.brand
        match name:
            case "models.json":
                return write_offer(view.facts, f"{view.site_url}/v1")
            case "robots.txt":
                return feeds.write_robots(view.site_url)
            case "sitemap.xml":
                return feeds.write_sitemap(view.site_url, library)
            case "openapi.yaml":
                return api_description.write_api(view.site_url, brand)
            case "openapi.json":
                return api_description.write_api_json(view.site_url, brand)
        renderer = self._open_renderer()
        pages = feeds.list_pages(library, view.page.locale)
        if name == "llms-full.txt":
            return "\n".join(self._texts_of(pages, view))
        _, summary = renderer.title_of(view, view.page)
        return feeds.write_llms(
            view.site_url,
            brand,
            summary,
            pages=pages,
            head=lambda page: renderer.title_of(view, page),
            texts=library.strings[view.page.locale].texts,
        )

    def _texts_of(self, pages: Iterable[Page], view: View) -> Iterator[str]:
        """The pages that can be shown: one with a mistake in its file does not take the others with it."""
        for page in pages:
            with suppress(ContentFault):
                yield self._open_renderer().render(msgspec.structs.replace(view, page=page)).text

    def _view(
        self,
        wish: Wish,
        library: Library,
        facts: Facts,
        live: LiveState,
        extra: dict[str, Any] | None = None,
    ) -> View:
        return View(
            page=wish.page,
            form=wish.form,
            site_url=wish.site_url,
            library=library,
            facts=facts,
            live=live,
            choice=wish.choice,
            offered=wish.offered,
            extra=extra or {},
        )


def _no_page(locale: str) -> Page:
    """What stands in the place of a page where there is none."""
    return Page("", locale, ContentFile("", FrontMatter("", "", ""), "", ""))
