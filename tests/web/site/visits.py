"""The pages that there are, and visits to them."""

import gzip
import html
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import msgspec
import yaml

from fakes import http
from fakes.server import Gateway
from runapi.web.site.content import Library, Page, Shelf
from runapi.web.site.paths import page_path, twin_path
from runapi.wire.catalog_file import package_catalog

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
MODELS = tuple(package_catalog().models)


@lru_cache(maxsize=1)
def library() -> Library:
    """The pages of an installation with the built-in catalogue, in all locales."""
    return Shelf(Path("/nonexistent"), (), ()).look(MODELS)


def all_pages() -> list[Page]:
    return [page for pages in library().pages.values() for page in pages.values()]


def path_of(page: Page) -> str:
    return page_path(page.locale, page.path)


def twin_of(page: Page) -> str:
    return twin_path(page.locale, page.path)


def visit(
    gateway: Gateway, path: str, *, accept: str | None = BROWSER, headers: Mapping[str, str] | None = None
) -> http.Response:
    """Ask for a path as a browser does, or with another Accept; None sends none."""
    fields = {} if accept is None else {"accept": accept}
    response = http.request(gateway.url, "GET", path, headers={**fields, **(headers or {})})
    if response.headers.get("content-encoding") == "gzip":
        response = msgspec.structs.replace(response, body=gzip.decompress(response.body))
    return response


def text_of(response: http.Response) -> str:
    assert response.status == 200, (response.status, response.body[:300])
    return response.body.decode()


def front_matter(twin: str) -> tuple[dict[str, str], str]:
    """What a twin says of itself, and its body."""
    opening, head, body = twin.split("---\n", 2)
    assert opening == ""
    return yaml.safe_load(head), body


def words_of(page: str) -> str:
    """The text of an HTML page's article, without its marks."""
    [article] = re.findall(r'<article class="text">(.*?)</article>', page, re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", article))
