"""Requests as customers' programs send them, and everything that they were told in return."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import TracebackType
from typing import Self

import aiohttp
import msgspec

from prove.calculator import nano_of
from prove.provider import Plan

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
EMBEDDINGS, COMPLETIONS = "/v1/embeddings", "/v1/completions"
END = b"data: [DONE]\n\n"
_LAST_EVENTS = (b"event: response.completed\n", b"event: response.incomplete\n", b"event: message_stop\n")
PATIENCE_S = 120.0
"""After which a request counts as forgotten: never reached unless something is wrong."""

_LOOK_EVERY_S = 0.02
_COST = re.compile(rb'"cost": ?([0-9.eE+-]+)')


class Told(msgspec.Struct, kw_only=True):
    """What the sender of one request knows in the end."""

    plan: Plan
    key: str
    model: str = ""
    idempotency_key: str | None = None
    request_id: str | None = None
    status: int | None = None  # None: no answer came
    headers: Mapping[str, str] = {}
    body: bytes = b""
    is_whole: bool = False  # the answer's last byte came; of a stream, its end marker
    left: bool = False  # the client left by itself
    is_lost: bool = False  # nothing came for PATIENCE_S
    is_bad: bool = False  # the request is one that has to be refused

    @property
    def is_answer(self) -> bool:
        """Whether the client has a whole and good answer: what it was told, it has to pay, and nothing else."""
        return self.status == 200 and self.is_whole

    @property
    def is_replay(self) -> bool:
        return self.headers.get("idempotent-replayed") == "true"

    @property
    def cost(self) -> Fraction | None:
        """The nano-dollars of `usage.cost`, from the decimal that stands in the bytes; None where there is none."""
        found = _COST.findall(self.body)
        return nano_of(found[-1].decode()) if found else None

    @property
    def error(self) -> dict[str, str | None]:
        """The error that was told in place of an answer, or that ended a stream; empty where there is none."""
        last = self.body.rstrip(b"\n").rpartition(b"\n\n")[2].removeprefix(b"data: ")
        try:
            error = json.loads(last)["error"]
        except (ValueError, KeyError, TypeError):
            return {}
        return error if isinstance(error, dict) else {}


class Sender:
    """A customer's machine: sends requests to one gateway, each on a connection of its own. Use it in `async with`."""

    def __init__(self, url: str) -> None:
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._session = aiohttp.ClientSession(
            url, connector=connector, timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def send(
        self,
        told: Told,
        body: bytes,
        *,
        path: str = CHAT,
        headers: Mapping[str, str] | None = None,
        leave_after_s: float | None = None,
    ) -> Told:
        """Send a request, and note in `told` whatever comes; a client that leaves does so at any moment."""
        fields = {"content-type": "application/json", "authorization": f"Bearer {told.key}"}
        if told.idempotency_key is not None:
            fields["idempotency-key"] = told.idempotency_key
        try:
            async with asyncio.timeout(PATIENCE_S if leave_after_s is None else leave_after_s):
                await self._exchange(told, path, body, fields | dict(headers or {}))
        except TimeoutError:
            told.left, told.is_lost = leave_after_s is not None, leave_after_s is None
        except (aiohttp.ClientError, ConnectionError):
            pass  # the connection broke: what came until then is what the client knows
        return told

    async def _exchange(self, told: Told, path: str, body: bytes, fields: Mapping[str, str]) -> None:
        async with self._session.post(path, data=body, headers=fields) as response:
            told.status, told.headers = response.status, response.headers
            told.request_id = response.headers.get("x-request-id")
            is_stream = response.content_type == "text/event-stream"
            async for piece in response.content.iter_any():
                told.body += piece
                told.is_whole = is_stream and is_ended(told.body)
            told.is_whole = told.is_whole or not is_stream

    async def get(self, path: str, key: str) -> tuple[int, bytes]:
        """Ask for something that costs nothing."""
        async with self._session.get(path, headers={"authorization": f"Bearer {key}"}) as response:
            return response.status, await response.read()


def is_ended(body: bytes) -> bool:
    """Whether a stream has come to the end that its protocol has."""
    if body.endswith(END):
        return True
    return body.endswith(b"\n\n") and body[:-2].rpartition(b"\n\n")[2].startswith(_LAST_EVENTS)


async def wait_for(is_so: Callable[[], bool]) -> bool:
    """Look again and again until it is so; give up after PATIENCE_S, and say so."""
    until_s = asyncio.get_running_loop().time() + PATIENCE_S
    while not is_so():
        if asyncio.get_running_loop().time() > until_s:
            return False
        await asyncio.sleep(_LOOK_EVERY_S)  # what is looked at is on other threads, or in another process
    return True


def write_body(plan: Plan, model: str, content: object, **fields: object) -> bytes:
    """A request for a chat completion that travels with its plan; the content is a text, or a list of parts."""
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": content}], **fields}
    if plan.stream:
        body["stream"] = True
    return msgspec.json.encode(body | {"metadata": {"plan": msgspec.json.encode(plan).decode()}})


def write_usage(prompt: int, completion: int, **parts: int) -> str:
    """A usage report as OpenAI writes it; parts are `cached`, `cache_write` and `reasoning`."""
    report = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": parts.get("cached", 0),
            "cache_write_tokens": parts.get("cache_write", 0),
        },
        "completion_tokens_details": {"reasoning_tokens": parts.get("reasoning", 0)},
    }
    return json.dumps(report)
