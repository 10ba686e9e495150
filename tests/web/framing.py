"""Odd HTTP framing, and what becomes of it: the rows of the table in docs/operate/edge.md."""

import msgspec

from web.exchange import BODY, chunked

CREDENTIALS = b"Host: {host}\r\nAuthorization: Bearer {key}\r\n"
SMUGGLED = b"GET /v1/models/smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n"


class Row(msgspec.Struct, frozen=True):
    """One odd request."""

    what: str
    data: bytes
    status: int
    stays_open: bool = False
    follows: int | None = None  # the status of a second request that stands behind it in plain sight

    @property
    def is_completion(self) -> bool:
        return b"POST " in self.data

    def __str__(self) -> str:
        return self.what


def get(*lines: bytes, target: bytes = b"GET /v1/models HTTP/1.1", head: bytes = CREDENTIALS) -> bytes:
    """A GET request with more header lines."""
    return target + b"\r\n" + head + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def post(*lines: bytes, body: bytes = BODY, version: bytes = b"1.1") -> bytes:
    """A completion request with more header lines; its framing is up to them."""
    target = b"POST /v1/chat/completions HTTP/" + version
    return get(*lines, target=target) + body


def sized(value: bytes) -> bytes:
    return post(b"Content-Length: " + value)


def coded(value: bytes) -> bytes:
    return post(b"Transfer-Encoding: " + value, body=chunked(BODY) + SMUGGLED)


def hosted(value: bytes) -> bytes:
    return get(b"Authorization: Bearer {key}", head=b"Host: " + value + b"\r\n")


LENGTH = b"%d" % len(BODY)
WITH_SMUGGLED = chunked(BODY) + SMUGGLED

LENGTHS = (
    Row(
        "`Content-Length` and `Transfer-Encoding`, the length over both",
        post(b"Content-Length: %d" % len(WITH_SMUGGLED), b"Transfer-Encoding: chunked", body=WITH_SMUGGLED),
        400,
    ),
    Row(
        "`Transfer-Encoding` and a short `Content-Length`",
        post(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=WITH_SMUGGLED),
        400,
    ),
    Row("two different `Content-Length`s", post(b"Content-Length: " + LENGTH, b"Content-Length: 4"), 400),
    Row(
        "two equal `Content-Length`s",
        post(b"Content-Length: " + LENGTH, b"Content-Length: " + LENGTH),
        400,
    ),
    Row("`Content-Length: +63`", sized(b"+" + LENGTH), 400),
    Row("`Content-Length: 0x3f`", sized(b"0x3f"), 400),
    Row("`Content-Length: -1`", sized(b"-1"), 400),
    Row("`Content-Length: 6_3`", sized(b"6_3"), 400),
    Row("`Content-Length: 63, 63`", sized(LENGTH + b", " + LENGTH), 400),
    Row("an empty `Content-Length`", sized(b""), 400),
    Row("`Content-Length` above 2^64", sized(b"9" * 23), 400),
)

CODINGS = (
    Row("`Transfer-Encoding: xchunked`", coded(b"xchunked"), 501),
    Row("`Transfer-Encoding: identity`", coded(b"identity"), 501),
    Row("`Transfer-Encoding: chunked, identity`", coded(b"chunked, identity"), 400),
    Row("`Transfer-Encoding: gzip, chunked`", coded(b"gzip, chunked"), 501),
    Row("`Transfer-Encoding: chunked, chunked`", coded(b"chunked, chunked"), 400),
    Row(
        "two `Transfer-Encoding`s",
        post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=WITH_SMUGGLED),
        400,
    ),
    Row(
        "`Transfer-Encoding` in HTTP/1.0",
        post(b"Transfer-Encoding: chunked", body=WITH_SMUGGLED, version=b"1.0"),
        400,
    ),
)

CHUNK = b"%x" % len(BODY)


def in_chunks(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


CHUNKS = (
    Row(
        "a chunk that is longer than it says",
        in_chunks(CHUNK + b"\r\n" + BODY + b"XX0\r\n\r\n"),
        400,
    ),
    Row("a chunk's size that is no number", in_chunks(b"zz\r\n" + BODY + b"\r\n0\r\n\r\n"), 400),
    Row("a chunk's size of -1", in_chunks(b"-1\r\n" + BODY + b"\r\n0\r\n\r\n"), 400),
    Row("a chunk's size above 2^64", in_chunks(b"f" * 19 + b"\r\n" + BODY), 400),
    Row("chunks that end in bare LF", in_chunks(CHUNK + b"\n" + BODY + b"\n0\n\n"), 400),
    Row(
        "1 MB of chunk extension",
        in_chunks(CHUNK + b";" + b"a" * 1_000_000 + b"\r\n" + BODY + b"\r\n0\r\n\r\n"),
        400,
    ),
    Row(
        "a short chunk extension",
        in_chunks(CHUNK + b";a=b\r\n" + BODY + b"\r\n0\r\n\r\n"),
        200,
        stays_open=True,
    ),
    Row(
        "trailers",
        in_chunks(CHUNK + b"\r\n" + BODY + b"\r\n0\r\nAuthorization: Bearer trailer\r\nX-T: 1\r\n\r\n"),
        200,
        stays_open=True,
    ),
    Row(
        "1 MB of trailers",
        in_chunks(CHUNK + b"\r\n" + BODY + b"\r\n0\r\nX-T: " + b"a" * 1_000_000 + b"\r\n\r\n"),
        400,
    ),
)

HEADERS = (
    Row("a space before a header's colon", post(b"Content-Length : " + LENGTH), 400),
    Row("a header folded over two lines", get(b"X-A: b", b" c"), 400),
    Row("lines that end in bare LF", get().replace(b"\r\n", b"\n"), 400),
    Row("a bare CR in a header", get(b"X-A: b\rc"), 400),
    Row("a NUL in a header", get(b"X-A: b\0c"), 400),
    Row("a header's name with `(`", get(b"X(A): b"), 400),
    Row("a header without a name", get(b": b"), 400),
    Row("a line without a colon", get(b"hello"), 400),
    Row("a header of 100 kB", get(b"X-A: " + b"a" * 100_000), 431),
    Row(
        "90 headers of one name, 40 kB together",
        get(*[b"X-A: " + b"a" * 450] * 90),
        431,
    ),
    Row(
        "2,000 short headers",
        get(*[b"X-%d: a" % number for number in range(2000)]),
        200,
        stays_open=True,
    ),
    Row(
        "names in `Connection` that are not its own",
        get(b"Connection: authorization, host"),
        200,
        stays_open=True,
    ),
    Row("`Upgrade: h2c`", get(b"Connection: Upgrade", b"Upgrade: h2c"), 200, stays_open=True),
    Row(
        "`Upgrade: h2c` with a body, and a request behind it",
        post(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: %d" % len(BODY)) + SMUGGLED,
        200,
        stays_open=True,
        follows=401,
    ),
    Row(
        "`Upgrade: websocket`",
        get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        200,
        stays_open=True,
    ),
)

HOSTS = (
    Row("no `Host`", get(head=b"Authorization: Bearer {key}\r\n"), 400, stays_open=True),
    Row("an empty `Host`", hosted(b""), 400, stays_open=True),
    Row("two `Host`s", get(b"Host: elsewhere"), 400),
    Row("two equal `Host`s", get(b"Host: {host}"), 400),
    *(
        Row(f"`Host: {value.decode()}`", hosted(value), 400, stays_open=True)
        for value in (
            b"a/b",
            b"a b",
            b"me@a",
            b"a:b",
            b"a:99999",
            b"a,b",
            b"::1",
            b"[::1",
            b"<a>",
            b"http://a",
        )
    ),
)

TARGETS = (
    Row(
        "a URL of 9 kB",
        get(target=b"GET /v1/models?a=" + b"a" * 9_000 + b" HTTP/1.1"),
        414,
    ),
    Row("a URL of 100 kB", get(target=b"GET /v1/models?a=" + b"a" * 100_000 + b" HTTP/1.1"), 414),
    Row(
        "an absolute URL of another host",
        get(target=b"GET http://elsewhere/v1/models HTTP/1.1"),
        200,
        stays_open=True,
    ),
    Row("`CONNECT`", get(target=b"CONNECT elsewhere:443 HTTP/1.1"), 404),
    Row("`OPTIONS *`", get(target=b"OPTIONS * HTTP/1.1"), 404, stays_open=True),
    Row("a URL without its first slash", get(target=b"GET v1/models HTTP/1.1"), 400),
    Row("a URL with raw bytes above 127", get(target=b"GET /v1/models/\xff HTTP/1.1"), 400),
    Row("two spaces before the URL", get(target=b"GET  /v1/models HTTP/1.1"), 200, stays_open=True),
    Row("an unknown method", get(target=b"FETCH /v1/models HTTP/1.1"), 400),
    Row("a method in lower case", get(target=b"get /v1/models HTTP/1.1"), 400),
    Row("a method with `@`", get(target=b"G@T /v1/models HTTP/1.1"), 400),
    Row("HTTP/9.9", get(target=b"GET /v1/models HTTP/9.9"), 400),
    Row("HTTP/0.9", b"GET /v1/models\r\n\r\n", 400),
    Row("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500, 400),
    Row("an HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 400),
    Row("words that are no HTTP", b"hello\r\n\r\n", 400),
    Row(
        "a `GET` with a body, and a request behind it",
        get(b"Content-Length: 5") + b"hello" + SMUGGLED,
        200,
        stays_open=True,
        follows=401,
    ),
)

ROWS = (*LENGTHS, *CODINGS, *CHUNKS, *HEADERS, *HOSTS, *TARGETS)
