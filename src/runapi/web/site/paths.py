"""The paths of pages, and what a path asks for: which page, in which locale, and whether as its twin."""

import re

import msgspec

from runapi.web.site.content import DEFAULT_LOCALE, Library, Page

TWIN = ".md"
FIRST_TWIN = "/index.md"
_LOCALE = re.compile(r"[A-Za-z]{2}(?:-[A-Za-z]{2,4})?", re.ASCII)


class Target(msgspec.Struct, frozen=True):
    """What was found. Without a page, `redirect` says where it is, or there is none."""

    locale: str
    path: str
    is_twin: bool
    page: Page | None = None
    redirect: str | None = None
    unknown_locale: str | None = None  # what looks like a locale and is none of ours


def page_path(locale: str, path: str) -> str:
    """The path of a page in a locale: ("zh-TW", "docs/errors") -> "/zh-TW/docs/errors"."""
    prefix = "" if locale == DEFAULT_LOCALE else f"/{locale}"
    return f"{prefix}/{path}" if path else prefix or "/"


def twin_path(locale: str, path: str) -> str:
    """The path of its twin: that of the page and .md; the first page's is /index.md."""
    found = page_path(locale, path)
    return FIRST_TWIN if found == "/" else f"{found}{TWIN}"


def find_target(path: str, library: Library) -> Target:
    """Read a path such as /zh-TW/docs/streaming.md. Nothing in it reaches the file system."""
    is_twin = path.endswith(TWIN)
    asked = (path.removesuffix(TWIN) if is_twin else path).removeprefix("/")
    locale, unknown, rest = _split_locale(asked, library)
    tidy = rest.strip("/").removesuffix("index").removesuffix("/")
    page = library.find(locale, rest) or library.find(locale, tidy)
    if page is None or unknown is not None or asked.startswith("/"):
        return Target(locale, tidy, is_twin, unknown_locale=unknown)
    where = (twin_path if is_twin else page_path)(locale, page.path)
    if path == where:
        return Target(locale, page.path, is_twin, page)
    return Target(locale, page.path, is_twin, redirect=where)


def _split_locale(asked: str, library: Library) -> tuple[str, str | None, str]:
    """The locale, or what looks like one and is unknown, and the rest."""
    first, _, rest = asked.partition("/")
    for locale in library.locales:
        if first.lower() == locale.lower():
            return locale, None, rest
    if _LOCALE.fullmatch(first) and library.find(DEFAULT_LOCALE, first) is None:
        return DEFAULT_LOCALE, first, rest
    return DEFAULT_LOCALE, None, asked
