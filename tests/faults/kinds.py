"""The kinds of fault that an upstream can have before anything was delivered, and those in mid-stream.

Each has the number of the project's list of faults (F-1 to F-56), and what a client must see of it.
"""

import gzip
import json
import threading
from collections.abc import Iterator

import msgspec

from fakes import replies, steps
from fakes.replies import chunk
from fakes.steps import Script

NEVER = threading.Event()
"""The client must go away before it happens; a script that waits for it in vain fails its test."""
HTML = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1><hr>cloudflare</body></html>"
PAGE = {"content-type": "text/html; charset=utf-8", **replies.HEADERS}
JSON = {"content-type": "application/json", **replies.HEADERS}
STREAM = steps.EVENT_STREAM | replies.HEADERS
ROLE = chunk({"role": "assistant", "content": "", "refusal": None}, asked=True)
WORD = chunk({"content": "Hel"}, asked=True)
FINISH = chunk({}, finish_reason="stop", asked=True)
USAGE = chunk(None, usage=replies.USAGE)
ERROR = {"error": {"message": "Server exploded.", "type": "server_error", "param": None, "code": "boom"}}
REPLY = {
    "id": replies.REPLY_ID,
    "object": "chat.completion",
    "created": replies.CREATED,
    "model": replies.MODEL,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello.", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": replies.USAGE,
}


class Fault(msgspec.Struct, frozen=True):
    """What an upstream does, and what the client is told."""

    name: str
    script: Script
    status: int
    code: str | None
    calls: int = 1  # how often the upstream is called for one request


def raw(data: bytes) -> Script:
    """Answer with these bytes, and close."""
    return [steps.send(data), steps.fin()]


def page(status: int, text: str = HTML, fields: dict[str, str] = PAGE) -> Script:
    """Answer with a page, as proxies do."""
    data = text.encode()
    return [steps.headers(status, fields | {"content-length": str(len(data))}), steps.body(data)]


def streamed(*items: object, end: Script = ()) -> Script:
    """Begin a stream, send these events, and end it as `end` says."""
    return [steps.headers(200, STREAM), steps.sse(items), *end]


BAD, GONE, TROUBLE, TIME = "upstream_bad_reply", "upstream_unavailable", "upstream_error", "upstream_timeout"
GARBAGE = b"SSH-2.0-OpenSSH_9.2 canary-organisation-of-the-upstream\r\n\r\n"
TWO_FRAMINGS = (
    b'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"a":\r\n0\r\n\r\n'
)
MANY_HEADERS = b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % at for at in range(5_000)) + b"\r\n"
LONG_HEADER = b"HTTP/1.1 200 OK\r\nx-long: " + b"y" * 1_000_000 + b"\r\n\r\n"
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n"
BAD_CHUNK = [steps.sleep(0.05), steps.send(b"zz\r\n{}\r\n"), steps.wait(NEVER)]

EITHER_WAY = (
    # What goes wrong before the body, or instead of it, is the same for a stream and a whole answer.
    Fault("F-8 closes without a byte", [steps.fin()], 502, GONE, calls=2),
    Fault("F-8 resets without a byte", [steps.rst()], 502, GONE, calls=2),
    Fault(
        "F-10 resets in its headers", [steps.send(b"HTTP/1.1 200 OK\r\nx-a"), steps.rst()], 502, GONE, calls=2
    ),
    Fault("F-10 closes in its headers", raw(b"HTTP/1.1 200 OK\r\nx-a"), 502, GONE, calls=2),
    Fault("F-12 sends 5,000 headers", raw(MANY_HEADERS), 502, BAD),
    Fault("F-12 sends a header of 1 MB", raw(LONG_HEADER), 502, BAD),
    Fault("F-13 speaks another protocol", raw(GARBAGE), 502, BAD),
    Fault("F-13 speaks HTTP/0.9", raw(HTML.encode()), 502, BAD),
    Fault("F-14 sends interim replies for ever", [steps.repeat([steps.send(EARLY_HINTS)])], 502, BAD),
    Fault("F-17 frames its body in two ways", raw(TWO_FRAMINGS), 502, BAD),
    Fault("F-35 sends an error with status 200", steps.json(ERROR, fields=replies.HEADERS), 502, BAD),
    Fault("F-37 sends a page with status 200", page(200), 502, BAD),
    Fault("F-37 sends nothing with status 200", page(200, "", JSON), 502, BAD),
    Fault("F-37 sends status 204", [steps.send(b"HTTP/1.1 204 No Content\r\n\r\n")], 502, BAD),
    Fault("F-38 sends a page with status 502", page(502), 502, TROUBLE),
    Fault("F-38 sends a page with status 503", page(503), 503, TROUBLE),
    Fault("F-39 refuses our key", replies.error(401, "Bad key.", code="invalid_api_key"), 503, GONE),
    Fault("F-39 wants to be paid", replies.error(402, "Payment required."), 503, GONE),
    Fault("F-39 forbids", page(403), 503, GONE),
    Fault("F-39 has no quota left", replies.error(429, "Quota.", code="insufficient_quota"), 503, GONE),
    Fault("F-42 sends status 500", replies.error(500), 500, TROUBLE),
    Fault("F-42 sends status 502", replies.error(502), 502, TROUBLE),
    Fault("F-42 sends status 503", replies.error(503), 503, TROUBLE),
    Fault("F-42 sends status 504", replies.error(504), 504, TIME),
    Fault("F-42 sends status 529", replies.error(529), 503, TROUBLE),
    Fault("F-44 compresses", page(200, "x", JSON | {"content-encoding": "br"}), 502, BAD),
    Fault(
        "F-44 sends a bomb",
        [
            steps.headers(200, JSON | {"content-encoding": "gzip", "transfer-encoding": "chunked"}),
            steps.body(gzip.compress(bytes(20_000_000))),
        ],
        502,
        BAD,
    ),
)

WHOLE = (
    Fault(
        "F-15 breaks off",
        [steps.headers(200, JSON | {"content-length": "5000"}), steps.body(b'{"id":'), steps.fin()],
        502,
        BAD,
    ),
    Fault(
        "F-18 resets",
        [
            steps.headers(200, JSON | {"content-length": "5000"}),
            steps.body(b'{"id":'),
            steps.sleep(0.05),
            steps.rst(),
        ],
        502,
        BAD,
    ),
    Fault(
        "F-18 breaks its chunks",
        [steps.headers(200, JSON | {"transfer-encoding": "chunked"}), *BAD_CHUNK],
        502,
        BAD,
    ),
    Fault("F-27 sends half an object", page(200, json.dumps(REPLY)[:-20], JSON), 502, BAD),
    Fault("F-28 sends NaN", page(200, json.dumps(REPLY | {"created": float("nan")}), JSON), 502, BAD),
    Fault("F-28 nests too deep", page(200, '{"choices":' + "[" * 100_000, JSON), 502, BAD),
    Fault("F-35 sends an error beside choices", steps.json(REPLY | ERROR), 502, BAD),
    Fault("F-37 streams though it was not asked to", replies.stream_reply(include_usage=True), 502, BAD),
    Fault("F-46 has no message", steps.json(REPLY | {"choices": [{"index": 0}]}), 502, BAD),
    Fault(
        "F-29 never ends",
        [
            steps.headers(200, JSON | {"transfer-encoding": "chunked"}),
            steps.repeat([steps.body(b" " * 60_000)]),
        ],
        502,
        BAD,
    ),
)

UNSTARTED = (
    # Streams that end before any content: another upstream may still answer.
    Fault(
        "F-15 breaks off in its first event",
        streamed(end=[steps.body(b'data: {"id'), steps.fin()]),
        502,
        "upstream_truncated",
    ),
    Fault(
        "F-18 resets after the role",
        streamed(ROLE, end=[steps.sleep(0.05), steps.rst()]),
        502,
        "upstream_truncated",
    ),
    Fault("F-19 ends without an event", streamed(), 502, "upstream_truncated"),
    Fault("F-19 ends with the end marker alone", streamed("[DONE]"), 502, "upstream_truncated"),
    Fault("F-27 sends half an object first", streamed('{"id":"chatcm', ROLE), 502, BAD),
    Fault("F-35 sends an error as its first event", streamed(ERROR), 502, TROUBLE),
    Fault(
        "F-36 sends an error after the role, in one piece",
        [
            steps.headers(200, STREAM),
            steps.body(steps.event(ROLE) + steps.event(ERROR)),
        ],
        502,
        TROUBLE,
    ),
    Fault("F-37 sends no stream", replies.plain_reply(), 502, BAD),
    Fault("F-37 sends a page as its first event", streamed(HTML), 502, BAD),
    Fault(
        "F-18 breaks its chunks",
        [steps.headers(200, STREAM), *BAD_CHUNK],
        502,
        "upstream_truncated",
    ),
)


class Break(msgspec.Struct, frozen=True):
    """How a stream that has delivered goes wrong, and the code of the event that says so."""

    name: str
    end: Script
    code: str


NAN = json.dumps(WORD | {"created": float("nan")})
BREAKS = (
    Break(
        "F-15 closes in mid-event", [steps.body(b'data: {"id":"chatcmpl'), steps.fin()], "upstream_truncated"
    ),
    Break("F-18 resets", [steps.sleep(0.05), steps.rst()], "upstream_truncated"),
    Break("F-18 breaks its chunks", BAD_CHUNK, "upstream_truncated"),
    Break("F-19 ends without finish_reason", [], "upstream_truncated"),
    Break("F-19 sends the end marker without finish_reason", [steps.done()], "upstream_truncated"),
    Break(
        "F-25 sends what is no UTF-8", steps.sse([json.dumps(WORD).encode().replace(b"Hel", b"\xff")]), BAD
    ),
    Break(
        "F-25 hides what is no UTF-8", steps.sse([json.dumps(WORD).encode().replace(b"Xq3vB9", b"\xff")]), BAD
    ),
    Break("F-27 sends half an object", steps.sse([json.dumps(WORD)[:-9], FINISH, USAGE, "[DONE]"]), BAD),
    Break("F-28 sends NaN", steps.sse([NAN, FINISH, "[DONE]"]), BAD),
    Break("F-28 nests too deep", steps.sse(['{"choices":' + "[" * 100_000, FINISH, "[DONE]"]), BAD),
    Break("F-36 sends an error", steps.sse([ERROR, FINISH, "[DONE]"]), TROUBLE),
    Break("F-37 sends a page", steps.sse([HTML, FINISH, "[DONE]"]), BAD),
)


def names(faults: tuple[Fault | Break, ...]) -> Iterator[str]:
    return (fault.name for fault in faults)
