"""Ask the sandbox as a client would, and hold every object it sends against the specification."""

import asyncio
import json
from collections.abc import Awaitable, Iterator
from typing import TypeVar

from fakes import specification
from runapi.upstream.sandbox import chat
from runapi.upstream.sandbox.plans import Cut, Event, Pause, Plan, Send

T = TypeVar("T")
WEATHER_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER_SCHEMA}}
EXEC = {"type": "function", "function": {"name": "exec"}}
PATCH = {"type": "custom", "custom": {"name": "apply_patch", "format": {"type": "text"}}}
TOOLS = [WEATHER, EXEC, PATCH]


def request(said: str | list, **fields: object) -> dict:
    messages = [{"role": "user", "content": said}] if isinstance(said, str) else said
    return {"model": "gpt-5.5", "messages": messages, **fields}


def plan(said: str | list, **fields: object) -> Plan:
    return chat.plan(json.dumps(request(said, **fields)).encode(), "req_1", 1_700_000_000)


def ask(said: str | list, **fields: object) -> dict:
    """Give the whole answer; it must be a good one."""
    specification.check_request(request(said, **fields))
    reply = reply_of(plan(said, **fields))
    specification.check_reply(reply)
    return reply


def reply_of(found: Plan) -> dict:
    """What is answered in one piece, on any endpoint."""
    body = b"".join(event.data for event in found.events if isinstance(event, Send))
    assert found.status == 200, body
    assert found.headers == {"content-type": "application/json", "x-request-id": "req_1"}
    return json.loads(body)


def refusal(said: str | list, **fields: object) -> dict:
    """Give the error object; it must be one, with status 400."""
    return refusal_of(plan(said, **fields), 400)


def refusal_of(found: Plan, status: int) -> dict:
    (sent,) = found.events
    assert found.status == status
    assert found.headers["content-type"] == "application/json"
    body = json.loads(sent.data)
    specification.check_error(body)
    return body["error"]


def assert_refused(error: dict, param: str, code: str | None) -> None:
    """The error blames this parameter, and says something."""
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert error["message"]


def stream(said: str | list, **fields: object) -> list[dict]:
    """Give the chunks of a stream that ends well."""
    *sent, done = streamed_by(plan(said, stream=True, **fields))
    assert done == b"data: [DONE]\n\n"
    return list(chunks_of(sent))


def streamed_by(found: Plan) -> list[bytes]:
    """The events that are streamed, on any endpoint."""
    assert (found.status, found.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    return [event.data for event in found.events if isinstance(event, Send)]


def chunks_of(sent: list[bytes]) -> Iterator[dict]:
    for data in sent:
        assert data.startswith(b"data: ")
        assert data.endswith(b"\n\n")
        assert data.count(b"\n") == 2
        chunk = json.loads(data.removeprefix(b"data: "))
        specification.check_chunk(chunk)
        yield chunk


def joined(chunks: list[dict], index: int = 0) -> dict:
    """Put the deltas of one answer together, as the SDKs do."""
    message: dict = {"content": None, "refusal": None, "finish": None, "calls": []}
    for chunk in chunks:
        for choice in chunk["choices"]:
            if choice["index"] != index:
                continue
            delta = choice["delta"]
            for key in ("content", "refusal"):
                if delta.get(key) is not None:
                    message[key] = (message[key] or "") + delta[key]
            for call in delta.get("tool_calls", ()):
                join_call(message["calls"], call)
            assert message["finish"] is None
            message["finish"] = choice["finish_reason"]
    return message


def join_call(calls: list[dict], delta: dict) -> None:
    if delta["index"] == len(calls):
        kind = delta["type"]
        key = "arguments" if kind == "function" else "input"
        assert delta[kind][key] == ""
        calls.append({"id": delta["id"], "type": kind, kind: {"name": delta[kind]["name"], key: ""}})
        return
    assert delta.keys() <= {"index", "function", "custom"}, "id, type and name come once"
    call = calls[delta["index"]]
    (kind,) = delta.keys() - {"index"}
    ((key, piece),) = delta[kind].items()
    call[kind][key] += piece


async def turns_of_others(work: Awaitable[T]) -> tuple[T, int]:
    """What comes of the work, and how often another task had its turn meanwhile."""
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    taking = asyncio.ensure_future(take_turns())
    try:
        return await work, turns
    finally:
        taking.cancel()


def kinds(events: list[Event]) -> list[type]:
    return [type(event) for event in events]


def pauses(found: Plan) -> list[float]:
    return [event.seconds for event in found.events if isinstance(event, Pause)]


def is_cut(found: Plan) -> bool:
    return kinds(list(found.events))[-1] is Cut
