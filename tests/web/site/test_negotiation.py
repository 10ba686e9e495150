"""Who gets which form: browsers HTML, agents Markdown, programs the API's JSON."""

import pytest

from fakes import http, specification
from fakes.server import Gateway
from runapi.web.site.negotiate import Form, read_accept, read_languages
from web.site.visits import BROWSER, text_of, visit

LOCALES = ("en", "zh-TW", "zh-CN", "ja")


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (BROWSER, Form.HTML),
        ("text/html", Form.HTML),
        ("text/markdown", Form.MARKDOWN),
        ("text/markdown, text/html, */*", Form.MARKDOWN),
        ("text/html, text/markdown;q=0.5", Form.HTML),
        ("text/markdown;q=0, text/html;q=0.1", Form.HTML),
        ("application/json", Form.JSON),
        ("application/json, text/plain, */*", Form.JSON),
        ("TEXT/HTML ; Q=1", Form.HTML),
        ("*/*", None),
        ("text/*;q=0.5", None),
        ("", None),
        (";;;,,,q=", None),
        ("text/html;q=banana", None),
        ("text/html;q=1e5, application/json", Form.JSON),
        ("x" * 5000, None),
    ],
)
def test_accept_is_read(accept: str, form: Form | None):
    assert read_accept(accept.encode()) is form


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-TW"),
        ("zh-Hant-HK", "zh-TW"),
        ("zh-hk", "zh-TW"),
        ("zh", "zh-CN"),
        ("zh-Hans-SG, ja;q=0.5", "zh-CN"),
        ("ja-JP", "ja"),
        ("de-DE, ja;q=0.1", "ja"),
        ("en-GB", "en"),
        ("en;q=0.4, ja;q=0.8", "ja"),
        ("ja;q=0, en", "en"),
        ("de", None),
        ("*", None),
        ("", None),
        ("-,--;q=,zh-", "zh-CN"),
    ],
)
def test_accept_language_is_read(header: str, locale: str | None):
    assert read_languages(header.encode(), LOCALES) == locale


def test_chinese_is_offered_in_the_script_that_there_is():
    assert read_languages(b"zh-TW", ("en", "zh-CN")) == "zh-CN"
    assert read_languages(b"ja", ("en", "zh-CN")) is None


@pytest.mark.parametrize("path", ["/", "/docs/chat", "/models", "/models/gpt-5.5", "/pricing"])
def test_page_comes_as_it_is_asked_for(gateway: Gateway, path: str):
    for accept, kind in [(BROWSER, "text/html"), ("*/*", "text/html"), ("text/markdown", "text/markdown")]:
        response = visit(gateway, path, accept=accept)
        assert (response.status, response.headers["content-type"]) == (200, f"{kind}; charset=utf-8")


@pytest.mark.parametrize("path", ["/models", "/models/gpt-5.5"])
@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "application/json"},  # OpenAI's libraries
        {"accept": "application/json, text/plain, */*"},
        {"accept": "*/*", "authorization": "Bearer runapi_test_x"},
        {"accept": "*/*", "x-api-key": "runapi_test_x"},
        {},
    ],
)
def test_program_whose_base_url_lacks_v1_is_told_so_where_a_page_is(
    gateway: Gateway, path: str, headers: dict[str, str]
):
    response = http.request(gateway.url, "GET", path, headers=headers)
    assert (response.status, response.headers["content-type"]) == (404, "application/json")
    specification.check_error(response.json)
    assert "must end in /v1" in response.json["error"]["message"]  # type: ignore[index]


def test_a_key_does_not_hide_pages_that_no_call_has(gateway: Gateway):
    response = visit(gateway, "/docs/chat", accept="*/*", headers={"authorization": "Bearer x"})
    assert "Chat Completions" in text_of(response)


@pytest.mark.parametrize("path", ["/", "/docs", "/nope", "/pricing"])
def test_who_wants_json_alone_gets_the_apis_404(gateway: Gateway, path: str):
    response = visit(gateway, path, accept="application/json")
    assert (response.status, response.headers["content-type"]) == (404, "application/json")
    specification.check_error(response.json)


def test_apis_own_urls_are_never_pages(gateway: Gateway):
    for path in ("/v1", "/v1/", "/v1/nope", "/v1/models.md"):
        assert visit(gateway, path).headers["content-type"] == "application/json"
    assert visit(gateway, "/v1/models").status == 401


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_pages_are_only_read(gateway: Gateway, method: str):
    response = http.request(gateway.url, method, "/docs", headers={"accept": BROWSER})
    assert (response.status, response.headers["content-type"]) == (404, "application/json")


def test_head_is_get_without_the_body(gateway: Gateway):
    got = visit(gateway, "/docs/chat")
    with http.Connection(gateway.url) as connection:
        connection.send_request("HEAD", "/docs/chat", headers={"accept": BROWSER, "connection": "close"})
        head = connection.read_head()
        assert connection.read_to_end() == b""
    assert (head.status, head.headers["etag"]) == (200, got.headers["etag"])
    assert head.headers["content-length"] == got.headers["content-length"]
