"""Ask the sandbox by the Responses API as a client would, and hold all it sends against the specification."""

import json

from fakes import specification
from fakes.responses_stream import check_stream, read_event
from fakes.sandbox_calls import WEATHER_SCHEMA, refusal_of, reply_of, streamed_by
from runapi.upstream.sandbox import responses
from runapi.upstream.sandbox.plans import Plan

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Tell the weather",
    "parameters": WEATHER_SCHEMA,
    "strict": True,
}
EXEC = {"type": "function", "name": "exec", "parameters": None, "strict": False}
PATCH = {"type": "custom", "name": "apply_patch", "format": {"type": "text"}}
TOOLS = [WEATHER, EXEC, PATCH]


def request(said: str | list, **fields: object) -> dict:
    return {"model": "gpt-5.5", "input": said, **fields}


def plan(said: str | list, **fields: object) -> Plan:
    return responses.plan(json.dumps(request(said, **fields)).encode(), "req_1", 1_700_000_000)


def ask(said: str | list, **fields: object) -> dict:
    """Give the whole answer; it must be a good one."""
    specification.check_response_request(request(said, **fields))
    reply = reply_of(plan(said, **fields))
    specification.check_response(reply)
    return reply


def refusal(said: str | list, **fields: object) -> dict:
    """Give the error object; it must be one, with status 400."""
    return refusal_of(plan(said, **fields), 400)


def stream(said: str | list, **fields: object) -> list[dict]:
    """Give the events of a stream that ends well."""
    sent = streamed_by(plan(said, stream=True, **fields))
    assert all(data.endswith(b"\n\n") and data.count(b"\n") == 3 for data in sent)
    events = [read_event(data) for data in sent]
    check_stream(events)
    return events


def user(said: object) -> dict:
    return {"role": "user", "content": said}


def message_of(reply: dict) -> dict:
    (found,) = [item for item in reply["output"] if item["type"] == "message"]
    return found


def text_of(reply: dict) -> str:
    """The text of an answer's messages, as the SDKs give it."""
    parts = [part for item in reply["output"] if item["type"] == "message" for part in item["content"]]
    return "".join(part["text"] for part in parts if part["type"] == "output_text")


def calls_of(reply: dict) -> list[dict]:
    return [item for item in reply["output"] if item["type"] in ("function_call", "custom_tool_call")]


def result_of(call: dict, output: object = "tool-ran-42") -> dict:
    """What a client sends back for a call."""
    return {"type": f"{call['type']}_output", "call_id": call["call_id"], "output": output}
