"""Answers as OpenAI's Responses API gives them, whole and as the events of a stream, made by hand for the pure tests."""

import json

from fakes.responses_stream import read_event
from fakes.streamed import pieces_of

CREATED_S = 1741476542
MODEL = "gpt-5.5-2026-04-23"
USAGE = {
    "input_tokens": 2048,
    "input_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 0},
    "output_tokens": 87,
    "output_tokens_details": {"reasoning_tokens": 64},
    "total_tokens": 2135,
}
CITATION = {
    "type": "url_citation",
    "start_index": 0,
    "end_index": 3,
    "url": "https://example.com/",
    "title": "Example",
}
LOGPROB = {
    "token": "Hel",
    "logprob": -0.25,
    "bytes": [72, 101, 108],
    "top_logprobs": [{"token": "Hel", "logprob": -0.25, "bytes": [72, 101, 108]}],
}


def message(*parts, item_id="msg_up0", status="completed"):
    content = [text_part(part) if isinstance(part, str) else part for part in parts]
    return {"id": item_id, "type": "message", "status": status, "content": content, "role": "assistant"}


def text_part(text, annotations=(), logprobs=()):
    return {
        "type": "output_text",
        "annotations": list(annotations),
        "logprobs": list(logprobs),
        "text": text,
    }


def refusal_part(text):
    return {"type": "refusal", "refusal": text}


def call(name="look_up", arguments='{"city":"Oslo"}', call_id="call_up0", item_id="fc_up0"):
    return {
        "id": item_id,
        "type": "function_call",
        "status": "completed",
        "arguments": arguments,
        "call_id": call_id,
        "name": name,
    }


def custom_call(text="*** Begin Patch", call_id="call_up1", item_id="ctc_up0"):
    return {
        "id": item_id,
        "type": "custom_tool_call",
        "status": "completed",
        "call_id": call_id,
        "input": text,
        "name": "apply_patch",
    }


def reasoning(*summaries, encrypted="gAAAAA-sealed", item_id="rs_up0"):
    summary = [{"type": "summary_text", "text": text} for text in summaries]
    return {"id": item_id, "type": "reasoning", "encrypted_content": encrypted, "summary": summary}


def response(*output, status="completed", **more):
    return {
        "id": "resp_up",
        "object": "response",
        "created_at": CREATED_S,
        "status": status,
        "background": False,
        "completed_at": CREATED_S + 2 if status == "completed" else None,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": MODEL,
        "output": list(output),
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": "medium", "summary": None},
        "safety_identifier": None,
        "service_tier": "auto" if status == "in_progress" else "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None if status == "in_progress" else USAGE,
        "user": None,
        "metadata": {},
    } | more


def events(answer, pieces=3):
    """The events of a stream that ends with `answer`."""
    opened = answer | {
        "status": "in_progress",
        "output": [],
        "usage": None,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "service_tier": "auto",
    }
    told = [
        {"type": "response.created", "response": opened},
        {"type": "response.in_progress", "response": opened},
    ]
    for index, item in enumerate(answer["output"]):
        told += _item_events(item, index, pieces)
    told.append({"type": f"response.{answer['status']}", "response": answer})
    return numbered(told)


def numbered(told):
    """The same events, counted from 0."""
    return [
        {"type": event["type"]} | event | {"sequence_number": number} for number, event in enumerate(told)
    ]


def sse(told, *, done=False):
    """Bytes as OpenAI sends them."""
    blocks = [f"event: {event['type']}\ndata: {written(event)}\n\n" for event in told]
    return "".join(blocks).encode() + (b"data: [DONE]\n\n" if done else b"")


def written(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def stream(*output, status="completed", pieces=3, **more):
    return sse(events(response(*output, status=status, **more), pieces))


def read(data):
    """The events that a client reads, each of which must be named as it is."""
    assert data.endswith(b"\n\n") or not data
    return [read_event(block) for block in data.split(b"\n\n")[:-1]]


def _item_events(item, index, pieces):
    empty = {"content": [], "summary": [], "arguments": "", "input": ""}
    opened = item | {key: value for key, value in empty.items() if key in item}
    if "status" in item:
        opened["status"] = "in_progress"
    opened.pop("encrypted_content", None)
    place = {"output_index": index}
    yield {"type": "response.output_item.added", **place, "item": opened}
    here = {"item_id": item["id"], **place}
    match item["type"]:
        case "message":
            for at, part in enumerate(item["content"]):
                yield from _part_events(part, {**here, "content_index": at}, pieces)
        case "reasoning":
            for at, part in enumerate(item["summary"]):
                yield from _summary_events(part, {**here, "summary_index": at}, pieces)
        case "function_call":
            told = "response.function_call_arguments"
            for piece in pieces_of(item["arguments"], pieces):
                yield {"type": f"{told}.delta", **here, "delta": piece}
            yield {"type": f"{told}.done", **here, "name": item["name"], "arguments": item["arguments"]}
        case "custom_tool_call":
            for piece in pieces_of(item["input"], pieces):
                yield {"type": "response.custom_tool_call_input.delta", **here, "delta": piece}
            yield {"type": "response.custom_tool_call_input.done", **here, "input": item["input"]}
    yield {"type": "response.output_item.done", **place, "item": item}


def _part_events(part, place, pieces):
    is_text = part["type"] == "output_text"
    opened = part | ({"text": "", "annotations": [], "logprobs": []} if is_text else {"refusal": ""})
    yield {"type": "response.content_part.added", **place, "part": opened}
    if is_text:
        logprobs = [without_bytes(one) for one in part["logprobs"]]
        for piece in pieces_of(part["text"], pieces):
            delta = {"delta": piece, "logprobs": logprobs, "obfuscation": "x7Gh"}
            yield {"type": "response.output_text.delta", **place, **delta}
            logprobs = []
        for at, annotation in enumerate(part["annotations"]):
            told = {"annotation_index": at, "annotation": annotation}
            yield {"type": "response.output_text.annotation.added", **place, **told}
        done = {"text": part["text"], "logprobs": [without_bytes(one) for one in part["logprobs"]]}
        yield {"type": "response.output_text.done", **place, **done}
    else:
        for piece in pieces_of(part["refusal"], pieces):
            yield {"type": "response.refusal.delta", **place, "delta": piece}
        yield {"type": "response.refusal.done", **place, "refusal": part["refusal"]}
    yield {"type": "response.content_part.done", **place, "part": part}


def _summary_events(part, place, pieces):
    told = "response.reasoning_summary"
    yield {"type": f"{told}_part.added", **place, "part": part | {"text": ""}}
    for piece in pieces_of(part["text"], pieces):
        yield {"type": f"{told}_text.delta", **place, "delta": piece}
    yield {"type": f"{told}_text.done", **place, "text": part["text"]}
    yield {"type": f"{told}_part.done", **place, "part": part}


def without_bytes(logprob):
    """A log probability as events have it, which lack what the finished text has."""
    tops = [{"token": top["token"], "logprob": top["logprob"]} for top in logprob["top_logprobs"]]
    return {"token": logprob["token"], "logprob": logprob["logprob"], "top_logprobs": tops}
