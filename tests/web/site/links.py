"""Where the links of pages lead, checked down to the heading that they name."""

import html
import re
from urllib.parse import unquote, urljoin, urlsplit

from fakes.server import Gateway
from web.site.visits import visit

_IDS: dict[str, frozenset[str] | None] = {}
"""What can be named at each address that was asked for; None where nothing is there."""


def is_broken(gateway: Gateway, link: str, at: str) -> bool:
    """Whether `link`, on the page with the path `at`, names a page or a heading that is not there.

    Pages of others are not asked for; they have to be safe to go to.
    """
    parts = urlsplit(urljoin(gateway.url + at, html.unescape(link)))
    if f"{parts.scheme}://{parts.netloc}" != gateway.url:
        return parts.scheme not in ("https", "mailto")
    if parts.path.startswith("/v1/"):
        return True  # a call, which nobody can follow
    address = f"{parts.path}?{parts.query}" if parts.query else parts.path
    if _ids_at(gateway, address) is None:
        return True
    return bool(parts.fragment) and unquote(parts.fragment) not in _headings_of(gateway, address)


def _headings_of(gateway: Gateway, address: str) -> frozenset[str]:
    """What a fragment may name; Markdown has the headings of the page whose twin it is."""
    path, mark, query = address.partition("?")
    page = ("/" if path == "/index.md" else path.removesuffix(".md")) + mark + query
    return _ids_at(gateway, page) or frozenset()


def _ids_at(gateway: Gateway, address: str) -> frozenset[str] | None:
    key = gateway.url + address
    if key not in _IDS:
        response = visit(gateway, address)
        is_html = response.headers.get("content-type", "").startswith("text/html")
        ids = re.findall(r' id="([^"]+)"', response.body.decode()) if is_html else []
        _IDS[key] = frozenset(map(html.unescape, ids)) if response.status == 200 else None
    return _IDS[key]
