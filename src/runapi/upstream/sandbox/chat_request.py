"""Read a Chat Completions request into a `Turn`; refuse what OpenAI refuses, in its words where they are known."""

import hashlib

import msgspec

from runapi.core.problems import Problem, empty_array, invalid_type, missing_parameter
from runapi.upstream.sandbox.chat_messages import Message, check_messages, find_asked, text_of
from runapi.upstream.sandbox.fields import (
    Fields,
    decode,
    read_flag,
    read_model,
    read_name,
    read_number,
    read_object,
    read_stops,
    read_tier,
    read_whole,
    read_word,
    too_long,
    type_name,
    unsupported_value,
)
from runapi.upstream.sandbox.turns import Tool, ToolKind, Turn
from runapi.wire.tokens import count_chat_input

_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_FORMATS = ("text", "json_object", "json_schema")
_MOST_TOOLS = 128
_RANGES = {"temperature": (0, 2), "top_p": (0, 1), "frequency_penalty": (-2, 2), "presence_penalty": (-2, 2)}


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
    messages = check_messages(fields.get("messages"))
    stream = read_flag(fields, "stream")
    options = read_object(fields, "stream_options")
    if options and not stream:
        raise Problem(
            400,
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )
    for name, (least, most) in _RANGES.items():
        read_number(fields, name, least, most)
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
    wants_json, schema_name, schema = _response_format(fields, messages)
    given_tools = fields.get("tools")
    caps = [
        cap
        for name in ("max_completion_tokens", "max_tokens")
        if (cap := read_whole(fields, name, 1)) is not None
    ]
    return Turn(
        seed=hashlib.blake2b(msgspec.json.encode(messages), digest_size=16).digest(),
        text=asked.text,
        directives=asked.directives,
        calls_answered=asked.calls_answered,
        tool_results=asked.tool_results,
        tools=allowed,
        must_call=must_call,
        parallel_calls=read_flag(fields, "parallel_tool_calls", absent=True),
        wants_json=wants_json,
        schema=schema,
        schema_name=schema_name,
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
    if len(value) > _MOST_TOOLS:
        raise too_long("tools", _MOST_TOOLS, len(value))
    return tuple(_tool(tool, f"tools[{at}]") for at, tool in enumerate(value))


def _tool(value: object, param: str) -> Tool:
    if not isinstance(value, dict):
        raise invalid_type(param, "an object", type_name(value))
    if value.get("type") is None:
        raise missing_parameter(f"{param}.type")
    kind = _kind(value["type"], f"{param}.type")
    body = value.get(kind)
    if body is None:
        raise missing_parameter(f"{param}.{kind}")
    if not isinstance(body, dict):
        raise invalid_type(f"{param}.{kind}", "an object", type_name(body))
    schema = body.get("parameters") if kind is ToolKind.FUNCTION else None
    if schema is not None and not isinstance(schema, dict):
        raise invalid_type(f"{param}.function.parameters", "an object", type_name(schema))
    return Tool(kind, read_name(body, f"{param}.{kind}"), schema)


def _kind(value: object, param: str) -> ToolKind:
    kinds = tuple(ToolKind)
    if not isinstance(value, str) or value not in kinds:
        raise unsupported_value(param, value, kinds)
    return ToolKind(value)


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
        modes = ("none", "auto", "required")
        if not isinstance(choice, str) or choice not in modes:
            raise unsupported_value("tool_choice", choice, modes)
        return (() if choice == "none" else tools), choice == "required"
    if choice.get("type") != "allowed_tools":
        return (_named(choice, tools, "tool_choice"),), True
    allowed = read_object(choice, "allowed_tools", "tool_choice.allowed_tools")
    mode = allowed.get("mode")
    if mode not in ("auto", "required"):
        raise unsupported_value("tool_choice.allowed_tools.mode", mode, ("auto", "required"))
    named = allowed.get("tools")
    if not isinstance(named, list) or not named:
        raise missing_parameter("tool_choice.allowed_tools.tools")
    return tuple(_named(one, tools, "tool_choice.allowed_tools.tools") for one in named), mode == "required"


def _named(choice: object, tools: tuple[Tool, ...], param: str) -> Tool:
    if not isinstance(choice, dict):
        raise invalid_type(param, "an object", type_name(choice))
    kind = _kind(choice.get("type"), f"{param}.type")
    name = read_name(read_object(choice, kind, f"{param}.{kind}"), f"{param}.{kind}")
    for tool in tools:
        if tool.name == name and tool.kind is kind:
            return tool
    raise Problem(400, f"Tool choice '{kind}' '{name}' not found in 'tools' parameter.", param=param)


# ---- the form of the answer ------------------------------------------------------------------------------


def _response_format(fields: Fields, messages: list[Message]) -> tuple[bool, str, object]:
    """Whether JSON is wanted, and the name and schema of it."""
    form = read_object(fields, "response_format")
    if not form:
        return False, "", None
    kind = form.get("type")
    if kind is None:
        raise missing_parameter("response_format.type")
    if not isinstance(kind, str) or kind not in _FORMATS:
        raise unsupported_value("response_format.type", kind, _FORMATS)
    if kind == "json_object" and not any("json" in text_of(message).lower() for message in messages):
        raise Problem(
            400,
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            param="messages",
        )
    if kind != "json_schema":
        return kind == "json_object", "", None
    param = "response_format.json_schema"
    wanted = read_object(form, "json_schema", param)
    name = read_name(wanted, param)
    schema = wanted.get("schema")
    if schema is None and "schema" not in wanted:
        raise missing_parameter(f"{param}.schema")
    if not isinstance(schema, dict):
        raise invalid_type(f"{param}.schema", "an object", type_name(schema))
    return True, name, schema


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
