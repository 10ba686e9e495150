"""What there is where a page is not: for people a page of its own, for programs a sentence in an error."""

from collections.abc import Iterator

from runapi.web.site.content import Library
from runapi.web.site.paths import Target, page_path, twin_path
from runapi.web.site.suggestions import suggest
from runapi.web.site.view import Missing

MOST_NAMED = 2
"""Addresses in a message: who wants to know more asks for HTML or Markdown."""


def find_missing(target: Target, locale: str, library: Library) -> Missing:
    """Find what to say: the same for all addresses that are unlike the same pages."""
    near = suggest(target.path, list(library.pages[locale].values()))
    elsewhere = [
        (library.strings[other].name, page_path(other, target.path))
        for other in library.locales
        if library.find(other, target.path) is not None
    ]
    is_here = target.unknown_locale is None and library.find(target.locale, target.path) is not None
    return Missing(
        tuple(near),
        tuple(elsewhere),
        target.unknown_locale,
        is_model=target.path.startswith("models/"),
        here=twin_path(target.locale, target.path) if is_here else None,
    )


def tell_program(missing: Missing, library: Library, locale: str, site_url: str) -> str:
    """Say it in the words of a locale, with addresses that a program can ask for."""
    words = " ".join(_words(missing, library, locale, site_url))
    return f"{words} {library.strings[locale].texts['not_found_api'].format(base_url=f'{site_url}/v1')}"


def _words(missing: Missing, library: Library, locale: str, site_url: str) -> Iterator[str]:
    texts = library.strings[locale].texts
    if missing.here is not None:
        yield texts["not_found_json"].format(url=site_url + missing.here)
    elif missing.unknown_locale is not None and missing.elsewhere:
        yield texts["not_found_locale"].format(locale=missing.unknown_locale)
        yield from (site_url + path for _, path in missing.elsewhere[:MOST_NAMED])
    elif missing.is_model and library.find(locale, "models") is not None:
        yield texts["not_found_model"]
        yield site_url + twin_path(locale, "models")
    else:
        yield texts["not_found_lead"]
        if missing.near:
            yield texts["not_found_near"]
            yield from (site_url + twin_path(page.locale, page.path) for page in missing.near[:MOST_NAMED])
