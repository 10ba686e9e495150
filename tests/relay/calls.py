"""Ask the gateway as a client does. Whatever it sends is held against the specification, and searched for secrets."""

import json
import time
from collections.abc import Iterator, Mapping

import msgspec

from fakes import http, replies, specification
from fakes.server import Gateway

HELLO = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Say hello."}]}
WRITTEN_AFTER_S = 0.055  # rows are written together, this long after the first of them
LEAKS = (replies.COOKIE_CANARY, replies.ORGANISATION_CANARY, "cloudflare", "<html", "<!doctype")
HEADERS = {
    "content-type",
    "content-length",
    "transfer-encoding",
    "date",
    "server",
    "x-request-id",
    "x-should-retry",
    "x-runapi-dropped",
    "x-runapi-request-id",
    "x-runapi-cost",
    "openai-processing-ms",
    "openai-version",
    "retry-after",
    "cache-control",
    "x-accel-buffering",
    "connection",
}
"""All that a client may see, whatever an upstream sends."""


class Whole(msgspec.Struct, frozen=True):
    """A whole answer, or a refusal."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def error(self) -> dict:
        return self.json["error"]

    @property
    def id(self) -> str:
        return self.headers["x-request-id"]

    @property
    def text(self) -> str:
        return self.json["choices"][0]["message"]["content"]


class Streamed(msgspec.Struct, frozen=True):
    """A stream as it was received: the payload of each event."""

    headers: Mapping[str, str]
    payloads: tuple[bytes, ...]

    @property
    def id(self) -> str:
        return self.headers["x-request-id"]

    @property
    def done(self) -> bool:
        """Whether the end marker came, which must then be the end."""
        assert b"[DONE]" not in self.payloads[:-1]
        return self.payloads[-1:] == (b"[DONE]",)

    @property
    def objects(self) -> list[dict]:
        return [json.loads(payload) for payload in self.payloads if payload != b"[DONE]"]

    @property
    def chunks(self) -> list[dict]:
        return [found for found in self.objects if "error" not in found]

    @property
    def error(self) -> dict | None:
        """The error event, which must be the last of all."""
        errors = [found["error"] for found in self.objects if "error" in found]
        assert len(errors) <= 1
        assert not errors or "error" in json.loads(self.payloads[-1])
        return errors[0] if errors else None

    @property
    def heartbeats(self) -> list[dict]:
        beat = {"index": 0, "delta": {}, "finish_reason": None}
        return [chunk for chunk in self.chunks if chunk.get("choices") == [beat] and not chunk.get("usage")]

    def deltas(self, name: str, index: int = 0) -> list[object]:
        """The values of one field of the deltas of one choice."""
        choices = [
            choice
            for chunk in self.chunks
            for choice in chunk.get("choices") or ()
            if choice["index"] == index
        ]
        return [choice["delta"][name] for choice in choices if name in (choice["delta"] or ())]

    @property
    def text(self) -> str:
        return "".join(str(part) for part in self.deltas("content") if part is not None)

    @property
    def finish_reasons(self) -> list[str]:
        found = [choice["finish_reason"] for chunk in self.chunks for choice in chunk.get("choices") or ()]
        return [reason for reason in found if reason]

    @property
    def usages(self) -> list[dict]:
        return [chunk["usage"] for chunk in self.chunks if chunk.get("usage")]


class Caller:
    """One gateway as its clients and its operator see it."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.never: list[str] = list(LEAKS)  # what no client may read
        self._keys: dict[tuple[str, ...], str] = {}
        self._owed = 0  # rows of requests that no test has asked for yet
        self._mark = ""  # the newest request that is not counted; ids grow with time
        self._known: set[str] = set()  # those that some test has asked for
        self._taken = 0  # ... since the mark

    # ---- as a client -------------------------------------------------------------------------------------

    def post(self, body: object, *, key: str | None = None, valid: bool = True) -> Whole:
        """Post a request, whose answer is a whole one; `valid=False` where an upstream's oddness is passed on."""
        with self.open(body, key=key) as connection:
            got = connection.read_response()
        self.check_head(got)
        self.check_bytes(got.body)
        if got.status != 200:
            specification.check_error(json.loads(got.body))
        elif valid:
            specification.check_reply(json.loads(got.body))
        return Whole(got.status, got.headers, got.body)

    def stream(
        self, body: Mapping[str, object], *, key: str | None = None, valid: bool = True
    ) -> Streamed | Whole:
        """Post a request for a stream and read it to its end; where it is refused, the answer is whole."""
        with self.open({**body, "stream": True}, key=key) as connection:
            return self.read(connection, valid=valid)

    def open(self, body: object, *, key: str | None = None) -> http.Connection:
        """Send a request and leave the reading to the test."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.Connection(self.gateway.url)
        headers = {"authorization": f"Bearer {key or self.key()}"}
        self._owed += 1
        connection.send_request("POST", "/v1/chat/completions", body=data, headers=headers)
        return connection

    def read(self, connection: http.Connection, *, valid: bool = True) -> Streamed | Whole:
        head = connection.read_head()
        self.check_head(head)
        if head.status != 200:
            body = b"".join(connection.pieces())
            self.check_bytes(body)
            specification.check_error(json.loads(body))
            return Whole(head.status, head.headers, body)
        assert head.headers["content-type"] == "text/event-stream; charset=utf-8"
        received = list(connection.data())  # at once: who judges what is long in between is a slow reader
        return Streamed(head.headers, tuple(self.check_event(data, valid=valid) for data in received))

    def check_event(self, data: bytes, *, valid: bool = True) -> bytes:
        self.check_bytes(data)
        if data == b"[DONE]":
            return data
        found = json.loads(data)
        if "error" in found:
            specification.check_error(found)
        elif valid:
            specification.check_chunk(found)
        return data

    def check_head(self, head: http.Response) -> None:
        assert set(head.headers) <= HEADERS
        self.check_bytes(repr(head.fields).encode())

    def check_bytes(self, data: bytes) -> None:
        text = data.decode().lower()  # all of it is UTF-8
        leaked = [leak for leak in (*self.never, *self.gateway.secrets) if leak.lower() in text]
        assert not leaked, f"{leaked} in {text}"

    # ---- as the operator ---------------------------------------------------------------------------------

    def key(
        self, *, mode: str = "live", on_disconnect: str = "drain", on_refused_parameter: str = "drop"
    ) -> str:
        """A key of this kind, the same one at each call."""
        kind = (mode, on_disconnect, on_refused_parameter)
        if kind not in self._keys:
            account = "caller"
            if not self._keys:
                self.command("accounts.create", name=account)
                self.command("accounts.credit", name=account, usd="1000000")
            self._keys[kind] = self.gateway.new_key(
                account=account,
                mode=mode,
                on_disconnect=on_disconnect,
                on_refused_parameter=on_refused_parameter,
            )
        return self._keys[kind]

    def add_upstream(
        self, name: str, base_url: str, api_key: str, models: tuple[str, ...], **more: object
    ) -> None:
        self.gateway.add_upstream(name, base_url, models, api_key=api_key, **more)

    def remove_upstream(self, name: str) -> None:
        self.command("upstreams.remove", name=name)

    def command(self, verb: str, /, **parameters: object):
        """Carry out an operator's command through the running server."""
        return self.gateway.perform(verb, **parameters)

    # ---- the rows ----------------------------------------------------------------------------------------

    def rows(self, count: int = 1, timeout_s: float = 10) -> list[dict]:
        """The rows of the requests since this was asked last, oldest first: `count` of them, no more, no fewer."""
        deadline = time.monotonic() + timeout_s
        time.sleep(WRITTEN_AFTER_S * bool(count))
        while len(fresh := self._fresh(count + 5)) < count:
            assert time.monotonic() < deadline, f"{len(fresh)} of {count} rows within {timeout_s} s"
            time.sleep(0.01)
        assert len(fresh) == count, fresh
        self._known.update(row["id"] for row in fresh)
        self._taken += count
        self._owed -= count
        return fresh[::-1]

    def row(self, timeout_s: float = 10) -> dict:
        """The one row since rows were asked for last."""
        return self.rows(1, timeout_s)[0]

    def forget_rows(self) -> None:
        """Do not count what other tests asked for, be it that they failed before they saw their rows."""
        if self._owed > 0:
            time.sleep(0.2)
        self._owed = 0
        newest = self.command("requests.list", limit=1)
        self._mark, self._taken = max([row["id"] for row in newest], default=""), 0

    def _fresh(self, most: int) -> list[dict]:
        newest = self.command("requests.list", limit=most + self._taken)
        return [row for row in newest if row["id"] > self._mark and row["id"] not in self._known]


def skip_to(payloads: Iterator[bytes], mark: bytes) -> None:
    """Read the payloads of a stream up to the first that holds `mark`."""
    for data in payloads:
        if mark in data:
            return
    raise AssertionError(f"the stream ended without {mark!r}")


def has(row: Mapping[str, object], **expected: object) -> None:
    """The row says all this, whatever else it says."""
    got = {name: row[name] for name in expected}
    assert got == expected
