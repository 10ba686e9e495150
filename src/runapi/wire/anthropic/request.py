"""A Messages request: its outermost fields as raw bytes, and those of them that decide something.

What stands inside the messages is read by `read_messages`, and only where they must be translated. Fields that are not
known, of betas too, are let through.
"""

from enum import StrEnum
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Raw

from runapi.core import problems
from runapi.core.problems import Problem
from runapi.wire.decode import decode_part
from runapi.wire.half_characters import read_mended
from runapi.wire.openai_chat.request import NULL, Fields, SkippedList, read_fields
from runapi.wire.refusals import unknown_word, unsupported

MOST_STOPS = 64
MOST_STOP_CHARACTERS = 256
LEAST_BUDGET = 1_024

_Role = Literal["user", "assistant", "system"]
_ROLES = get_args(_Role)
_THINKING_TYPES = ("enabled", "adaptive", "between_tools", "disabled")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_CHOICES = ("auto", "any", "tool", "none")
_CONTENT_STARTS = (b'"', b"[")


class Thinking(StrEnum):
    """What of the model's thinking the client wants to see."""

    HIDDEN = "hidden"  # nothing; many a client takes the first block for the answer
    OMITTED = "omitted"  # blocks that carry a signature and no text
    SHOWN = "shown"


class Message(msgspec.Struct):
    role: _Role
    content: Raw = NULL


class _ThinkingConfig(msgspec.Struct):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


class _OutputConfig(msgspec.Struct):
    effort: str | None = None
    format: Raw = NULL


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _ToolChoice(msgspec.Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _ToolHead(msgspec.Struct):
    type: str | None = None
    name: str | None = None


class Known(msgspec.Struct):
    """The fields that decide something here."""

    model: str
    messages: Annotated[list[Message], Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    system: Raw = NULL
    stream: bool | None = None
    thinking: _ThinkingConfig | None = None
    output_config: _OutputConfig | None = None
    output_format: Raw = NULL
    tools: list[_ToolHead] | None = None
    tool_choice: _ToolChoice | None = None
    metadata: _Metadata | None = None
    stop_sequences: list[str] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    service_tier: str | None = None
    mcp_servers: SkippedList | None = None
    thread: Raw = NULL

    @property
    def calls_servers(self) -> bool:
        """Whether Anthropic is to call tools by itself."""
        return self.mcp_servers is not None and not self.mcp_servers.is_empty


class MessagesRequest(msgspec.Struct, frozen=True):
    """A request whose outermost fields have the right types; what stands in its messages is not read yet."""

    fields: Fields
    model: str
    stream: bool
    max_tokens: int | None  # None: a request to count tokens, which has no answer to limit
    service_tier: str | None
    thinking: Thinking
    tool_types: frozenset[str]  # of tools that are not the client's own functions
    known: Known


def read_messages_request(body: bytes) -> MessagesRequest:
    """Read the body of a request for a message.

    Raises:
        Problem: 400, naming the parameter and what was expected.
    """
    request = read_count_request(body)
    if request.max_tokens is None:
        raise problems.missing_parameter("max_tokens")
    if request.known.thread != NULL:
        raise unsupported("thread", "No messages are kept between requests. Send the whole conversation.")
    return request


def read_count_request(body: bytes) -> MessagesRequest:
    """Read the body of a request to count tokens, which is the same but for `max_tokens`.

    Raises:
        Problem: 400, naming the parameter and what was expected.
    """
    fields, body = read_mended(read_fields, body)
    known = _read_known(body)
    _check(known)
    thinking, tools = known.thinking, known.tools or ()
    known.tools = None  # there may be millions, and the fields have them
    return MessagesRequest(
        fields=fields,
        model=known.model,
        stream=known.stream is True,
        max_tokens=known.max_tokens,
        service_tier=known.service_tier,
        thinking=Thinking.HIDDEN if thinking is None else _read_display(thinking),
        tool_types=frozenset(tool.type for tool in tools if tool.type not in (None, "custom")),
        known=known,
    )


def _read_known(body: bytes) -> Known:
    """Read the fields that are known; a role is the one thing in them that is a word of a few."""
    try:
        return decode_part(body, Known, words=_ROLES)
    except Problem as problem:
        if problem.param == "messages" and problem.code == "invalid_value":
            raise problems.empty_array("messages") from None
        raise


def _check(known: Known) -> None:
    """Check what types alone do not say."""
    for index, message in enumerate(known.messages):
        if message.content == NULL:
            raise problems.missing_parameter(f"messages[{index}].content")
        _check_text_or_list(message.content, f"messages[{index}].content")
    if known.system != NULL:
        _check_text_or_list(known.system, "system")
    if known.thinking is not None:
        _check_thinking(known.thinking)
    if known.output_config is not None and known.output_config.effort is not None:
        _check_word("output_config.effort", known.output_config.effort, _EFFORTS)
    if known.tool_choice is not None:
        _check_word("tool_choice.type", known.tool_choice.type, _CHOICES)
        if known.tool_choice.type == "tool" and not known.tool_choice.name:
            raise problems.missing_parameter("tool_choice.name")
    _check_stops(known.stop_sequences or [])


def _check_text_or_list(raw: Raw, param: str) -> None:
    if not bytes(raw).startswith(_CONTENT_STARTS):
        raise problems.invalid_type(param, "a string or an array", "another type")


def _check_thinking(thinking: _ThinkingConfig) -> None:
    _check_word("thinking.type", thinking.type, _THINKING_TYPES)
    if thinking.type != "enabled":
        return
    if thinking.budget_tokens is None:
        raise problems.missing_parameter("thinking.budget_tokens")
    if thinking.budget_tokens < LEAST_BUDGET:
        raise problems.invalid_value(
            "thinking.budget_tokens",
            f"expected at least {LEAST_BUDGET}, but got {thinking.budget_tokens} instead.",
        )


def _check_stops(stops: list[str]) -> None:
    if len(stops) > MOST_STOPS:
        raise problems.invalid_value("stop_sequences", f"expected at most {MOST_STOPS} sequences.")
    for index, stop in enumerate(stops):
        if not 0 < len(stop) <= MOST_STOP_CHARACTERS:
            raise problems.invalid_value(
                f"stop_sequences[{index}]", f"expected 1 to {MOST_STOP_CHARACTERS} characters."
            )


def _check_word(param: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise unknown_word(param, word, words)


def _read_display(thinking: _ThinkingConfig) -> Thinking:
    if thinking.type == "disabled":
        return Thinking.HIDDEN
    return Thinking.OMITTED if thinking.display == "omitted" else Thinking.SHOWN
