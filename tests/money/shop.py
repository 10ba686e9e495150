"""A gateway and its paying customers: each test has an account of its own, so that its books and rows are its alone."""

import itertools
import json
import re
import select
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from fakes import http, specification
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from runapi.core.money import usd

MODEL = "gpt-5.5"
MODELS = (MODEL, "gpt-5.4-mini")
MESSAGES = [{"role": "user", "content": "Say hello."}]
HELLO = {"model": MODEL, "messages": MESSAGES}
INPUT_NANO, OUTPUT_NANO = 2_500, 15_000  # what a token of gpt-5.5 costs a customer
LEAST_OUTPUT = 16  # tokens: who cannot pay for these gets no answer
AROUND = 64  # tokens that an upstream may write around the messages
BOUND = len(json.dumps(MESSAGES)) + AROUND  # the most input tokens that HELLO can have
COST_NANO = 19 * INPUT_NANO + 10 * OUTPUT_NANO  # of `fakes.replies.USAGE`
RICH_NANO = 10_000_000_000
REQUEST_ID = re.compile(r"req_[0-9a-f]{32}")
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
_numbers = itertools.count(1)


def hold_nano(output_tokens: int, *, choices: int = 1) -> int:
    """What is set aside for HELLO and so many tokens of output."""
    return BOUND * INPUT_NANO + output_tokens * choices * OUTPUT_NANO


class Answer(msgspec.Struct, frozen=True):
    """A response as its client received it, whole or streamed."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]

    @property
    def id(self) -> str:
        return self.headers["x-request-id"]

    @property
    def is_stream(self) -> bool:
        return self.headers["content-type"].startswith("text/event-stream")

    @property
    def payloads(self) -> list[bytes]:
        """The payload of each event."""
        return [event.removeprefix(b"data: ") for event in self.body.split(b"\n\n")[:-1]]

    @property
    def is_whole(self) -> bool:
        """Whether all of it came: a stream says so itself."""
        return self.status == 200 and (not self.is_stream or self.payloads[-1] == b"[DONE]")

    @property
    def last_error(self) -> Any:
        """What the last event of a stream that broke off says."""
        return json.loads(self.payloads[-1])["error"]

    @property
    def cost(self) -> object:
        """What the answer says that it cost, in USD."""
        if not self.is_stream:
            return self.json["usage"]["cost"]
        [cost] = [
            chunk["usage"]["cost"] for chunk in map(json.loads, self.payloads[:-1]) if chunk.get("usage")
        ]
        return cost


def wait_for_answers(connections: Sequence[http.Connection], count: int, timeout_s: float = 20) -> None:
    """Wait until so many of these have something to read."""
    deadline = time.monotonic() + timeout_s
    sockets = [connection.socket for connection in connections]
    while len(select.select(sockets, [], [], 1)[0]) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Customer:
    """One account and one key of it."""

    def __init__(self, shop: "Shop", account: str, key: str, mode: str) -> None:
        self.shop = shop
        self.account = account
        self.key = key
        self.mode = mode

    # ---- as a program ------------------------------------------------------------------------------------

    def open(
        self,
        body: Mapping[str, object] | bytes = HELLO,
        *,
        headers: Mapping[str, str] | None = None,
        **fields: object,
    ) -> http.Connection:
        """Send a request and leave the reading to the test."""
        data = body if isinstance(body, bytes) else json.dumps({**body, **fields}).encode()
        return self.send("/v1/chat/completions", data, headers)

    def send(self, path: str, body: bytes, headers: Mapping[str, str] | None) -> http.Connection:
        """Send any bytes with the key, and leave the reading to the test."""
        connection = http.Connection(self.shop.gateway.url)
        sent = {"authorization": f"Bearer {self.key}", **(headers or {})}
        connection.send_request("POST", path, body=body, headers=sent)
        return connection

    def ask(
        self,
        body: Mapping[str, object] | bytes = HELLO,
        *,
        headers: Mapping[str, str] | None = None,
        **fields: object,
    ) -> Answer:
        """Send a request and read the answer to its end; a refusal must be as every refusal is."""
        with self.open(body, headers=headers, **fields) as connection:
            return self.read(connection)

    def read(self, connection: http.Connection) -> Answer:
        head = connection.read_head()
        answer = Answer(head.status, head.headers, b"".join(connection.pieces()))
        self.shop.check(answer)
        return answer

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        got = http.request(self.shop.gateway.url, "GET", path, key=self.key, headers=headers)
        answer = Answer(got.status, got.headers, got.body)
        self.shop.check(answer)
        return answer

    def post(self, path: str, body: object) -> Answer:
        got = http.request(self.shop.gateway.url, "POST", path, key=self.key, json=body)
        answer = Answer(got.status, got.headers, got.body)
        self.shop.check(answer)
        return answer

    @property
    def balance(self) -> tuple[int, int]:
        """What the account has and what is set aside of it, as it is told to its programs."""
        told = self.get("/v1/me/balance").json
        assert int(told["available_nano"]) == int(told["posted_nano"]) - int(told["held_nano"]) >= 0
        return int(told["posted_nano"]), int(told["held_nano"])

    # ---- as the operator ---------------------------------------------------------------------------------

    def credit(self, nano: int, mode: str | None = None) -> None:
        self.shop.command("accounts.credit", name=self.account, usd=usd(nano), mode=mode or self.mode)

    def limit(self, **limits: object) -> Any:
        return self.shop.command("keys.limit", key=self.key, **limits)

    def colleague(self, mode: str = "live", **policies: str) -> "Customer":
        """Somebody else with a key of the same account."""
        key = self.shop.gateway.new_key(account=self.account, mode=mode, **policies)
        return Customer(self.shop, self.account, key, mode)

    @property
    def rows(self) -> Any:
        """The account's requests, oldest first."""
        return self.shop.command("requests.list", account=self.account, limit=1000)[::-1]

    def explain(self, request_id: str) -> Any:
        """Every nano-dollar of a request of this customer's."""
        told = self.get(f"/v1/requests/{request_id}")
        assert told.status == 200, told.body
        return told.json

    def transfers(self, request_id: str) -> list[tuple[str, int]]:
        """The kinds and amounts of what a request left in the ledger."""
        return [(one["kind"], int(one["amount_nano"])) for one in self.explain(request_id)["transfers"]]


class Shop:
    """One gateway as its operator sees it."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def command(self, verb: str, /, **parameters: object) -> Any:
        """Carry out an operator's command through the running server."""
        return self.gateway.perform(verb, **parameters)

    def customer(self, nano: int = RICH_NANO, *, mode: str = "live", **policies: str) -> Customer:
        """Open an account with so much money, and make a key of it."""
        account = f"customer-{next(_numbers)}"
        self.command("accounts.create", name=account)
        key = self.gateway.new_key(account=account, mode=mode, **policies)
        customer = Customer(self, account, key, mode)
        if nano:
            customer.credit(nano)
        return customer

    def serve(
        self,
        upstream: ScriptedUpstream,
        name: str = "scripted",
        models: Sequence[str] = MODELS,
        **more: Any,
    ) -> None:
        """Put an upstream behind the live keys."""
        upstream.api_key = self.gateway.add_upstream(name, upstream.base_url, models, **more)

    def serve_again(self, upstream: ScriptedUpstream, name: str = "scripted") -> None:
        """Let the gateway forget what the upstream did wrong."""
        self.command("upstreams.remove", name=name)
        self.serve(upstream, name)

    def serving(
        self,
        upstream: ScriptedUpstream,
        name: str = "scripted",
        models: Sequence[str] = MODELS,
        **more: Any,
    ) -> Iterator[ScriptedUpstream]:
        """Put a fresh upstream behind the live keys for one test, in which it must do all that it was told."""
        upstream.reset()
        self.serve(upstream, name, models, **more)
        yield upstream
        self.command("upstreams.remove", name=name)
        upstream.assert_done()

    def check(self, answer: Answer) -> None:
        """Hold an answer against what all answers have in common."""
        self.check_head(answer)
        if answer.status != 200:
            assert answer.headers["content-type"] == "application/json"
            specification.check_error(answer.json)
            assert set(answer.error) == {"message", "type", "param", "code"}
        elif answer.is_stream and not answer.is_whole:
            specification.check_error(json.loads(answer.payloads[-1]))

    def check_head(self, answer: Answer) -> None:
        """It has an id, and nothing in it is a secret."""
        assert REQUEST_ID.fullmatch(answer.id)
        assert answer.headers["x-runapi-request-id"] == answer.id
        shown = repr(answer.headers) + answer.body.decode()
        leaked = [secret for secret in self.gateway.secrets if secret in shown]
        assert not leaked, f"{leaked} stand in {shown}"

    def verify(self) -> None:
        """The books are right."""
        verdict = self.command("ledger.verify")
        assert verdict["ok"], verdict["faults"]

    def books(self, kind: str, mode: str = "live") -> int:
        """What the house's accounts of one kind have."""
        [books] = [one for one in self.command("ledger.accounts") if one["mode"] == mode]
        return sum(int(one["posted_nano"]) for one in books["kinds"] if one["kind"] == kind)
