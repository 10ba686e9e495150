"""Every page in every locale, on a phone and on a desktop: silent, within its window, and open to everybody."""

import pytest

from browser.tab import DESKTOP, PHONE, Tab
from fakes.server import Gateway
from runapi.web.site.content import Page
from web.site.links import is_broken
from web.site.visits import all_pages, path_of

TABLET = {"width": 820, "height": 1100}
PATHS = sorted({page.path for page in all_pages()})
Look = tuple[Tab, Page]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"/{path}")
def test_page_works_in_a_browser(tabs: dict[str, Tab], gateway: Gateway, path: str):
    """The locales have a tab each, which are given work by turns: a page is loaded once, and seen in all its sizes."""
    looks = [(tabs[page.locale], page) for page in all_pages() if page.path == path]
    assert len(looks) == len(tabs), "a page that some locales lack"
    open_on_a_desktop(looks)
    barriers = {"light, on a desktop": find_barriers(looks)}
    faults = [fault for tab, page in looks for fault in find_faults(tab, page, gateway)]
    for tab, _ in looks:
        tab.page.emulate_media(color_scheme="dark")
    barriers["dark, on a phone"] = find_barriers(looks)
    assert faults == []
    assert {how: found for how, found in barriers.items() if found} == {}


def open_on_a_desktop(looks: list[Look]) -> None:
    for tab, page in looks:
        tab.page.emulate_media(color_scheme="light")
        tab.resize(DESKTOP)
        tab.begin_opening(path_of(page))
    for tab, _ in looks:
        tab.page.wait_for_load_state("load")


def find_barriers(looks: list[Look]) -> list[str]:
    """What axe, with all of its rules, says of each page as it is shown now."""
    for tab, _ in looks:
        tab.begin_search()
    return [f"{path_of(page)}: {barrier}" for tab, page in looks for barrier in tab.end_search()]


def find_faults(tab: Tab, page: Page, gateway: Gateway) -> list[str]:
    """Broken links, and widths at which one has to scroll sideways; ends on a phone."""
    here = path_of(page)
    broken = [f"{here}: {link} is broken" for link in tab.links() if is_broken(gateway, link, here)]
    widths = {size["width"]: tab.overflow_at(size) for size in (DESKTOP, TABLET, PHONE)}
    return broken + [f"{here}: {over} px too wide at {width}" for width, over in widths.items() if over > 0]


def test_page_that_is_not_there_is_open_to_everybody_too(tab: Tab):
    response = tab.page.goto(f"{tab.url}/docs/streeming")
    assert response is not None
    assert response.status == 404
    assert tab.find_barriers() == []
    assert tab.overflow_at(PHONE) <= 0
    tab.begin()  # a browser logs the 404, as it should
