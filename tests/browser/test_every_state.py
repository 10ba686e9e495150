"""Pages in what they can be brought to by hand, in every locale: open to everybody then too."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from browser.tab import DESKTOP, PHONE, Tab
from runapi.web.site.paths import page_path
from web.site.visits import library


def open_languages(page: Page) -> None:
    page.locator(".languages summary").click()


def open_contents(page: Page) -> None:
    page.locator(".side-small > summary").click()


def calculate(page: Page) -> None:
    page.locator("#calculator button").click()
    page.locator(".result .amount").wait_for()


def calculate_nonsense(page: Page) -> None:
    page.locator("#request").fill('{"model": ')
    page.locator("#calculator button").click()
    page.locator(".result.wrong").wait_for()


def filter_all_away(page: Page) -> None:
    page.locator("input[name=words]").fill("no such model")


def show_another_tab(page: Page) -> None:
    page.evaluate("localStorage.clear()")  # a test before may have chosen it
    page.reload()
    page.locator(".tabs > label", has_text="Python").first.click()


STATES: list[tuple[str, dict[str, int], Callable[[Page], None] | None]] = [
    ("", PHONE, open_languages),
    ("", DESKTOP, open_languages),
    ("docs/chat", PHONE, open_contents),
    ("docs/chat", PHONE, show_another_tab),
    ("models?sort=price&can=image", PHONE, None),
    ("models?sort=colour", DESKTOP, None),
    ("models", PHONE, filter_all_away),
    ("pricing", PHONE, calculate),
    ("pricing", DESKTOP, calculate_nonsense),
    ("docs/streeming", PHONE, None),
    ("models/gpt-9", DESKTOP, None),
]


@pytest.mark.parametrize("locale", library().locales)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_open_to_everybody_in_every_state(shared_tab: Tab, locale: str, scheme: str):
    found = {}
    for path, size, change in STATES:
        shared_tab.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        shared_tab.resize(size)
        shared_tab.page.goto(shared_tab.url + page_path(locale, path))
        if change is not None:
            change(shared_tab.page)
        name = change.__name__ if change else "as it is"
        found[path, name] = shared_tab.find_barriers()
        if (over := shared_tab.overflow_at(size)) > 0:
            found[path, name].append(f"{over} px too wide")
    assert {state: faults for state, faults in found.items() if faults} == {}
