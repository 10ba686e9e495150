"""Every page in both of its forms: there, whole, small, and with links that lead somewhere."""

import re

import pytest

from fakes.server import Gateway
from runapi.web.site.content import Page
from web.site.links import is_broken
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
    shown = re.findall(r' href="([^"]*)"', text_of(visit(gateway, path_of(page))))
    _, body = front_matter(text_of(visit(gateway, twin_of(page), accept="*/*")))
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", body, flags=re.DOTALL)
    for path, links in ((path_of(page), shown), (twin_of(page), re.findall(r"\]\(([^)\s]*)\)", prose))):
        assert [link for link in dict.fromkeys(links) if is_broken(gateway, link, path)] == [], path


@pytest.mark.parametrize(
    "link",
    [
        "/docs/streeming",
        "/docs/chat#no-such-heading",
        "#no-such-heading",
        "chat#no-such-heading",
        "/docs/errors.md#no-such-heading",
        "/v1/models",
        "http://example.com/",
        "javascript:alert(1)",
    ],
)
def test_link_that_leads_nowhere_is_noticed(gateway: Gateway, link: str):
    assert is_broken(gateway, link, "/docs/chat")


@pytest.mark.parametrize("link", ["streaming", "/docs/chat.md", "?a=b", "https://example.com/#x", "#main"])
def test_link_that_leads_somewhere_is_left_alone(gateway: Gateway, link: str):
    assert not is_broken(gateway, link, "/docs/chat")


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
