"""Read a Chat Completions request into a `Turn`; refuse what OpenAI refuses, in its words where they are known."""

import msgspec

from runapi.core.problems import Problem, empty_array, invalid_type, missing_parameter
from runapi.upstream.sandbox.answer_form import FORMATS, read_schema, says_json
from runapi.upstream.sandbox.chat_messages import Message, check_messages, find_asked
from runapi.upstream.sandbox.fields import (
    Fields,
    check_sampling,
    decode,
    need_object,
    need_word,
    read_flag,
    read_model,
    read_name,
    read_object,
    read_stops,
    read_stream,
    read_tier,
    read_whole,
    read_word,
    too_long,
    type_name,
    unsupported_value,
)
from runapi.upstream.sandbox.strict_schema import check_strict
from runapi.upstream.sandbox.tool_choice import MODES, MOST_TOOLS, find_tool, requires_call
from runapi.upstream.sandbox.turns import Form, Tool, ToolKind, Turn
from runapi.wire.tokens import count_chat_input

_KINDS = tuple(ToolKind)
_VERBOSITIES = ("low", "medium", "high")
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")


_FIELDS = frozenset(
    (
        *(
            "model",
            "messages",
            "audio",
            "frequency_penalty",
            "function_call",
            "functions",
            "logit_bias",
            "logprobs",
        ),
        *(
            "max_completion_tokens",
            "max_tokens",
            "metadata",
            "modalities",
            "moderation",
            "n",
            "parallel_tool_calls",
        ),
        *(
            "prediction",
            "presence_penalty",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
        ),
        *(
            "reasoning_effort",
            "response_format",
            "safety_identifier",
            "seed",
            "service_tier",
            "stop",
            "store",
            "stream",
        ),
        *(
            "stream_options",
            "temperature",
            "tool_choice",
            "tools",
            "top_logprobs",
            "top_p",
            "user",
            "verbosity",
        ),
        *("web_search_options",),
    )
)


class ChatRequest(msgspec.Struct, frozen=True):
    """A request as it was read: what is asked, and how the answer is to be written."""

    turn: Turn
    model: str
    service_tier: str
    stream: bool
    include_usage: bool
    top_logprobs: int | None  # None: no log probabilities are wanted


def read_request(body: bytes) -> ChatRequest:
    """Read a body.

    Raises:
        Problem: 400, it is no good request.
        DirectiveFault: a directive in it cannot be understood.
    """
    fields = decode(body)
    model = read_model(fields)
    unknown = next((name for name in fields if name not in _FIELDS), None)
    if unknown is not None:
        raise Problem(400, f"Unrecognized request argument supplied: {unknown[:200]}")
    messages = check_messages(fields.get("messages"))
    stream, options = read_stream(fields)
    check_sampling(fields)
    read_word(fields, "verbosity", _VERBOSITIES)
    return ChatRequest(
        _read_turn(fields, messages),
        model,
        read_tier(fields),
        stream,
        read_flag(options, "include_usage"),
        _top_logprobs(fields),
    )


def _read_turn(fields: Fields, messages: list[Message]) -> Turn:
    asked = find_asked(messages)
    tools = _tools(fields)
    allowed, must_call = _choose_tools(fields, tools)
    form = _response_format(fields, messages)
    given_tools = fields.get("tools")
    caps = [
        cap
        for name in ("max_completion_tokens", "max_tokens")
        if (cap := read_whole(fields, name, 1)) is not None
    ]
    return msgspec.structs.replace(
        asked,
        tools=allowed,
        must_call=must_call,
        parallel_calls=read_flag(fields, "parallel_tool_calls", absent=True),
        form=form,
        cap=min(caps, default=None),
        effort=read_word(fields, "reasoning_effort", _EFFORTS),
        stop=read_stops(fields),
        count=read_whole(fields, "n", 1, 128) or 1,
        input_tokens=count_chat_input(messages, given_tools if isinstance(given_tools, list) else None),
    )


# ---- tools -----------------------------------------------------------------------------------------------


def _tools(fields: Fields) -> tuple[Tool, ...]:
    value = fields.get("tools")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise invalid_type("tools", "an array of objects", type_name(value))
    if not value:
        raise empty_array("tools")
    if len(value) > MOST_TOOLS:
        raise too_long("tools", MOST_TOOLS, len(value))
    return tuple(_tool(tool, f"tools[{at}]") for at, tool in enumerate(value))


def _tool(value: object, param: str) -> Tool:
    fields = need_object(value, param)
    kind = ToolKind(need_word(fields, "type", _KINDS, f"{param}.type"))
    if fields.get(kind) is None:
        raise missing_parameter(f"{param}.{kind}")
    body = need_object(fields[kind], f"{param}.{kind}")
    schema = body.get("parameters") if kind is ToolKind.FUNCTION else None
    if schema is not None:
        need_object(schema, f"{param}.function.parameters")
    name = read_name(body, f"{param}.{kind}")
    if kind is ToolKind.FUNCTION and read_flag(body, "strict"):
        place = f"function '{name}'"
        check_strict(schema, place, f"{param}.function.parameters", "invalid_function_parameters")
    return Tool(kind, name, schema)


def _choose_tools(fields: Fields, tools: tuple[Tool, ...]) -> tuple[tuple[Tool, ...], bool]:
    """Which tools may be called, and whether one must be."""
    choice = fields.get("tool_choice")
    if choice is None:
        return tools, False
    if not tools:
        raise Problem(
            400,
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
            param="tool_choice",
        )
    if not isinstance(choice, dict):
        mode = read_word(fields, "tool_choice", MODES)
        return (() if mode == "none" else tools), mode == "required"
    if choice.get("type") != "allowed_tools":
        return (_named(choice, tools, "tool_choice"),), True
    allowed = read_object(choice, "allowed_tools", "tool_choice.allowed_tools")
    is_required = requires_call(allowed, "tool_choice.allowed_tools")
    named = allowed.get("tools")
    if not isinstance(named, list) or not named:
        raise missing_parameter("tool_choice.allowed_tools.tools")
    return tuple(_named(one, tools, "tool_choice.allowed_tools.tools") for one in named), is_required


def _named(choice: object, tools: tuple[Tool, ...], param: str) -> Tool:
    fields = need_object(choice, param)
    kind = fields.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise unsupported_value(f"{param}.type", kind, _KINDS)
    name = read_name(read_object(fields, kind, f"{param}.{kind}"), f"{param}.{kind}")
    return find_tool(tools, kind, name, param)


# ---- the form of the answer ------------------------------------------------------------------------------


def _response_format(fields: Fields, messages: list[Message]) -> Form | None:
    """The form of JSON that is wanted, if any."""
    form = read_object(fields, "response_format")
    if not form:
        return None
    kind = need_word(form, "type", FORMATS, "response_format.type")
    if kind == "json_object" and not says_json(messages):
        raise Problem(
            400,
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            param="messages",
        )
    if kind != "json_schema":
        return Form() if kind == "json_object" else None
    param = "response_format.json_schema"
    return read_schema(read_object(form, "json_schema", param), param, blamed="response_format")


def _top_logprobs(fields: Fields) -> int | None:
    wanted = read_flag(fields, "logprobs")
    count = read_whole(fields, "top_logprobs", 0, 20)
    if count is not None and not wanted:
        raise Problem(
            400,
            "Invalid value for 'top_logprobs': 'top_logprobs' is only allowed when 'logprobs' is enabled.",
            param="top_logprobs",
        )
    return (count or 0) if wanted else None
