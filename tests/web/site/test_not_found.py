"""Where there is no page: help, in the visitor's language and in the form that was asked for."""

import pytest

from fakes import http, specification
from fakes.server import Gateway
from runapi.web.site.paths import page_path
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


def message_of(response: http.Response) -> str:
    assert (response.status, response.headers["content-type"]) == (404, "application/json")
    specification.check_error(response.json)
    assert response.json["error"]["code"] == "unknown_url"  # type: ignore[index]
    return str(response.json["error"]["message"])  # type: ignore[index]


@pytest.mark.parametrize("accept", ["application/json", "*/*", None])
def test_program_gets_an_error_as_of_the_api_that_names_the_likely_page(gateway: Gateway, accept: str | None):
    message = message_of(visit(gateway, "/docs/streeming", accept=accept))
    assert f"{gateway.url}/docs/streaming.md" in message
    assert f"{gateway.url}/v1" in message
    assert len(message_of(visit(gateway, "/docs/" + "ab/" * 500, accept=accept))) < 400


@pytest.mark.parametrize("locale", library().locales)
def test_program_is_told_in_the_language_of_the_url_or_of_its_header(gateway: Gateway, locale: str):
    lead = library().strings[locale].texts["not_found_lead"]
    assert lead in message_of(visit(gateway, page_path(locale, "nope"), accept="application/json"))
    named = {"accept-language": locale}
    assert lead in message_of(visit(gateway, "/nope", accept="application/json", headers=named))


def test_program_is_told_where_the_page_is_that_it_wants_as_json(gateway: Gateway):
    for path in ("/docs/chat", "/docs/chat/", "/zh-TW/docs/chat"):
        message = message_of(visit(gateway, path, accept="application/json"))
        assert f"{gateway.url}{path.rstrip('/')}.md" in message, path


def test_program_is_told_of_the_models_and_the_locales_that_there_are(gateway: Gateway):
    assert f"{gateway.url}/docs/chat" in message_of(
        visit(gateway, "/fr/docs/chat", accept="application/json")
    )
    told = message_of(visit(gateway, "/zh-TW/models/gpt-9", accept="application/json"))
    assert f"{gateway.url}/zh-TW/models.md" in told


@pytest.mark.parametrize("path", ["/models/gpt-9", "/chat/completions", "/models"])
def test_program_that_left_v1_out_is_told_that_first(gateway: Gateway, path: str):
    message = message_of(visit(gateway, path, accept="application/json", headers={"accept-language": "ja"}))
    assert f"did you mean /v1{path}?" in message


@pytest.mark.parametrize("accept", [BROWSER, "application/json", "text/markdown", "*/*", None])
def test_operators_urls_look_like_those_that_are_not_there(gateway: Gateway, accept: str | None):
    there, not_there = (
        visit(gateway, path, accept=accept, headers={"accept-language": "ja"})
        for path in ("/admin/v1/accounts.list", "/admin/v1/accounts.lost")
    )
    assert (there.status, there.body) == (not_there.status, not_there.body)
    assert set(there.headers) == set(not_there.headers)


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
