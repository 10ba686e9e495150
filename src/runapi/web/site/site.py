"""The site's door: which requests are its own, and what each gets."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from runapi.core.catalog import Catalog
from runapi.core.price_book import PriceBook
from runapi.core.problems import Problem
from runapi.flows.watch_models import ModelWatch
from runapi.web.call import Call
from runapi.web.routes import ROUTES, find_route
from runapi.web.site.addresses import Addresses
from runapi.web.site.calculator import Calculator, is_form
from runapi.web.site.choice import PAGE, WHOLE, Choice, read_choice
from runapi.web.site.content import DEFAULT_LOCALE, Library, Page, Shelf
from runapi.web.site.facts import Basis, Operator, PublicLimits, abilities_on_sale
from runapi.web.site.live_state import LiveWatch
from runapi.web.site.negotiate import Form, read_accept, read_languages
from runapi.web.site.paths import TWIN, Target, find_target
from runapi.web.site.press import FEEDS, Press, Wish
from runapi.web.site.replies import redirect, reply
from runapi.web.site.static_files import StaticFiles

OWN_FOLDER = "site"
PRICES = "pricing"  # the page with the calculator
_API = "/v1"
WRONG_METHOD = 405
_CREDENTIALS = (b"authorization", b"x-api-key")


class SiteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator decided about the site."""

    operator: Operator
    limits: PublicLimits
    own_folder: Path  # files in it go before ours
    public_url: str  # empty: pages name the address that the visitor used, if it is this machine's
    host: str
    port: int
    locales: Sequence[str] = ()  # none: all that there are
    hidden: Sequence[str] = ()


class Site:
    """Serves the pages of an installation to people and to programs."""

    def __init__(
        self,
        settings: SiteSettings,
        catalog: Catalog,
        book: Callable[[], PriceBook],
        watch: ModelWatch,
        calculator: Calculator,
    ) -> None:
        """Join the parts; nothing is read or rendered before the first visitor comes."""
        self._calculator = calculator
        shelf = Shelf(settings.own_folder, settings.locales, settings.hidden)
        self._static = StaticFiles(shelf.roots)
        served = frozenset(route.path for route in ROUTES if route.method == "POST")
        self._press = Press(
            basis=Basis(operator=settings.operator, limits=settings.limits, catalog=catalog, served=served),
            book=book,
            shelf=shelf,
            live=LiveWatch(watch),
            static_url=self._static.url,
        )
        self._addresses = Addresses(settings.public_url, settings.host, settings.port)

    async def answer(self, call: Call) -> bool:
        """Answer a request that is none of the API's; False where the site has nothing to say to it either."""
        if call.path == _API or call.path.startswith(f"{_API}/"):
            return False
        if call.method == "POST":
            return await self._calculate(call)
        if call.method not in ("GET", "HEAD"):
            return False
        file = self._static.find(call.path)
        if file is not None:
            await reply(call, file)
            return True
        library = await self._press.library()
        return await self._answer_feed(call, library) or await self._answer_page(call, library)

    async def _answer_feed(self, call: Call, library: Library) -> bool:
        folder, _, name = call.path.rpartition("/")
        locale = folder.removeprefix("/") or DEFAULT_LOCALE
        if name not in FEEDS or locale not in library.locales or folder == f"/{DEFAULT_LOCALE}":
            return False
        await reply(call, await self._press.feed(name, locale, self._site_url(call)))
        return True

    async def _answer_page(self, call: Call, library: Library) -> bool:
        asked = read_accept(call.headers.get(b"accept"))
        target = find_target(call.path, library)
        if asked is Form.JSON and not target.is_twin:
            return await self._miss(call, target, asked, library)
        if target.redirect is not None:
            await redirect(call, target.redirect)
            return True
        form = Form.MARKDOWN if target.is_twin else asked
        if target.page is None:
            return await self._miss(call, target, form, library)
        if not target.is_twin and _speaks_to_the_api(call):
            return False
        wish = Wish(
            page=target.page,
            form=form or Form.HTML,
            site_url=self._site_url(call),
            choice=self._choice(call, target.page),
            offered=_offer(call, target.page, library) if form is not Form.MARKDOWN else None,
        )
        await reply(call, await self._press.page(wish))
        return True

    async def _calculate(self, call: Call) -> bool:
        """Price what was sent with the form of the price list."""
        if not is_form(call):
            return False
        library = await self._press.library()
        page = find_target(call.path, library).page
        default_model = next(iter(self._press.facts().models), "")
        if page is None or page.path != PRICES or call.path.endswith(TWIN):
            return False
        status, calculation = await self._calculator.calculate(call, default_model)
        wish = Wish(page=page, form=Form.HTML, site_url=self._site_url(call))
        await reply(call, await self._press.page_with(wish, {"calculation": calculation}, status))
        return True

    async def _miss(self, call: Call, target: Target, form: Form | None, library: Library) -> bool:
        """Tell people and agents in their language; a program that named no form gets an error as of the API.

        Raises:
            Problem: 404, for programs; those that only left /v1 out are left to the API, which says so.
        """
        is_program = form in (None, Form.JSON)
        if is_program and _is_call_without_v1(call):
            return False
        locale = target.locale
        if locale == DEFAULT_LOCALE:
            locale = read_languages(call.headers.get(b"accept-language"), library.locales) or locale
        if form is None or form is Form.JSON:
            message = await self._press.tell_missing(target, locale, self._site_url(call))
            raise Problem(404, message, code="unknown_url")
        await reply(call, await self._press.not_found(target, locale, form, self._site_url(call)))
        return True

    def _choice(self, call: Call, page: Page) -> Choice:
        """Which of the models the visitor asked for, on the page that lists them."""
        if page.path != PAGE or not call.query:
            return WHOLE
        return read_choice(call.query, abilities_on_sale(self._press.facts()))

    def _site_url(self, call: Call) -> str:
        return self._addresses.site_url(call.headers.get(b"host"))


def _offer(call: Call, page: Page, library: Library) -> str | None:
    """A locale of the page that the visitor's browser prefers."""
    best = read_languages(call.headers.get(b"accept-language"), library.locales)
    return best if best not in (None, page.locale) and library.find(best or "", page.path) else None


def _speaks_to_the_api(call: Call) -> bool:
    """Whether this is a program whose base URL lacks /v1: GET /models is a page, and a call without its beginning."""
    if call.headers.get(b"accept") is not None and not any(name in call.headers for name in _CREDENTIALS):
        return False
    return _is_call_without_v1(call)


def _is_call_without_v1(call: Call) -> bool:
    """Whether the API has this path below /v1, if perhaps for another method."""
    try:
        find_route(call.method, f"{_API}{call.path}")
    except Problem as problem:
        return problem.status == WRONG_METHOD
    return True
