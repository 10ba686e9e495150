"""Read a Responses request into a `Turn`; refuse what OpenAI refuses, in its words where they are known.

The sandbox keeps nothing between requests, so whatever refers to an earlier one is refused as not found.
"""

import msgspec

from runapi.core.problems import Problem
from runapi.upstream.sandbox.answer_form import FORMATS, read_schema, says_json
from runapi.upstream.sandbox.chat_messages import Message, find_asked
from runapi.upstream.sandbox.fields import (
    Fields,
    decode,
    need_word,
    read_flag,
    read_list,
    read_model,
    read_number,
    read_object,
    read_stream,
    read_text,
    read_tier,
    read_whole,
    read_word,
    unsupported_value,
)
from runapi.upstream.sandbox.responses_input import Conversation, read_input
from runapi.upstream.sandbox.responses_tools import choose_tools, read_tools, tools_of_chat
from runapi.upstream.sandbox.turns import Form, Turn
from runapi.wire.tokens import count_chat_input

LEAST_OUTPUT_TOKENS = 16

_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_SUMMARIES = ("auto", "concise", "detailed")
_VERBOSITIES = ("low", "medium", "high")
_TRUNCATIONS = ("auto", "disabled")
_INCLUDES = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)
_MOVED = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity",
}


class ResponsesRequest(msgspec.Struct, frozen=True):
    """A request as it was read: what is asked, and how the answer is to be written."""

    turn: Turn
    model: str
    stream: bool
    echo: Fields  # what every answer says again of its request
    has_summary: bool  # the thoughts are told in short
    has_seal: bool  # ... and given along, sealed
    top_logprobs: int | None  # None: no log probabilities are wanted


def read_request(body: bytes) -> ResponsesRequest:
    """Read a body.

    Raises:
        Problem: 400 or 404, it is no good request.
        DirectiveFault: a directive in it cannot be understood.
    """
    fields = decode(body)
    model = read_model(fields)
    _refuse_what_is_absent(fields)
    conversation = read_input(fields.get("input"), read_text(fields, "instructions"))
    echo = _echo(fields, model)
    include = _include(fields)
    top_logprobs = read_whole(fields, "top_logprobs", 0, 20) or 0
    return ResponsesRequest(
        turn=_read_turn(fields, conversation),
        model=model,
        stream=_stream(fields),
        echo=echo,
        has_summary=read_object(fields, "reasoning").get("summary") is not None,
        has_seal="reasoning.encrypted_content" in include,
        top_logprobs=top_logprobs if "message.output_text.logprobs" in include else None,
    )


def count_input(body: bytes) -> int:
    """Count the input tokens of a request, which need not be one that would be answered.

    Raises:
        Problem: 400 or 404, it is no good request.
    """
    fields = decode(body)
    read_text(fields, "model")
    _refuse_what_is_absent(fields)
    instructions = read_text(fields, "instructions")
    conversation = read_input("" if fields.get("input") is None else fields["input"], instructions)
    read_tools(fields)
    return _count(fields, conversation)


def _count(fields: Fields, conversation: Conversation) -> int:
    return count_chat_input(conversation.messages, tools_of_chat(fields)) + conversation.reasoning_tokens


def _read_turn(fields: Fields, conversation: Conversation) -> Turn:
    asked = find_asked(conversation.messages)
    allowed, must_call = choose_tools(fields, read_tools(fields))
    form = _format(fields, conversation.messages)
    return msgspec.structs.replace(
        asked,
        tools=allowed,
        must_call=must_call,
        parallel_calls=read_flag(fields, "parallel_tool_calls", absent=True),
        form=form,
        cap=read_whole(fields, "max_output_tokens", LEAST_OUTPUT_TOKENS),
        effort=read_word(read_object(fields, "reasoning"), "effort", _EFFORTS, "reasoning.effort"),
        input_tokens=_count(fields, conversation),
    )


# ---- what is refused -------------------------------------------------------------------------------------


def _refuse_what_is_absent(fields: Fields) -> None:
    """Refuse Chat's names for what Responses calls otherwise, and whatever refers to something that was stored."""
    for name, new in _MOVED.items():
        if fields.get(name) is not None:
            raise Problem(
                400,
                f"Unsupported parameter: '{name}'. In the Responses API, this parameter has moved to '{new}'. Try again "
                "with the new parameter.",
                param=name,
                code="unsupported_parameter",
            )
    previous = read_text(fields, "previous_response_id")
    if previous is not None:
        raise Problem(
            400,
            f"Previous response with id '{previous[:200]}' not found.",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    for name in ("conversation", "prompt"):
        if fields.get(name) is not None:
            raise _keeps_nothing(name)
    if read_flag(fields, "background"):
        raise _keeps_nothing("background")


def _keeps_nothing(param: str) -> Problem:
    return Problem(
        400,
        f"Unsupported parameter: '{param}' is not supported by the sandbox, which keeps nothing between requests.",
        param=param,
        code="unsupported_parameter",
    )


def _stream(fields: Fields) -> bool:
    stream, options = read_stream(fields)
    if "include_usage" in options:
        raise Problem(
            400,
            "Unknown parameter: 'stream_options.include_usage'.",
            param="stream_options.include_usage",
            code="unknown_parameter",
        )
    return stream


def _include(fields: Fields) -> list[object]:
    include = read_list(fields, "include")
    for at, wanted in enumerate(include):
        if wanted not in _INCLUDES:
            raise unsupported_value(f"include[{at}]", wanted, _INCLUDES)
    return include


# ---- the form of the answer ------------------------------------------------------------------------------


def _format(fields: Fields, messages: list[Message]) -> Form | None:
    """The form of JSON that is wanted, if any."""
    form = read_object(read_object(fields, "text"), "format", "text.format")
    if not form:
        return None
    kind = need_word(form, "type", FORMATS, "text.format.type")
    if kind == "json_object" and not says_json(messages):
        raise Problem(
            400,
            "Response input messages must contain the word 'json' in some form to use 'text.format' of type "
            "'json_object'.",
            param="input",
        )
    if kind != "json_schema":
        return Form() if kind == "json_object" else None
    return read_schema(form, "text.format", blamed="text.format.schema")


def _echo(fields: Fields, model: str) -> Fields:
    """What OpenAI's answers say of the request, defaults filled in, in its order."""
    reasoning, text = read_object(fields, "reasoning"), read_object(fields, "text")
    summary = read_word(reasoning, "summary", _SUMMARIES, "reasoning.summary")
    verbosity = read_word(text, "verbosity", _VERBOSITIES, "text.verbosity")
    choice = fields.get("tool_choice")
    return {
        "background": False,
        "frequency_penalty": 0,
        "instructions": fields.get("instructions"),
        "max_output_tokens": fields.get("max_output_tokens"),
        "max_tool_calls": read_whole(fields, "max_tool_calls", 1),
        "model": model,
        "parallel_tool_calls": read_flag(fields, "parallel_tool_calls", absent=True),
        "presence_penalty": 0,
        "previous_response_id": None,
        "prompt_cache_key": read_text(fields, "prompt_cache_key"),
        "prompt_cache_retention": read_text(fields, "prompt_cache_retention"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": summary},
        "safety_identifier": read_text(fields, "safety_identifier"),
        "service_tier": read_tier(fields),
        "store": read_flag(fields, "store", absent=True),
        "temperature": _or(read_number(fields, "temperature", 0, 2), 1.0),
        "text": {"format": text.get("format") or {"type": "text"}, "verbosity": verbosity or "medium"},
        "tool_choice": "auto" if choice is None else choice,
        "tools": [_with_defaults(tool) for tool in read_list(fields, "tools")],
        "top_logprobs": read_whole(fields, "top_logprobs", 0, 20) or 0,
        "top_p": _or(read_number(fields, "top_p", 0, 1), 1.0),
        "truncation": read_word(fields, "truncation", _TRUNCATIONS) or "disabled",
        "user": read_text(fields, "user"),
        "metadata": read_object(fields, "metadata"),
    }


def _or(value: float | None, absent: float) -> float:
    return absent if value is None else value


def _with_defaults(tool: object) -> object:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        return tool
    return {"parameters": None, "strict": True, **tool}
