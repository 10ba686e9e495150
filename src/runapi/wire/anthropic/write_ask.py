"""What goes to an upstream that speaks Messages: the body of a request, and its headers."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.wire.anthropic.effort import write_adaptive_effort, write_budget
from runapi.wire.anthropic.write_messages import (
    Conversation,
    begins_with_thinking,
    refers_to_files,
    write_items,
)
from runapi.wire.neutral import (
    Asked,
    Call,
    CallKind,
    ChoiceMode,
    Format,
    FormatKind,
    Tool,
    ToolChoice,
)
from runapi.wire.refusals import unsupported

API_VERSION = "2023-06-01"
FILES_BETA = "files-api-2025-04-14"
DEFAULT_CAP = 32_000
"""`max_tokens` where nobody names one: Anthropic must be told, and every Claude 4 model and later takes this."""

_ANY_OBJECT = Raw(b'{"type":"object"}')
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_MOST_USER_ID = 256
_FORCING = (ChoiceMode.REQUIRED, ChoiceMode.NAMED, ChoiceMode.ALLOWED_REQUIRED)


def upstream_headers(
    api_key: str, *, version: str | None = None, betas: Sequence[str] = ()
) -> dict[str, str]:
    """The headers of a request to an upstream that speaks Messages, but for those of every request.

    Args:
        api_key: the upstream's.
        version: the client's `anthropic-version`, if it speaks Messages too.
        betas: the client's `anthropic-beta`, or `betas_of` what is asked.
    """
    headers = {"x-api-key": api_key, "anthropic-version": version or API_VERSION}
    if betas:
        headers["anthropic-beta"] = ",".join(betas)
    return headers


def betas_of(asked: Asked) -> tuple[str, ...]:
    """The betas that a translated request needs."""
    return (FILES_BETA,) if refers_to_files(asked.items) else ()


def write_asked(asked: Asked, model: str, output_cap: int | None, *, is_adaptive: bool = False) -> bytes:
    """Write the body for an upstream that speaks Messages.

    A stop sequence of white space alone is not sent, as Anthropic refuses it: whoever asks for it cuts the answer.

    Args:
        asked: what to ask.
        model: the upstream's name for the model.
        output_cap: the most output tokens that may be made; a lower cap of the client's holds, and without any
            DEFAULT_CAP does.
        is_adaptive: the model chooses by itself how many tokens it thinks for, and refuses a budget.

    Raises:
        Problem: 400, naming what Messages cannot say.
    """
    refuse_what_messages_cannot(asked)
    conversation = write_items(asked.items)
    caps = [cap for cap in (output_cap, asked.output_cap) if cap is not None]
    max_tokens = min(caps, default=DEFAULT_CAP)
    tools, choice = _write_tools(asked), _write_choice(asked)
    thinking, effort = _write_thinking(asked, conversation, max_tokens, is_adaptive=is_adaptive)
    form = None if asked.format is None else _write_format(asked.format)
    user = asked.safety_identifier or asked.user
    temperature, top_p = _write_sampling(asked, thinks=thinking is not None)
    body = {
        "model": model,
        "max_tokens": max_tokens,
        "system": conversation.system or None,
        "messages": conversation.messages,
        "tools": tools or None,
        "tool_choice": choice,
        "thinking": thinking,
        "output_config": _given({"effort": effort, "format": form}) or None,
        "temperature": temperature,
        "top_p": top_p,
        "stop_sequences": [stop for stop in asked.stop if stop.strip()] or None,
        "metadata": {"user_id": user[:_MOST_USER_ID]} if user else None,
        "service_tier": "standard_only" if asked.service_tier == "default" else None,
        "stream": True if asked.stream else None,
    }
    return msgspec.json.encode(_given(body))


def left_out(asked: Asked) -> tuple[str, ...]:
    """The parameters, by their names in Chat, that `write_asked` leaves out although they ask for something."""
    thinks = asked.effort not in (None, "none")
    heat = asked.temperature
    asks = {
        "verbosity": asked.verbosity is not None,
        "metadata": asked.metadata is not None,
        "prompt_cache_retention": asked.cache_retention is not None,
        "service_tier": asked.service_tier not in (None, "auto", "default"),
        "temperature": heat is not None and (heat > 1 or (thinks and heat != 1)),
        "top_p": asked.top_p not in (None, 1) and (thinks or heat is not None),
    }
    return tuple(name for name, is_asked in asks.items() if is_asked)


def refuse_what_messages_cannot(asked: Asked) -> None:
    """Refuse parameters and tools that no model of Anthropic's has.

    Raises:
        Problem: 400, naming them.
    """
    if asked.logprobs:
        raise unsupported("logprobs", "This model does not tell the likelihood of its tokens. Leave it out.")
    if asked.format is not None and asked.format.kind is FormatKind.JSON_OBJECT:
        raise unsupported(
            "response_format", "This model answers in JSON only by a schema: use the type json_schema."
        )
    for index, tool in enumerate(asked.tools):
        if tool.hosted is not None:
            raise unsupported(
                f"tools[{index}]", f"This model cannot run a tool of type '{tool.name[:40]}'. Leave it out."
            )
        if tool.kind is CallKind.CUSTOM:
            raise unsupported(
                f"tools[{index}]", "This model's tools take JSON, not free text. Use a function instead."
            )


# ---- tools -----------------------------------------------------------------------------------------------


def _write_tools(asked: Asked) -> list[dict[str, object]]:
    """Write the tools that may be called; those called before are named where the request has none any more.

    Anthropic refuses calls in a conversation without any tools.
    """
    choice = asked.choice
    tools: Iterable[Tool] = asked.tools
    if choice is not None and choice.mode in (ChoiceMode.ALLOWED_AUTO, ChoiceMode.ALLOWED_REQUIRED):
        tools = [tool for tool in tools if tool.name in choice.names]
    written = [_write_tool(tool) for tool in tools]
    if written:
        return written
    called = dict.fromkeys(item.name for item in asked.items if isinstance(item, Call))
    return [{"name": name, "input_schema": _ANY_OBJECT} for name in called]


def _write_tool(tool: Tool) -> dict[str, object]:
    return _given(
        {
            "name": tool.name,
            "description": tool.description,
            "input_schema": _write_schema(tool.schema),
            "strict": True if tool.strict else None,
        }
    )


def _write_schema(schema: Raw | None) -> object:
    """The schema of a tool's input, which must say that it is an object."""
    if schema is None:
        return _ANY_OBJECT
    try:
        fields = _decode_object(schema)
    except msgspec.DecodeError:
        return schema
    return schema if "type" in fields else {"type": "object", **fields}


def _write_choice(asked: Asked) -> dict[str, object] | None:
    if not asked.tools:
        has_called = any(isinstance(item, Call) for item in asked.items)
        return {"type": "none"} if has_called else None
    choice = asked.choice or ToolChoice(ChoiceMode.AUTO)
    sequential = {"disable_parallel_tool_use": True} if asked.parallel_calls is False else {}
    match choice.mode:
        case ChoiceMode.NONE:
            return {"type": "none"}
        case ChoiceMode.REQUIRED | ChoiceMode.ALLOWED_REQUIRED:
            return {"type": "any", **sequential}
        case ChoiceMode.NAMED:
            return {"type": "tool", "name": choice.names[0], **sequential}
        case ChoiceMode.AUTO | ChoiceMode.ALLOWED_AUTO:
            return {"type": "auto", **sequential} if asked.choice is not None or sequential else None


# ---- thinking and sampling -------------------------------------------------------------------------------


def _write_thinking(
    asked: Asked, conversation: Conversation, max_tokens: int, *, is_adaptive: bool
) -> tuple[dict[str, object] | None, str | None]:
    """Write `thinking` and the effort beside it; None where the model is not to think, or must not just now.

    Anthropic refuses thinking where a tool must be called, and a budget where the calls whose results it is given came
    without the thoughts that led to them.
    """
    if asked.effort is None or asked.effort == "none":
        return None, None
    if asked.choice is not None and asked.tools and asked.choice.mode in _FORCING:
        return None, None
    if is_adaptive:
        return {"type": "adaptive"}, write_adaptive_effort(asked.effort)
    budget = write_budget(asked.effort, max_tokens)
    if budget is None or not begins_with_thinking(conversation.messages):
        return None, None
    return {"type": "enabled", "budget_tokens": budget}, None


def _write_sampling(asked: Asked, *, thinks: bool) -> tuple[float | None, float | None]:
    """Write temperature and top_p: at most one of them, none beside thinking, and no temperature above 1."""
    if thinks:
        return None, None
    if asked.temperature is not None:
        return min(asked.temperature, 1.0), None
    return None, asked.top_p


def _write_format(form: Format) -> dict[str, object] | None:
    if form.kind is not FormatKind.JSON_SCHEMA:
        return None
    if form.schema is None:
        raise problems.missing_parameter("response_format.json_schema.schema")
    return {"type": "json_schema", "schema": form.schema}


def _given(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
