"""Every page in every locale, on a phone and on a desktop: silent, within its window, and open to everybody."""

import pytest

from browser.tab import DESKTOP, PHONE, Tab
from runapi.web.site.content import Page
from web.site.visits import all_pages, path_of

TABLET = {"width": 820, "height": 1100}


def looked_at(page: Page) -> bool:
    """Every page in English; of families that differ by their figures alone, one in other locales."""
    return page.locale == "en" or page.model in (None, "gpt-5.5")


PAGES = [page for page in all_pages() if looked_at(page)]


@pytest.mark.parametrize("page", PAGES, ids=path_of)
def test_page_works_in_a_browser(tab: Tab, page: Page):
    is_even = len(page.path) % 2 == 0
    tab.page.emulate_media(color_scheme="light")
    tab.page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    tab.open(path_of(page))
    if page.locale == "en" or is_even:
        assert tab.find_barriers() == [], "on a desktop, light"
    sizes = (DESKTOP, TABLET, PHONE) if page.locale == "en" else (DESKTOP, PHONE)
    widths = {size["width"]: tab.overflow_at(size) for size in sizes}
    assert {width: over for width, over in widths.items() if over > 0} == {}
    if page.locale == "en" or not is_even:
        tab.page.emulate_media(color_scheme="dark")
        assert tab.find_barriers() == [], "on a phone, dark"


def test_page_that_is_not_there_is_open_to_everybody_too(tab: Tab):
    response = tab.page.goto(f"{tab.url}/docs/streeming")
    assert response is not None
    assert response.status == 404
    assert tab.find_barriers() == []
    assert tab.overflow_at(PHONE) <= 0
    tab.begin()  # a browser logs the 404, as it should
