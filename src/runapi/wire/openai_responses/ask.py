"""A Responses request as the neutral form says it, and the other way round."""

from collections.abc import Mapping
from typing import TypeVar, assert_never

import msgspec
from msgspec import Raw

from runapi.wire.decode import decode_part
from runapi.wire.neutral import (
    Asked,
    CallKind,
    ChoiceMode,
    Format,
    FormatKind,
    Item,
    Role,
    Text,
    Tool,
    ToolChoice,
    Turn,
)
from runapi.wire.openai_chat.request import NULL, is_null, read_text
from runapi.wire.openai_responses.read_input import read_input
from runapi.wire.openai_responses.read_tools import read_choice, read_format, read_tools
from runapi.wire.openai_responses.request import LEAST_CAP, ResponsesRequest
from runapi.wire.openai_responses.write_input import write_input
from runapi.wire.refusals import unsupported

T = TypeVar("T")

ENCRYPTED_REASONING = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"

_ALTER_THE_ANSWER = ("context_management", "moderation")  # and no other dialect has words for them
_NO_ARGUMENTS = Raw(b'{"type":"object","properties":{}}')
_HOSTED = frozenset(  # the tools that an upstream runs, by OpenAI's specification of August 2026
    (
        "apply_patch",
        "code_interpreter",
        "computer",
        "computer_use_preview",
        "file_search",
        "image_generation",
        "local_shell",
        "mcp",
        "namespace",
        "programmatic_tool_calling",
        "shell",
        "tool_search",
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    )
)


class _Typed(msgspec.Struct):
    type: str


class _Reasoning(msgspec.Struct):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None  # its older name


class _TextOptions(msgspec.Struct):
    format: Raw = NULL
    verbosity: str | None = None


# ---- the client's side -----------------------------------------------------------------------------------


def to_asked(request: ResponsesRequest) -> Asked:
    """Say in the neutral form what a request asks that `read_responses_request` accepted.

    What another upstream need not know is left out: where the answer is kept, how prompts are cached there, that it may
    cut a long input.

    Raises:
        Problem: 400, naming what no other dialect can say.
    """
    _refuse_what_only_responses_can(request)
    fields = request.fields
    reasoning = _read(request, "reasoning", _Reasoning) or _Reasoning()
    text = _read(request, "text", _TextOptions) or _TextOptions()
    has_logprobs = LOGPROBS in request.include
    return Asked(
        model=request.model,
        items=_read_items(request),
        stream=request.stream,
        tools=read_tools(fields["tools"]) if _is_there(request, "tools") else (),
        choice=read_choice(fields["tool_choice"]) if _is_there(request, "tool_choice") else None,
        parallel_calls=_read(request, "parallel_tool_calls", bool),
        format=None if is_null(text.format) else read_format(text.format),
        effort=reasoning.effort,
        summary=reasoning.summary or reasoning.generate_summary,
        verbosity=text.verbosity,
        output_cap=request.max_output_tokens,
        temperature=_read(request, "temperature", float),
        top_p=_read(request, "top_p", float),
        logprobs=has_logprobs,
        top_logprobs=_read(request, "top_logprobs", int) if has_logprobs else None,
        service_tier=request.service_tier,
        metadata=fields["metadata"] if _is_there(request, "metadata") else None,
        user=read_text(fields, "user"),
        safety_identifier=read_text(fields, "safety_identifier"),
        cache_key=read_text(fields, "prompt_cache_key"),
        cache_retention=read_text(fields, "prompt_cache_retention"),
    )


def _refuse_what_only_responses_can(request: ResponsesRequest) -> None:
    for name in _ALTER_THE_ANSWER:
        if _is_there(request, name) and bytes(request.fields[name]) != b"[]":
            raise unsupported(
                name, "Only an upstream that speaks Responses itself can do that. Leave it out."
            )
    if request.previous_response_id is not None:
        raise unsupported("previous_response_id", "Send all items of the conversation instead.")


def _read_items(request: ResponsesRequest) -> tuple[Item, ...]:
    """Read the input, with the instructions in front of it."""
    items = read_input(request.fields.get("input", NULL))
    instructions = read_text(request.fields, "instructions")
    if not instructions:
        return items
    return (Turn(Role.SYSTEM, (Text(instructions),), is_plain=True), *items)


def _is_there(request: ResponsesRequest, name: str) -> bool:
    raw = request.fields.get(name)
    return raw is not None and not is_null(raw)


def _read(request: ResponsesRequest, name: str, kind: type[T]) -> T | None:
    return decode_part(request.fields[name], kind, name) if _is_there(request, name) else None


# ---- the upstream's side ---------------------------------------------------------------------------------


def write_asked(asked: Asked, model: str, output_cap: int | None, *, keeps_reasoning: bool = True) -> bytes:
    """Write the body for an upstream that speaks Responses. It keeps nothing: all it needs to know is in here.

    Reasoning goes back to it encrypted, each item in front of the call that came of it. Stop sequences are not sent,
    as Responses has none: whoever asks for them cuts the answer.

    Args:
        asked: what to ask.
        model: the upstream's name for the model.
        output_cap: the most output tokens that may be made; None: as many as `asked` says. Never less than LEAST_CAP
            are sent, which is the least that Responses takes.
        keeps_reasoning: ask for reasoning to carry on with; a model that does not reason may refuse that.

    Raises:
        Problem: 400, it asks for a tool that Responses does not have.
    """
    cap = output_cap if output_cap is not None else asked.output_cap
    has_tools = bool(asked.tools)
    body = {
        "model": model,
        "input": write_input(asked.items),
        "stream": True if asked.stream else None,
        "store": False,
        "include": _write_include(asked, keeps_reasoning=keeps_reasoning),
        "tools": [_write_tool(tool, index) for index, tool in enumerate(asked.tools)] or None,
        "tool_choice": _write_choice(asked.choice, has_tools=has_tools),
        "parallel_tool_calls": asked.parallel_calls if has_tools else None,
        "text": _write_text(asked),
        "reasoning": _unless_empty({"effort": asked.effort, "summary": asked.summary}),
        "max_output_tokens": None if cap is None else max(cap, LEAST_CAP),
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "top_logprobs": asked.top_logprobs if asked.logprobs else None,
        "service_tier": asked.service_tier,
        "metadata": asked.metadata,
        "user": asked.user,
        "safety_identifier": asked.safety_identifier,
        "prompt_cache_key": asked.cache_key,
        "prompt_cache_retention": asked.cache_retention,
    }
    return msgspec.json.encode(_given(body))


def _write_include(asked: Asked, *, keeps_reasoning: bool) -> list[str] | None:
    wanted = [ENCRYPTED_REASONING] if keeps_reasoning else []
    return wanted + ([LOGPROBS] if asked.logprobs else []) or None


def _write_tool(tool: Tool, index: int) -> object:
    if tool.hosted is not None:
        kind = msgspec.json.decode(tool.hosted, type=_Typed).type
        if kind not in _HOSTED:
            raise unsupported(
                f"tools[{index}]", f"This model has no tool of type '{kind[:40]}'. Leave it out."
            )
        return tool.hosted
    if tool.kind is CallKind.CUSTOM:
        return _given(
            {"type": "custom", "name": tool.name, "description": tool.description, "format": tool.grammar}
        )
    written = {"type": "function", "name": tool.name, "description": tool.description}
    return _given(written) | {
        "parameters": tool.schema or _NO_ARGUMENTS,
        "strict": tool.strict
        is True,  # said always: left out, it is false in Chat and true here (api.md 4.2)
    }


def _write_choice(choice: ToolChoice | None, *, has_tools: bool) -> object:
    if choice is None:
        return None
    named = [{"type": str(kind), "name": name} for name, kind in zip(choice.names, choice.kinds, strict=True)]
    match choice.mode:
        case ChoiceMode.AUTO | ChoiceMode.NONE:
            return str(choice.mode) if has_tools else None
        case ChoiceMode.REQUIRED:
            return "required"
        case ChoiceMode.NAMED:
            return named[0]
        case ChoiceMode.ALLOWED_AUTO:
            return {"type": "allowed_tools", "mode": "auto", "tools": named}
        case ChoiceMode.ALLOWED_REQUIRED:
            return {"type": "allowed_tools", "mode": "required", "tools": named}
        case _:
            assert_never(choice.mode)


def _write_text(asked: Asked) -> object:
    form = None if asked.format is None else _write_format(asked.format)
    return _unless_empty({"format": form, "verbosity": asked.verbosity})


def _write_format(form: Format) -> object:
    if form.kind is not FormatKind.JSON_SCHEMA:
        return {"type": str(form.kind)}
    written = {"type": "json_schema", "name": form.name or "answer", "description": form.description}
    return _given(written) | {"schema": form.schema or Raw(b"{}"), "strict": form.strict is True}


def _given(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _unless_empty(fields: Mapping[str, object]) -> dict[str, object] | None:
    return _given(fields) or None
