"""The response for an answer: encodings, ETags, and the headers that keep a browser safe."""

import re

from runapi.web.call import Call
from runapi.web.site.cache import Answer

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SAFE = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
)
CHECK_EACH_TIME = (b"cache-control", b"public, no-cache")
"""Anybody may keep a page, and asks whether it is still true: a 304 is cheap, and a stale price is not."""

NEVER_KEEP = (b"cache-control", b"no-store")
_GZIP = re.compile(
    rb"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[^,]*)?\s*(?:,|$)", re.IGNORECASE
)


async def reply(call: Call, answer: Answer) -> None:
    """Send an answer; 304 where the visitor has it already."""
    headers = [
        (b"etag", answer.etag),
        (b"vary", answer.vary),
        *answer.headers,
        *SAFE,
    ]
    headers.append((b"x-request-id", call.request_id.encode()))
    if answer.status == 200 and _is_known(call.headers.get(b"if-none-match"), answer.etag):
        await call.respond(304, headers, b"")
        return
    if _GZIP.search(call.headers.get(b"accept-encoding", b"")):
        body = answer.packed
        headers.append((b"content-encoding", b"gzip"))
    else:
        body = answer.body
    headers += [(b"content-type", answer.content_type), (b"content-length", b"%d" % len(body))]
    await call.respond(answer.status, headers, body)


async def redirect(call: Call, where: str) -> None:
    """Send the visitor to where the page is, for good."""
    query = b"?" + call.query if call.query else b""
    headers = [(b"location", where.encode() + query), (b"content-length", b"0"), CHECK_EACH_TIME, *SAFE]
    await call.respond(308, headers, b"")


def _is_known(given: bytes | None, etag: bytes) -> bool:
    """Whether If-None-Match names the answer."""
    if given is None:
        return False
    names = [name.strip().removeprefix(b"W/") for name in given.split(b",")]
    return etag.removeprefix(b"W/") in names or b"*" in names
