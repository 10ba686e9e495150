"""The lists for programs: complete, and true of this installation."""

import json
import re
from xml.etree import ElementTree as ET

import pytest
import yaml

from fakes.needs import REPOSITORY
from fakes.server import Gateway
from web.site.visits import all_pages, front_matter, library, path_of, text_of, twin_of, visit

XML = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9", "x": "http://www.w3.org/1999/xhtml"}
WITH_FIRST_PAGE = [locale for locale in library().locales if library().find(locale, "")]


def prefix(locale: str) -> str:
    return "" if locale == "en" else f"/{locale}"


@pytest.mark.parametrize("locale", WITH_FIRST_PAGE)
def test_llms_lists_every_twin_of_the_locale(gateway: Gateway, locale: str):
    response = visit(gateway, f"{prefix(locale)}/llms.txt", accept="*/*")
    text = text_of(response)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert text.startswith("# RunAPI\n\n> ")
    assert library().strings[locale].texts["base_url"].format(url=f"{gateway.url}/v1") in text.split("\n")
    listed = re.findall(r"^- \[[^\]]+\]\(([^)]+)\): \S", text, re.MULTILINE)
    assert sorted(listed) == sorted(
        gateway.url + twin_of(page) for page in all_pages() if page.locale == locale
    )


def test_llms_full_is_every_twin(gateway: Gateway):
    text = text_of(visit(gateway, "/llms-full.txt", accept="*/*"))
    for page in all_pages():
        if page.locale == "en" and page.path not in ("status", "models/gpt-5.5"):
            _, body = front_matter(text_of(visit(gateway, twin_of(page), accept="*/*")))
            assert text.count(f"url: {json.dumps(gateway.url + twin_of(page))}") == 1
            assert page.model or body in text


def test_sitemap_has_every_page_with_its_translations(gateway: Gateway):
    response = visit(gateway, "/sitemap.xml", accept="*/*")
    assert response.headers["content-type"] == "application/xml; charset=utf-8"
    entries = ET.fromstring(text_of(response)).findall("s:url", XML)  # noqa: S314 - our own
    found = {
        entry.findtext("s:loc", namespaces=XML): {
            link.attrib["hreflang"]: link.attrib["href"] for link in entry.findall("x:link", XML)
        }
        for entry in entries
    }
    assert set(found) == {gateway.url + path_of(page) for page in all_pages()}
    for page in all_pages():
        expected = {
            other.locale: gateway.url + path_of(other) for other in all_pages() if other.path == page.path
        }
        assert found[gateway.url + path_of(page)] == {**expected, "x-default": expected["en"]}


@pytest.mark.parametrize("path", ["/", "/docs/chat", "/models/gpt-5.5"])
def test_page_names_its_translations_as_the_sitemap_does(gateway: Gateway, path: str):
    text = text_of(visit(gateway, path))
    named = dict(re.findall(r'<link rel="alternate" hreflang="([^"]+)" href="([^"]+)">', text))
    here = {page.locale: gateway.url + path_of(page) for page in all_pages() if f"/{page.path}" == path}
    assert named == {**here, "x-default": here["en"]}


def test_robots_may_read_pages_and_not_call(gateway: Gateway):
    text = text_of(visit(gateway, "/robots.txt", accept="*/*"))
    assert "Disallow: /v1/\n" in text
    assert f"Sitemap: {gateway.url}/sitemap.xml\n" in text


def test_openapi_file_names_this_installation(gateway: Gateway):
    response = visit(gateway, "/openapi.yaml", accept="*/*")
    read = yaml.safe_load(text_of(response))
    assert read["servers"] == [{"url": gateway.url}]
    assert json.loads(text_of(visit(gateway, "/openapi.json", accept="application/json"))) == read


def test_structured_data_is_json_that_ends_no_script(start_gateway):
    gateway = start_gateway(brand="</script><b>&")
    for path in ("/", "/docs/chat", "/models/gpt-5.5", "/pricing"):
        text = text_of(visit(gateway, path))
        [data] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', text, re.DOTALL)
        read = json.loads(data)
        assert read["@context"] == "https://schema.org"
        assert all(part["@type"] for part in read["@graph"])
        assert "<b>&" not in text


@pytest.mark.parametrize("locale", WITH_FIRST_PAGE)
def test_structured_data_is_in_the_language_of_the_page(gateway: Gateway, locale: str):
    text = text_of(visit(gateway, f"{prefix(locale)}/models/gpt-5.5"))
    [data] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', text, re.DOTALL)
    product, trail = json.loads(data)["@graph"]
    assert product["offers"]["description"] == library().strings[locale].texts["offer_unit"]
    models = library().find(locale, "models")
    assert models is not None
    names = [step["name"] for step in trail["itemListElement"]]
    assert names == ["RunAPI", models.file.meta.title, "GPT-5.5"]


def test_preview_picture_and_icons_are_there(gateway: Gateway):
    text = text_of(visit(gateway, "/"))
    [picture] = re.findall(r'<meta property="og:image" content="([^"]+)">', text)
    response = visit(gateway, picture.removeprefix(gateway.url))
    assert (response.headers["content-type"], response.body[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(response.body[16:20]) == 1200
    assert visit(gateway, "/favicon.ico").headers["content-type"] == "image/x-icon"
    assert visit(gateway, "/favicon.svg").headers["content-type"] == "image/svg+xml"


def test_changelog_is_the_products_own(gateway: Gateway):
    changes = (REPOSITORY / "CHANGELOG.md").read_text("utf-8").partition("\n## ")[2]
    twin = text_of(visit(gateway, "/changelog.md", accept="*/*"))
    assert f"## {changes}".strip() in twin
