"""The URLs whose answers cost something, and how each is asked. A new one is a row of ROUTES."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from prove.answers import mark
from prove.calculator import Tokens
from prove.provider import Plan
from prove.traffic import CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, RESPONSES, write_body
from prove.usages import CAP, MOST_PROMPT, SHAPES, Report

CODEX = "gpt-5.3-codex"
TIERS = (  # what the request asks for, and what the upstream says that it served
    *((None, "default"), ("auto", "default"), ("default", "default"), (None, "scale")),
    *(("flex", "flex"), ("flex", "default"), (None, "flex"), ("flex", "priority"), (None, "batch")),
    *(("priority", "priority"), ("fast", "priority"), ("priority", "default"), (None, "priority")),
)
_SERVED = tuple((asked, served) for asked, served in TIERS if asked is None)
_TEXT = "How much is it? " * (MOST_PROMPT // 16 + 1)
_MOST_OUTPUT = 128_000
_BOUNDED = tuple(name for name in SHAPES if name not in ("threshold", "long", "long written"))
_VECTORS = ("bare", "cached", "single", "zero", "spaced", "missing")
_LOOK = {"name": "look", "parameters": {"type": "object", "properties": {}}}


class Form(NamedTuple):
    """A way in which a route may be asked for its answer."""

    name: str
    is_stream: bool
    fields: Mapping[str, object] = {}


class Route(NamedTuple):
    """A URL, and what it is asked."""

    path: str
    forms: tuple[Form, ...]
    write: Callable[..., bytes]  # the request's body, of plan, model, fields and is_open
    name: str = ""  # where a path has several
    models: tuple[str, ...] | None = None  # those of them that are offered; None: all that are offered there
    shapes: tuple[str, ...] = tuple(SHAPES)
    tiers: Sequence[tuple[str | None, str]] = TIERS
    read: Callable[[Report], Report] = lambda report: report  # what this protocol can report


_WHOLE, _STREAM = Form("whole", is_stream=False), Form("stream", is_stream=True)
_BOTH = (_WHOLE, _STREAM)


# ---- Chat ------------------------------------------------------------------------------------------------


def _write_chat(plan: Plan, model: str, fields: Mapping[str, object], *, is_open: bool) -> bytes:
    document = [
        {"type": "text", "text": "Read this."},
        {"type": "file", "file": {"file_id": "file-of-any-size"}},
    ]
    cap = {} if is_open else {"max_completion_tokens": CAP}
    return write_body(plan, model, document if is_open else _TEXT, **fields, **cap)


def _write_bridged(plan: Plan, model: str, fields: Mapping[str, object], *, is_open: bool) -> bytes:
    """With a tool: a model that reasons is then asked on /v1/responses."""
    return _write_chat(
        plan, model, {**fields, "tools": [{"type": "function", "function": _LOOK}]}, is_open=is_open
    )


# ---- Responses and Messages ------------------------------------------------------------------------------


def _write_responses(plan: Plan, model: str, fields: Mapping[str, object], *, is_open: bool) -> bytes:
    part = {"type": "input_file", "file_id": "file-of-any-size"} if is_open else _said(_TEXT)
    cap = {} if is_open else {"max_output_tokens": CAP}
    body = {"model": model, "input": [{"role": "user", "content": [part]}], "stream": plan.stream}
    return msgspec.json.encode({**body, **cap, **fields, "metadata": {"plan": _encoded(plan).decode()}})


def _said(text: str) -> dict[str, str]:
    return {"type": "input_text", "text": text}


def _write_messages(plan: Plan, model: str, fields: Mapping[str, object], *, is_open: bool) -> bytes:
    """The plan stands in the text: nothing else of a request comes so far as it was written."""
    content: list[dict[str, object]] = [{"type": "text", "text": f"{_TEXT} {mark(_encoded(plan))}"}]
    if is_open:
        source = {"type": "url", "url": "https://example.com/of-any-size.pdf"}
        content.append({"type": "document", "source": source})
    body = {
        "model": model,
        "max_tokens": _MOST_OUTPUT if is_open else CAP,
        "messages": [{"role": "user", "content": content}],
        "stream": plan.stream,
    }
    return msgspec.json.encode({**body, **fields})


# ---- the older ones --------------------------------------------------------------------------------------


def _write_completion(
    plan: Plan,
    model: str,
    fields: Mapping[str, object],
    *,
    is_open: bool,  # noqa: ARG001 - nothing of any size can be sent here
) -> bytes:
    body = {"model": model, "prompt": _TEXT, "max_tokens": CAP, "stream": plan.stream}
    return msgspec.json.encode({**body, **fields, "metadata": {"plan": _encoded(plan).decode()}})


def _write_embeddings(
    plan: Plan,
    model: str,
    fields: Mapping[str, object],
    *,
    is_open: bool,  # noqa: ARG001 - nothing of any size can be sent here
) -> bytes:
    body = {"model": model, "input": [_TEXT], "encoding_format": "base64"}
    return msgspec.json.encode({**body, **fields, "metadata": {"plan": _encoded(plan).decode()}})


def _read_vectors(report: Report) -> Report:
    """A report on vectors counts what came in and nothing else."""
    if report.tokens is None or report.text is None:
        return report
    prompt = report.tokens.prompt
    indent = 3 if "\n" in report.text else None
    text = json.dumps({"prompt_tokens": prompt, "total_tokens": prompt}, indent=indent)
    return Report(text=text, tokens=Tokens(prompt=prompt, completion=0))


def _encoded(plan: Plan) -> bytes:
    return msgspec.json.encode(plan)


ROUTES = (
    Route(
        CHAT,
        (
            *_BOTH,
            Form("stream with usage", is_stream=True, fields={"stream_options": {"include_usage": True}}),
        ),
        _write_chat,
    ),
    Route(CHAT, _BOTH, _write_bridged, name="over Responses", models=("gpt-5.5", CODEX)),
    Route(
        RESPONSES,
        (Form("whole", is_stream=False, fields={"store": False}), _STREAM),
        _write_responses,
        models=("gpt-5.5", CODEX, "odd-model"),
    ),
    Route(
        MESSAGES,
        _BOTH,
        _write_messages,
        name="over Responses",
        models=("gpt-5.5", "odd-model"),
        tiers=_SERVED,
    ),
    Route(COMPLETIONS, _BOTH, _write_completion, shapes=_BOUNDED, tiers=_SERVED),
    Route(
        EMBEDDINGS,
        (_WHOLE,),
        _write_embeddings,
        shapes=_VECTORS,
        tiers=((None, "default"),),
        read=_read_vectors,
    ),
)
