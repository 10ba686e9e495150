"""Where there is no page: help, in the visitor's language and in the form that was asked for."""

import pytest

from fakes import specification
from fakes.server import Gateway
from web.site.visits import BROWSER, MODELS, library, visit

OTHERS = [locale for locale in library().locales if locale != "en"]


@pytest.mark.parametrize(
    "path", ["/docs/streeming", "/nope", "/docs/chat/more", "/~x", "/%e2%82%ac", "/a/../b"]
)
def test_person_gets_a_page(gateway: Gateway, path: str):
    response = visit(gateway, path)
    text = response.body.decode()
    assert (response.status, response.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert response.headers["cache-control"] == "no-store"
    assert "<h1>There is no such page</h1>" in text
    assert '<meta name="robots" content="noindex">' in text
    assert 'rel="canonical"' not in text
    assert f"{gateway.url}/v1" in text


def test_likely_page_is_named(gateway: Gateway):
    assert 'href="/docs/streaming"' in visit(gateway, "/docs/streeming").body.decode()
    assert f"{gateway.url}/docs/streaming.md" in visit(gateway, "/docs/streeming.md").body.decode()


def test_unknown_model_is_answered_with_the_models(gateway: Gateway):
    text = visit(gateway, "/models/gpt-9").body.decode()
    assert all(f'href="/models/{model}"' in text for model in MODELS)


def test_unknown_locale_is_answered_with_the_page_in_those_that_there_are(gateway: Gateway):
    for path, page in (("/fr/docs/chat", "/docs/chat"), ("/pt-BR/pricing", "/pricing"), ("/de", "/")):
        response = visit(gateway, path)
        assert response.status == 404
        assert f'<li><a href="{page}">English</a></li>' in response.body.decode()


@pytest.mark.parametrize("accept", ["text/markdown", "*/*"])
def test_agent_gets_markdown(gateway: Gateway, accept: str):
    response = visit(gateway, "/docs/nope.md", accept=accept)
    assert (response.status, response.headers["content-type"]) == (404, "text/markdown; charset=utf-8")
    assert response.body.startswith(b"# There is no such page\n")
    assert b"/llms.txt" in response.body


@pytest.mark.parametrize("accept", ["application/json", "*/*", None])
def test_program_gets_json(gateway: Gateway, accept: str | None):
    response = visit(gateway, "/nope", accept=accept)
    assert (response.status, response.headers["content-type"]) == (404, "application/json")
    specification.check_error(response.json)


def test_what_was_asked_for_is_not_repeated_as_html(gateway: Gateway):
    for path in ("/%3Cscript%3Ealert(1)%3C/script%3E", '/models/%22onload=%22x"', "/xx/%3Cb%3E"):
        text = visit(gateway, path).body.decode()
        assert "<script>alert" not in text
        assert "<b>" not in text
        assert 'onload="' not in text


@pytest.mark.parametrize("locale", OTHERS)
def test_visitor_is_told_in_the_language_of_the_url_or_of_the_browser(gateway: Gateway, locale: str):
    title = library().strings[locale].texts["not_found_title"]
    assert f"<h1>{title}</h1>" in visit(gateway, f"/{locale}/nope").body.decode()
    by_header = visit(gateway, "/nope", headers={"accept-language": locale}).body.decode()
    assert f"<h1>{title}</h1>" in by_header
    assert f'<html lang="{locale}">' in by_header


def test_long_path_is_answered_shortly(gateway: Gateway):
    response = visit(gateway, "/" + "ab/" * 1000, accept=BROWSER)
    assert response.status == 404
    assert len(response.body) < 20_000


def test_unknown_locale_of_an_unknown_page_promises_no_other(gateway: Gateway):
    text = visit(gateway, "/fr/no-such-thing-at-all").body.decode()
    assert "There is no such page" in text
    assert "in these languages" not in text
