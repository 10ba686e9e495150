"""A gateway whose upstreams each speak one dialect, and customers who ask it in any."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dialects import anthropic_judge
from dialects.chunks import put_chunks_together
from fakes import anthropic_stream, http, specification
from fakes.responses_stream import check_stream, read_events
from fakes.upstream import ScriptedUpstream
from money.shop import RICH_NANO, Answer, Customer, Shop

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
SPOKEN = {CHAT: "openai_chat", RESPONSES: "openai_responses", MESSAGES: "anthropic"}
GPTS = ("gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano", "gpt-5.2", "gpt-5.3-codex")
CLAUDE = "claude-sonnet-4-5"
OWN = (CLAUDE, "everywhere")
HELLO: Mapping[str, Mapping[str, object]] = {
    CHAT: {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Say hello."}]},
    RESPONSES: {"model": "gpt-5.5", "input": "Say hello."},
    MESSAGES: {
        "model": "gpt-5.5",
        "max_tokens": 1_000,
        "messages": [{"role": "user", "content": "Say hello."}],
    },
}
RATES = {"gpt-5.5": (2_500, 15_000), "gpt-5.3-codex": (875, 7_000), CLAUDE: (2_400, 12_000)}
"""What a token of input and one of output cost a customer, in nano-dollars."""
COST_NANO = 19 * 2_500 + 10 * 15_000  # of 19 input and 10 output tokens of gpt-5.5


class Heard(Answer, frozen=True, kw_only=True):
    """An answer of any endpoint as its client received it, whole or streamed."""

    path: str

    @property
    def payloads(self) -> list[bytes]:
        """The data of each event."""
        blocks = self.body.split(b"\n\n")[:-1]
        return [block.split(b"data: ", 1)[1] for block in blocks if b"data: " in block]

    @property
    def events(self) -> list[Any]:
        """The events, read as their dialect writes them."""
        if self.path == RESPONSES:
            return read_events(self.body)
        if self.path == MESSAGES:
            return anthropic_stream.read_events(self.body)
        return [json.loads(payload) for payload in self.payloads if payload != b"[DONE]"]

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def is_whole(self) -> bool:
        """Whether all of it came: a stream says so itself."""
        if self.status != 200 or not self.is_stream:
            return self.status == 200
        if self.path == MESSAGES:
            return self.kinds[-1] == "message_stop"
        if self.path == RESPONSES:
            return self.kinds[-1] in ("response.completed", "response.incomplete")
        return self.payloads[-1] == b"[DONE]"

    @property
    def object(self) -> Any:
        """The whole answer, put together from a stream as a client does it."""
        if not self.is_stream:
            return self.json
        match self.path:
            case "/v1/responses":
                return check_stream(self.events)
            case "/v1/messages":
                return anthropic_stream.put_together(self.events)
            case _:
                return put_chunks_together(self.events)

    @property
    def text(self) -> str:
        """What the model said, in any dialect."""
        match self.path:
            case "/v1/responses":
                return "".join(
                    part["text"]
                    for item in self.object["output"]
                    if item["type"] == "message"
                    for part in item["content"]
                    if "text" in part
                )
            case "/v1/messages":
                return "".join(block["text"] for block in self.object["content"] if block["type"] == "text")
            case _:
                return self.object["choices"][0]["message"].get("content") or ""

    @property
    def cost_nano(self) -> int:
        """What the answer itself says that it cost."""
        return round(self.object["usage"]["cost"] * 10**9)


class Resident(Customer):
    """One account and one key of it, at every endpoint."""

    shop: "Town"

    def knock(
        self, path: str, body: object = None, *, headers: Mapping[str, str] | None = None, **fields: object
    ) -> http.Connection:
        """Send a request and leave the reading to the test; without a body HELLO, changed by `fields`."""
        plain = path.partition("?")[0].replace("/v1/v1/", "/v1/")
        asked = body if body is not None else HELLO[plain]
        data = asked if isinstance(asked, bytes) else json.dumps({**asked, **fields}).encode()  # type: ignore[dict-item]
        return self.send(path, data, headers)

    def hear(
        self, path: str, body: object = None, *, headers: Mapping[str, str] | None = None, **fields: object
    ) -> Heard:
        """Send a request and read the answer to its end."""
        with self.knock(path, body, headers=headers, **fields) as connection:
            return self.listen(connection, path)

    def listen(self, connection: http.Connection, path: str) -> Heard:
        """Read an answer to its end; whatever it is, it has the form that its endpoint promises."""
        head = connection.read_head()
        plain = path.partition("?")[0].replace("/v1/v1/", "/v1/")
        heard = Heard(head.status, head.headers, b"".join(connection.pieces()), path=plain)
        self.shop.judge(heard)
        return heard

    @property
    def row(self) -> Any:
        """The account's one request."""
        [row] = self.rows
        return row

    @property
    def spent_nano(self) -> int:
        """What is gone of the money that it began with; nothing is set aside any more."""
        posted, held = self.balance
        assert held == 0
        return RICH_NANO - posted


class Town(Shop):
    """One gateway as its operator sees it."""

    def customer(self, nano: int = RICH_NANO, *, mode: str = "live", **policies: str) -> Resident:
        made = super().customer(nano, mode=mode, **policies)
        return Resident(self, made.account, made.key, made.mode)

    def serve_as(
        self,
        upstream: ScriptedUpstream,
        name: str,
        speaks: Sequence[str],
        models: Sequence[str] = GPTS,
        **more: Any,
    ) -> None:
        """Put an upstream that speaks these dialects behind the live keys."""
        self.serve(upstream, name, models, dialects=[SPOKEN[path] for path in speaks], **more)

    def serving_as(
        self, upstream: ScriptedUpstream, name: str, speaks: Sequence[str], models: Sequence[str]
    ) -> Iterator[ScriptedUpstream]:
        """Put a fresh one behind the live keys for one test, in which it must do all that it was told."""
        yield from self.serving(upstream, name, models, dialects=[SPOKEN[path] for path in speaks])

    def judge(self, heard: Heard) -> None:
        """Hold an answer against what its endpoint promises."""
        self.check_head(heard)
        if heard.path == MESSAGES:
            assert heard.headers["request-id"] == heard.id
        if heard.status != 200:
            assert heard.headers["content-type"] == "application/json"
            judge_error(heard.path, heard.json)
        elif heard.is_stream:
            judge_stream(heard)
        else:
            judge_answer(heard.path, heard.json)


def judge_error(path: str, body: Any) -> None:
    if path.startswith(MESSAGES):
        anthropic_judge.check_error(body)
    else:
        specification.check_error(body)
        assert set(body["error"]) == {"message", "type", "param", "code"}


def judge_answer(path: str, answer: Any) -> None:
    match path:
        case "/v1/chat/completions":
            specification.check_reply(answer)
        case "/v1/responses":
            specification.check_response(answer)
        case "/v1/messages":
            anthropic_judge.check_message(answer)
        case "/v1/embeddings":
            specification.check_embeddings(answer)
        case "/v1/completions":
            specification.check_completion(answer)
        case "/v1/moderations":
            specification.check_moderation(answer)


def judge_stream(heard: Heard) -> None:
    assert heard.headers["content-type"] == "text/event-stream; charset=utf-8"
    for event in heard.events:
        match heard.path:
            case "/v1/responses":
                specification.check_response_event(event)
            case "/v1/messages":
                anthropic_judge.check_event(event)
            case "/v1/completions":
                if "error" not in event:
                    specification.check_completion_chunk(event)
            case _ if "error" in event:
                assert event is heard.events[-1] or event == heard.events[-1]
                judge_error(heard.path, event)
            case _:
                specification.check_chunk(event)
