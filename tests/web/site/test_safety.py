"""What keeps visitors safe: headers on every answer, and nothing of a stranger's in a page that others get."""

import pytest

from fakes import http
from fakes.server import Gateway
from runapi.web.site.addresses import MOST_KNOWN, Addresses
from web.site.visits import BROWSER, text_of, visit

PATHS = [
    "/",
    "/docs/chat",
    "/docs/chat.md",
    "/nope",
    "/llms.txt",
    "/sitemap.xml",
    "/robots.txt",
    "/favicon.svg",
]


@pytest.mark.parametrize("path", [*PATHS, "/docs/", "/favicon.ico", "/openapi.yaml", "/openapi.json"])
def test_every_answer_has_the_headers_that_protect(gateway: Gateway, path: str):
    headers = visit(gateway, path).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert headers["x-frame-options"] == "DENY"
    assert "set-cookie" not in headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "8.8.8.8", "[2001:db8::1]"]
)
def test_host_of_a_stranger_gets_into_no_page(gateway: Gateway, host: str):
    for path in ("/", "/docs/chat.md", "/llms.txt", "/sitemap.xml", "/robots.txt", "/openapi.yaml", "/nope"):
        response = visit(gateway, path, headers={"host": host})
        assert host.strip("[]").split(":80")[0].encode() not in response.body, path
        assert gateway.url.encode() in response.body, path
        assert b"evil" not in visit(gateway, path).body


def test_address_that_the_visitor_used_is_named_if_it_is_this_machines(gateway: Gateway):
    twin = text_of(visit(gateway, "/docs.md", headers={"host": f"localhost:{gateway.port}"}))
    assert f"http://localhost:{gateway.port}/v1" in twin
    assert f"http://localhost:{gateway.port}/v1" not in text_of(visit(gateway, "/docs.md"))


def test_operators_url_goes_before_every_host(start_gateway):
    gateway = start_gateway(public_url="https://api.example.com/")
    for host in (f"127.0.0.1:{gateway.port}", "localhost", "evil.example"):
        twin = text_of(visit(gateway, "/docs/quickstart.md", headers={"host": host}))
        assert "https://api.example.com/v1" in twin
        assert host not in twin


def test_addresses_are_few_however_many_a_visitor_makes_up():
    addresses = Addresses("", "127.0.0.1", 8000)
    told = {addresses.site_url(f"localhost:{port}".encode()) for port in range(1000, 1100)}
    assert len(told) == MOST_KNOWN + 1
    assert addresses.site_url(b"localhost:1000") == "http://localhost:1000"


@pytest.mark.parametrize(
    "host", [b"", b"localhost:x", b"a b", b"localhost/", b"\xff", b"::1", b"0.0.0.0:1", b"224.0.0.1"]
)
def test_odd_hosts_are_told_the_address_that_is_listened_on(host: bytes):
    assert Addresses("", "127.0.0.1", 8000).site_url(host) == "http://127.0.0.1:8000"


def test_loopback_of_version_6_is_ours():
    assert Addresses("", "127.0.0.1", 8000).site_url(b"[::1]:9000") == "http://[::1]:9000"


def test_site_that_is_off_leaves_the_api_as_it_was(start_gateway):
    gateway = start_gateway(site="off")
    for path in ("/", "/docs", "/llms.txt", "/favicon.ico", "/static/x/site.css"):
        response = visit(gateway, path)
        assert (response.status, response.headers["content-type"]) == (404, "application/json")
    assert http.request(gateway.url, "GET", "/v1/models", key=gateway.test_key).status == 200


def test_hidden_pages_are_gone_from_menus_lists_and_texts(start_gateway):
    gateway = start_gateway(site_hide="/pricing, models/gpt-5.2, /guides, /openclaw")
    for path in ("/pricing", "/pricing.md", "/models/gpt-5.2", "/openclaw"):
        assert visit(gateway, path).status == 404, path
    for path in ("/", "/llms.txt", "/sitemap.xml", "/models", "/docs", "/docs/billing", "/models.md"):
        text = text_of(visit(gateway, path))
        assert "/pricing" not in text, path
        assert "/models/gpt-5.2" not in text, path
        assert "]()" not in text, path
        assert 'href=""' not in text, path


def test_operators_name_and_address_stand_on_the_pages(start_gateway):
    gateway = start_gateway(brand='Ann & <Bob> "LLM"', contact_email="help@example.com")
    page = text_of(visit(gateway, "/terms"))
    assert "Ann &amp; &lt;Bob&gt; &#34;LLM&#34;" in page
    assert "<Bob>" not in page
    assert 'href="mailto:help@example.com"' in page
    assert "RunAPI" not in page
    assert visit(gateway, "/openapi.json", accept=BROWSER).json["info"]["title"] == 'Ann & <Bob> "LLM"'  # type: ignore[index]
