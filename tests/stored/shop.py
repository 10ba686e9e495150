"""A server with two customers, before an upstream that speaks Responses alone and is as strict as OpenAI."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

from fakes import http, steps
from fakes.received import Request
from fakes.responses_replies import polite_answer
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream

_ID = re.compile(rb"((?:resp|msg|rs|fc)_[0-9a-f]{40})[0-9a-f]{8}")
_numbers = itertools.count(1)
MODELS, CHAT_MODEL = ("gpt-5.5", "gpt-5.4"), "gpt-5.2"
USER = {"type": "message", "role": "user", "content": "Hi"}


class Shop:
    """The server, its upstream, and what customers do there."""

    def __init__(self, gateway: Gateway, upstream: ScriptedUpstream, chat: ScriptedUpstream) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.chat = chat  # another, that speaks Chat alone
        self.ada, self.bob = (self._customer(name) for name in ("ada", "bob"))

    def _customer(self, name: str) -> str:
        self.gateway.perform("accounts.create", name=name)
        self.gateway.perform("accounts.credit", name=name, usd="1000")
        return self.gateway.new_key(account=name, mode="live")

    def ask(self, key: str, path: str = "/v1/responses", **fields: object) -> http.Response:
        body = {"model": "gpt-5.5", "input": "Hi"} | fields
        return http.post(self.gateway.url, body, key=key, path=path)

    def answer(self, key: str, **fields: object) -> dict[str, object]:
        """A whole answer, which must come."""
        asked = self.ask(key, **fields)
        assert asked.status == 200, asked.body
        return json.loads(asked.body)

    def streamed(self, key: str, **fields: object) -> dict[str, object]:
        """The response object at the end of a streamed answer, which must come."""
        asked = self.ask(key, stream=True, **fields)
        assert asked.status == 200, asked.body
        last = json.loads(asked.body.split(b"data: ")[-1])
        assert last["type"] == "response.completed"
        return last["response"]

    def call(self, method: str, path: str, key: str) -> http.Response:
        return http.request(self.gateway.url, method, f"/v1/responses/{path}", key=key)

    def sent_upstream(self) -> dict[str, object]:
        """The body of the newest request upstream."""
        return json.loads(self.upstream.calls[-1].body)


def numbered(script: steps.Script) -> steps.Script:
    """The same script with ids of its own, as every answer of OpenAI's has."""
    number = b"%08x" % next(_numbers)

    def change(step: object) -> object:
        match step:
            case steps.Answer(write):
                return steps.Answer(lambda request: [change(inner) for inner in write(request)])
            case steps.Body(data):
                return steps.Body(_ID.sub(rb"\g<1>" + number, data))
            case list():
                return [change(inner) for inner in step]
            case _:
                return step

    return [change(step) for step in script]


def _answer(request: Request) -> steps.Script:
    return numbered(polite_answer(request))


def open_shop(folder: Path) -> Iterator[Shop]:
    gateway = Gateway(folder).start()
    try:
        with ScriptedUpstream(_answer, strict=True, serves=("/responses",)) as upstream:
            upstream.api_key = gateway.add_upstream(
                "first", upstream.base_url, MODELS, dialects=["openai_responses"]
            )
            with ScriptedUpstream(serves=("/chat/completions",)) as chat:
                chat.api_key = gateway.add_upstream("chat", chat.base_url, [CHAT_MODEL])
                yield Shop(gateway, upstream, chat)
    finally:
        gateway.stop()
    gateway.assert_clean_log()
