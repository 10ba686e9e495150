"""The lists for programs: llms.txt, llms-full.txt, sitemap.xml and robots.txt."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape

from runapi.web.site.content import DEFAULT_LOCALE, Library, Page
from runapi.web.site.paths import page_path, twin_path

SECTIONS = ("", "models", "docs", "guides", "about")
NOT_CRAWLED = ("/v1/",)
Head = Callable[[Page], tuple[str, str]]
"""A page's title and description."""


def list_pages(library: Library, locale: str) -> list[Page]:
    """Every page of a locale, section by section; those of families come last in theirs."""

    def place(page: Page) -> tuple[int, bool, int, str]:
        section = page.file.meta.section
        known = SECTIONS.index(section) if section in SECTIONS else 0
        return known, page.model is not None, page.file.meta.order, page.path

    return sorted(library.pages.get(locale, {}).values(), key=place)


def write_llms(
    site_url: str, brand: str, summary: str, *, pages: Iterable[Page], head: Head, texts: Mapping[str, str]
) -> str:
    """Write the list of all pages, as https://llmstxt.org describes it: each with a link to its twin."""
    lines = [f"# {brand}", "", f"> {summary}", "", texts["base_url"].format(url=f"{site_url}/v1"), ""]
    section = None
    for page in pages:
        if page.file.meta.section != section:
            section = page.file.meta.section
            lines += ["", f"## {texts.get(f'menu_{section}', brand)}", ""]
        title, description = head(page)
        lines.append(f"- [{title}]({site_url}{twin_path(page.locale, page.path)}): {description}")
    return "\n".join(lines) + "\n"


def write_sitemap(site_url: str, library: Library) -> str:
    """Write every page in every locale, each with its translations."""
    entries = "".join(
        _entry(site_url, library, page) for locale in library.locales for page in list_pages(library, locale)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml">\n'
        f"{entries}</urlset>\n"
    )


def write_robots(site_url: str) -> str:
    """Let every robot read the pages, and none call the API."""
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in NOT_CRAWLED), "Allow: /", ""]
    return "\n".join([*lines, f"Sitemap: {site_url}/sitemap.xml", ""])


def _entry(site_url: str, library: Library, page: Page) -> str:
    lines = [f"<loc>{escape(site_url + page_path(page.locale, page.path))}</loc>"]
    lines += [
        f'<xhtml:link rel="alternate" hreflang="{escape(name)}" href="{escape(href)}"/>'
        for name, href in _alternates(site_url, library, page)
    ]
    return "<url>" + "".join(lines) + "</url>\n"


def _alternates(site_url: str, library: Library, page: Page) -> Iterator[tuple[str, str]]:
    for locale in library.locales:
        if library.find(locale, page.path) is not None:
            yield locale, site_url + page_path(locale, page.path)
    if library.find(DEFAULT_LOCALE, page.path) is not None:
        yield "x-default", site_url + page_path(DEFAULT_LOCALE, page.path)
