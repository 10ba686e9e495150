"""One browser for each file of tests, and tabs in it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from browser.tab import Tab
from fakes.needs import missing, need, node_modules
from fakes.server import Gateway
from web.site.visits import library

OpenTab = Callable[..., Tab]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without its sandbox, for tests run as root.

    Not for longer than a file: while it runs its driver has an event loop in the thread of the tests, and no other can.
    """
    program = need("chromium", "the site is looked at in a real browser: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that finds what keeps people from using a page."""
    script = node_modules() / "axe-core" / "axe.min.js"
    return script.read_text("utf-8") if script.exists() else missing("axe-core is not in node_modules")


@pytest.fixture(scope="module")
def shared_tab(chromium: Browser, shared_gateway: Gateway, axe: str) -> Iterator[Tab]:
    """A tab for tests that leave nothing behind, with axe in every page; ask for `tab`."""
    context = chromium.new_context(reduced_motion="reduce")
    context.add_init_script(axe)
    yield Tab(context.new_page(), shared_gateway.url)
    context.close()


@pytest.fixture
def tab(shared_tab: Tab, gateway: Gateway) -> Iterator[Tab]:
    """A tab in a browser that was used before; at the end nothing may have gone wrong in it."""
    shared_tab.begin()
    yield shared_tab
    shared_tab.assert_silent()


@pytest.fixture(scope="module")
def shared_tabs(chromium: Browser, shared_gateway: Gateway, axe: str) -> Iterator[dict[str, Tab]]:
    """A tab for each locale, of a visitor who speaks it, with a process of its own: they work at the same time."""
    contexts = {
        locale: chromium.new_context(reduced_motion="reduce", locale=locale) for locale in library().locales
    }
    for context in contexts.values():
        context.add_init_script(axe)
    yield {locale: Tab(context.new_page(), shared_gateway.url) for locale, context in contexts.items()}
    for context in contexts.values():
        context.close()


@pytest.fixture
def tabs(shared_tabs: dict[str, Tab], gateway: Gateway) -> Iterator[dict[str, Tab]]:
    """Tabs by locale, used before; at the end nothing may have gone wrong in them."""
    for each in shared_tabs.values():
        each.begin()
    yield shared_tabs
    for each in shared_tabs.values():
        each.assert_silent()


@pytest.fixture
def open_tab(chromium: Browser, gateway: Gateway) -> Iterator[OpenTab]:
    """Open a tab of the test's own: `open_tab(java_script_enabled=False)`."""
    contexts: list[BrowserContext] = []

    def open_one(**options: Any) -> Tab:
        context = chromium.new_context(**{"reduced_motion": "reduce", **options})
        contexts.append(context)
        page: Page = context.new_page()
        return Tab(page, gateway.url)

    yield open_one
    for context in contexts:
        context.close()
