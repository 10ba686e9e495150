"""Menus, and the way from one page to the next, made of what the pages say of themselves."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from runapi.web.site.content import Library, Page
from runapi.web.site.paths import page_path

SECTIONS = ("docs", "guides")
"""The sections that have a menu beside their pages."""

_TOP = (
    ("models", "models"),
    ("pricing", "pricing"),
    ("docs", "docs"),
    ("guides", "guides"),
    ("status", "status"),
)
"""The menu at the top: the key of its text, and a page or, where there is none of this path, a section."""


class Entry(msgspec.Struct, frozen=True):
    """One line of a menu."""

    href: str
    text: str
    here: bool = False  # it is the page that is shown, or in the top menu holds it


Name = Callable[[Page], str]
"""What a page is called in a menu."""


class Menu(msgspec.Struct, frozen=True):
    """The pages of one section."""

    section: str
    entries: Sequence[Entry]


def pages_of(library: Library, locale: str, section: str) -> list[Page]:
    """A section's pages in their order, without those of families."""
    found = [
        page
        for page in library.pages[locale].values()
        if page.file.meta.section == section and page.model is None
    ]
    return sorted(found, key=lambda page: (page.file.meta.order, page.path))


def top_menu(library: Library, page: Page, texts: Mapping[str, str]) -> list[Entry]:
    """The menu at the top of every page."""
    entries = []
    is_listed = any(page.path == path for _, path in _TOP)
    for key, path in _TOP:
        target = library.find(page.locale, path) or next(iter(pages_of(library, page.locale, key)), None)
        if target is not None:
            here = page.path == path or (not is_listed and page.file.meta.section == key)
            entries.append(Entry(page_path(page.locale, target.path), texts[f"menu_{key}"], here))
    return entries


def side_menus(library: Library, page: Page, name_of: Name) -> list[Menu]:
    """The menus beside a page of the docs or the guides; none beside others."""
    if page.file.meta.section not in SECTIONS:
        return []
    return [
        Menu(
            section,
            [
                Entry(page_path(page.locale, other.path), name_of(other), other.path == page.path)
                for other in pages_of(library, page.locale, section)
            ],
        )
        for section in SECTIONS
    ]


def foot_menu(library: Library, page: Page, name_of: Name) -> list[Entry]:
    """The pages about the service itself."""
    return [
        Entry(page_path(page.locale, other.path), name_of(other), other.path == page.path)
        for other in pages_of(library, page.locale, "about")
    ]


def neighbours(library: Library, page: Page, name_of: Name) -> tuple[Entry | None, Entry | None]:
    """The pages before and after this one in its section."""
    if page.file.meta.section not in SECTIONS:
        return None, None
    pages = pages_of(library, page.locale, page.file.meta.section)
    places = [place for place, other in enumerate(pages) if other.path == page.path]
    if not places:
        return None, None
    around = (places[0] - 1, places[0] + 1)
    before, after = (
        Entry(page_path(page.locale, pages[place].path), name_of(pages[place]))
        if 0 <= place < len(pages)
        else None
        for place in around
    )
    return before, after
