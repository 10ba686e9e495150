"""Pages are made once, named by their content, and never kept for longer than they are true."""

import gzip
import time

from fakes import http
from fakes.server import Gateway
from runapi.web.site.cache import Cache, Kept, pack
from runapi.web.site.content import LOOK_EVERY_S
from web.site.visits import BROWSER, text_of, visit


def ask(gateway: Gateway, path: str, **headers: str) -> http.Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.request(gateway.url, "GET", path, headers={"accept": BROWSER, **fields})


def test_page_that_is_known_is_not_sent_again(gateway: Gateway):
    first = ask(gateway, "/docs/chat")
    etag = first.headers["etag"]
    for known in (etag, etag.removeprefix("W/"), f'"x", {etag}', "*"):
        again = ask(gateway, "/docs/chat", if_none_match=known)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == etag
        assert again.headers["cache-control"] == "public, no-cache"
    assert ask(gateway, "/docs/chat", if_none_match='W/"other"').status == 200


def test_forms_and_pages_have_names_of_their_own(gateway: Gateway):
    etags = {
        ask(gateway, path).headers["etag"] for path in ("/docs/chat", "/docs/chat.md", "/docs/streaming", "/")
    }
    assert len(etags) == 4
    assert (
        visit(gateway, "/docs/chat.md").headers["etag"]
        == visit(gateway, "/docs/chat", accept="text/markdown").headers["etag"]
    )


def test_page_is_compressed_for_who_takes_it(gateway: Gateway):
    plain = ask(gateway, "/docs/chat")
    assert "content-encoding" not in plain.headers
    for taken in ("gzip", "br, gzip", "gzip;q=0.5", "*", "deflate, GZIP;q=1.0, br"):
        packed = ask(gateway, "/docs/chat", accept_encoding=taken)
        assert packed.headers["content-encoding"] == "gzip", taken
        assert gzip.decompress(packed.body) == plain.body
        assert len(packed.body) < len(plain.body) / 2
    for refused in ("identity", "gzip;q=0", "br", "gzip;q=0.0, br", "x-gzip-like"):
        assert "content-encoding" not in ask(gateway, "/docs/chat", accept_encoding=refused).headers, refused


def test_answers_say_what_they_depend_on(gateway: Gateway):
    headers = ask(gateway, "/docs/chat").headers
    assert set(headers["vary"].split(", ")) == {"Accept", "Accept-Encoding", "Accept-Language"}
    assert headers["link"] == '</docs/chat.md>; rel="alternate"; type="text/markdown"'
    assert headers["content-language"] == "en"


def test_style_is_kept_for_ever_under_a_name_that_changes_with_it(gateway: Gateway):
    page = text_of(visit(gateway, "/"))
    path = page.split('rel="stylesheet" href="')[1].split('"')[0]
    style = ask(gateway, path)
    assert (style.status, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert style.headers["cache-control"] == "public, max-age=31536000, immutable"
    wrong = ask(gateway, "/static/000000000000/site.css")
    assert wrong.headers["cache-control"] == "public, max-age=3600"
    for missing in (
        "/static/x/nope.css",
        "/static/",
        "/static/../site.py",
        "/static/x/%2e%2e/site.py",
        "/static/x",
    ):
        assert ask(gateway, missing).status == 404


def test_file_that_somebody_edits_is_shown_at_once(start_gateway, tmp_path):
    gateway = start_gateway()
    folder = gateway.home / "site" / "content" / "en"
    folder.mkdir(parents=True)
    assert "template" in text_of(visit(gateway, "/terms"))
    folder.joinpath("terms.md").write_text(
        "---\ntitle: Our terms\ndescription: Ours.\nsection: about\n---\nBe kind to {{ brand }}.\n"
    )
    time.sleep(LOOK_EVERY_S + 0.1)
    assert "Be kind to RunAPI." in text_of(visit(gateway, "/terms"))
    assert "# Our terms" in text_of(visit(gateway, "/terms.md"))


def test_cache_forgets_what_was_asked_for_longest_ago():
    answer = pack(b"x" * 1000, "text/plain")
    cache = Cache(most_bytes=len(answer.packed) * 2)
    for name in ("one", "two"):
        cache.put((name,), Kept(answer, (1,)))
    assert cache.get(("one",), (1,)) is not None
    cache.put(("three",), Kept(answer, (1,)))
    assert cache.get(("two",), (1,)) is None
    assert cache.get(("one",), (1,)) is not None
    assert cache.get(("one",), (2,)) is None, "made of another version"
