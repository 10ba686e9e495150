"""A request leaves nothing behind in the server's memory, however it ends."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from fakes import http, replies, steps
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from relay.calls import Caller

LONG = " word" * 80_000  # 400 KB
ASKED = 100
MOST_GROWN_KB = 16_000  # of the 40,000 that were sent
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
HELLO = [{"role": "user", "content": "Say hello."}]
ASK: Mapping[str, Mapping[str, object]] = {
    CHAT: {"messages": HELLO, "prediction": {"type": "content", "content": LONG}},
    RESPONSES: {"input": HELLO, "instructions": LONG, "store": False},
    MESSAGES: {"messages": HELLO, "system": LONG, "max_tokens": 100},
}


class House:
    """A gateway with one upstream, and a customer with two keys."""

    def __init__(self, gateway: Gateway, upstream: ScriptedUpstream) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.caller = Caller(gateway)
        dialects = ["openai_chat", "openai_responses"]
        self.caller.add_upstream("only", upstream.base_url, "sk-x", ("gpt-5.5",), dialects=dialects)

    def open(self, path: str, body: object, **more: str) -> http.Connection:
        connection = http.Connection(self.gateway.url)
        headers = {"authorization": f"Bearer {self.caller.key(on_disconnect='cancel')}", **more}
        connection.send_request("POST", path, body=json.dumps(body).encode(), headers=headers)
        return connection

    def ask(self, path: str, body: object, **more: str) -> int:
        """The status of an answer that was read to its end."""
        with self.open(path, body, **more) as connection:
            return connection.read_response().status

    def poor_key(self) -> str:
        """A key of an account that has nothing."""
        self.caller.command("accounts.create", name="poor")
        made = self.caller.command("keys.create", account="poor", mode="live")
        self.gateway.secrets.append(made["key"])
        return str(made["key"])

    def growth_kb(self, ask_once: Callable[[], None]) -> int:
        """What the server's memory grows by, once it is warm, while it is asked so again and again."""
        for _ in range(ASKED // 4):
            ask_once()
        self.upstream.reset()
        before = self._rss_kb()
        for _ in range(ASKED):
            ask_once()
        self.upstream.reset()
        return self._rss_kb() - before

    def _rss_kb(self) -> int:
        status = Path(f"/proc/{self.gateway.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with ScriptedUpstream() as upstream:
        gateway = Gateway(tmp_path_factory.mktemp("memory"), log_level="warning").start()
        yield House(gateway, upstream)
        gateway.stop()
        gateway.assert_clean_log()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", ASK)
def test_answered_request_leaves_no_memory_behind(house: House, path: str, *, stream: bool):
    body = {"model": "gpt-5.5", "stream": stream, **ASK[path]}

    def ask_once() -> None:
        assert house.ask(path, body) == 200

    assert house.growth_kb(ask_once) < MOST_GROWN_KB


@pytest.mark.parametrize("path", ASK)
def test_refused_request_leaves_no_memory_behind(house: House, path: str):
    body = {"model": "gpt-0", **ASK[path]}

    def ask_once() -> None:
        assert house.ask(path, body) == 404

    assert house.growth_kb(ask_once) < MOST_GROWN_KB


def test_request_that_is_refused_again_and_again_leaves_no_memory_behind(house: House):
    body, key = {"model": "gpt-5.5", **ASK[CHAT]}, house.poor_key()

    def ask_once() -> None:
        assert house.ask(CHAT, body, authorization=f"Bearer {key}") == 402

    assert house.growth_kb(ask_once) < MOST_GROWN_KB


def test_answer_under_an_idempotency_key_leaves_no_memory_behind(house: House):
    body = {"model": "gpt-5.5", **ASK[CHAT]}

    def ask_once() -> None:
        assert house.ask(CHAT, body, **{"idempotency-key": secrets.token_hex(8)}) == 200

    assert house.growth_kb(ask_once) < MOST_GROWN_KB


def test_request_whose_upstream_fails_leaves_no_memory_behind(house: House):
    body = {"model": "gpt-5.5", **ASK[CHAT]}

    def ask_once() -> None:
        house.upstream.then(replies.error(400, "No."))
        assert house.ask(CHAT, body) == 400

    assert house.growth_kb(ask_once) < MOST_GROWN_KB


def test_request_whose_client_has_left_leaves_no_memory_behind(house: House):
    body = {"model": "gpt-5.5", "stream": True, **ASK[CHAT]}
    silence = [steps.headers(200, steps.EVENT_STREAM), steps.sse([replies.chunk({"content": "Hel"})])]

    def ask_once() -> None:
        house.upstream.then([*silence, steps.sleep(0.2)])
        with house.open(CHAT, body) as connection:
            connection.read_head()

    assert house.growth_kb(ask_once) < MOST_GROWN_KB
