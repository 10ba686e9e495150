"""Every page in both of its forms: there, whole, small, and with links that lead somewhere."""

import re
from urllib.parse import urlsplit

import pytest

from fakes.server import Gateway
from runapi.web.site.content import Page
from web.site.visits import (
    MODELS,
    all_pages,
    front_matter,
    library,
    path_of,
    text_of,
    twin_of,
    visit,
    words_of,
)

LARGEST_BYTES = 100_000
PAGES = all_pages()


def name_of(page: Page) -> str:
    return path_of(page)


def test_there_is_a_page_for_each_model_and_family():
    paths = library().pages["en"]
    assert {f"models/{model}" for model in MODELS} <= set(paths)
    assert {"", "models", "models/gpt", "pricing", "docs", "status", "changelog", "terms", "privacy"} <= set(
        paths
    )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_is_html_that_stands_alone(gateway: Gateway, page: Page):
    response = visit(gateway, path_of(page))
    text = text_of(response)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert len(response.body) <= LARGEST_BYTES
    assert f'<html lang="{page.locale}">' in text
    assert text.count("<h1>") == 1
    assert not re.search(
        r"(?:src|href)=\"(?:https?:)?//(?!127\.0\.0\.1)[^\"]*\.(?:js|css|woff2?|png|svg)", text
    )
    assert " style=" not in text
    assert not re.search(r"<script(?! src=| type=\"application/ld\+json\")", text)
    assert not re.search(r" on[a-z]+=\"", text)
    for left in ("{{", "{%", "\x02", "\x03", ":::"):
        assert left not in re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL), left


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_twin_says_what_it_is_a_twin_of(gateway: Gateway, page: Page):
    response = visit(gateway, twin_of(page), accept="*/*")
    head, body = front_matter(text_of(response))
    assert response.headers["content-type"] == "text/markdown; charset=utf-8"
    assert head["url"] == gateway.url + twin_of(page)
    assert head["canonical"] == gateway.url + path_of(page)
    assert (head["locale"], head.get("model")) == (page.locale, page.model)
    assert body.startswith(f"\n# {head['title']}\n\n")
    assert not re.search(r"^:::", body, re.MULTILINE)
    assert f'<link rel="canonical" href="{head["canonical"]}">' in text_of(visit(gateway, path_of(page)))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_twin_has_every_figure_of_the_page(gateway: Gateway, page: Page):
    """Prices and limits: what a browser shows can be read from the twin as well."""
    shown = words_of(text_of(visit(gateway, path_of(page))))
    _, body = front_matter(text_of(visit(gateway, twin_of(page), accept="*/*")))
    figures = set(re.findall(r"\$\d[\d,.]*\d|\b\d{1,3}(?:,\d{3})+\b", shown))
    assert {figure for figure in figures if figure not in body} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_twin_has_every_line_of_code(gateway: Gateway, page: Page):
    shown = words_of(text_of(visit(gateway, path_of(page)))).split()
    _, body = front_matter(text_of(visit(gateway, twin_of(page), accept="*/*")))
    fences = re.findall(r"^ *```\w+[^\n]*\n(.*?)^ *```", body, re.MULTILINE | re.DOTALL)
    for fence in fences:
        last = fence.strip().splitlines()[-1].split()
        assert last, fence
        assert "".join(last) in "".join(shown), fence


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of_page_and_twin_lead_somewhere(gateway: Gateway, page: Page):
    for path in (path_of(page), twin_of(page)):
        text = text_of(visit(gateway, path, accept="*/*"))
        plain = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL) if path.endswith(".md") else text
        found = (
            re.findall(r"\]\(([^)\s]*)\)", plain)
            if path.endswith(".md")
            else re.findall(r' href="([^"]*)"', text)
        )
        broken = [link for link in dict.fromkeys(found) if not leads_somewhere(gateway, link, text)]
        assert broken == [], path


_LEADS: dict[str, bool] = {}


def leads_somewhere(gateway: Gateway, link: str, page: str) -> bool:
    parts = urlsplit(link.replace("&amp;", "&"))
    if parts.scheme == "mailto" or (parts.netloc and f"http://{parts.netloc}" != gateway.url):
        return parts.scheme in ("https", "mailto")
    if not parts.path:
        return f'id="{parts.fragment}"' in page or parts.fragment in page
    if parts.path.startswith("/v1"):
        return True
    key = f"{parts.path}#{parts.fragment}"
    if key not in _LEADS:
        response = visit(gateway, parts.path, accept="*/*")
        there = response.body.decode(errors="replace")
        is_named = not parts.fragment or f'id="{parts.fragment}"' in there or parts.path.endswith(".md")
        _LEADS[key] = response.status == 200 and is_named
    return _LEADS[key]


def test_first_page_has_its_twin_under_two_forms_of_request(gateway: Gateway):
    named = text_of(visit(gateway, "/index.md", accept="*/*"))
    assert named == text_of(visit(gateway, "/", accept="text/markdown"))


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ("/docs/", "/docs"),
        ("/index", "/"),
        ("/en", "/"),
        ("/en/docs/chat", "/docs/chat"),
        ("/docs/index.md", "/docs.md"),
        ("/.md", "/index.md"),
        ("/models/?a=b", "/models?a=b"),
    ],
)
def test_other_spellings_are_sent_to_the_page(gateway: Gateway, asked: str, where: str):
    response = visit(gateway, asked)
    assert (response.status, response.headers["location"]) == (308, where)
