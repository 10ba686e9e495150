"""What a page says of itself to search engines: JSON-LD, in schema.org's words."""

from collections.abc import Callable

import msgspec

from runapi.core.money import usd_per_1m
from runapi.web.site.content import Page
from runapi.web.site.paths import page_path
from runapi.web.site.values import display_name
from runapi.web.site.view import View

_ARTICLES = ("docs", "guides")


def describe(view: View, title: str, description: str, title_of: Callable[[Page], str]) -> str:
    """Write the JSON-LD of a page, safe inside a script element; `title_of` names the pages above it."""
    page = view.page
    url = view.site_url + page_path(page.locale, page.path)
    if not page.path:
        data = _site(view, description)
    elif page.model is not None and page.path.startswith("models/"):
        data = _product(view, page.model, url, description)
    else:
        kind = "TechArticle" if page.file.meta.section in _ARTICLES else "WebPage"
        data = {
            "@type": kind,
            "headline" if kind == "TechArticle" else "name": title,
            "description": description,
        }
        data |= {"url": url, "inLanguage": page.locale}
    graph = [data] if not page.path else [data, _breadcrumbs(view, page, title, title_of)]
    text = msgspec.json.encode({"@context": "https://schema.org", "@graph": graph}).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _site(view: View, description: str) -> dict[str, object]:
    return {
        "@type": "WebSite",
        "name": view.facts.operator.brand,
        "description": description,
        "url": view.site_url + page_path(view.page.locale, ""),
        "inLanguage": view.page.locale,
    }


def _product(view: View, model: str, url: str, description: str) -> dict[str, object]:
    price = view.facts.prices[model].ours.standard.input
    return {
        "@type": "Product",
        "name": display_name(model),
        "description": description,
        "url": url,
        "brand": {"@type": "Brand", "name": view.facts.models[model].owned_by},
        "offers": {
            "@type": "Offer",
            "url": url,
            "priceCurrency": "USD",
            "price": usd_per_1m(price),
            "description": view.library.strings[view.page.locale].texts["offer_unit"],
            "seller": {"@type": "Organization", "name": view.facts.operator.brand},
        },
    }


def _breadcrumbs(view: View, page: Page, title: str, title_of: Callable[[Page], str]) -> dict[str, object]:
    parts = page.path.split("/")
    trail = [("", view.facts.operator.brand)]
    for length in range(1, len(parts)):
        above = view.library.find(page.locale, "/".join(parts[:length]))
        if above is not None:
            trail.append((above.path, title_of(above)))
    trail.append((page.path, title))
    return {
        "@type": "BreadcrumbList",
        "itemListElement": [
            {
                "@type": "ListItem",
                "position": place,
                "name": name,
                "item": view.site_url + page_path(page.locale, path),
            }
            for place, (path, name) in enumerate(trail, 1)
        ],
    }
