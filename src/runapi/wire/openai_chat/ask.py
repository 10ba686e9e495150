"""A Chat request in neutral form, and a neutral request as a Chat body.

Every field of the request is either carried, or known to change nothing of the answer, or refused by its name.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.core.bridge_problems import unknown_parameter
from runapi.wire.neutral import Asked
from runapi.wire.openai_chat.read_messages import read_items
from runapi.wire.openai_chat.read_tools import read_choice, read_format, read_tools
from runapi.wire.openai_chat.request import NULL, ChatRequest, Fields, decode_part, read_fields, read_text
from runapi.wire.openai_chat.write_messages import write_messages
from runapi.wire.openai_chat.write_tools import write_choice, write_format, write_tool
from runapi.wire.refusals import unsupported

MOST_STOPS = 4
T = TypeVar("T")

_CARRIED = frozenset(
    (
        *(
            "model",
            "messages",
            "stream",
            "stream_options",
            "tools",
            "functions",
            "tool_choice",
            "function_call",
        ),
        *("parallel_tool_calls", "response_format", "reasoning_effort", "verbosity", "max_completion_tokens"),
        *(
            "max_tokens",
            "temperature",
            "top_p",
            "stop",
            "logprobs",
            "top_logprobs",
            "service_tier",
            "metadata",
        ),
        *("user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"),
    )
)
_WITHOUT_EFFECT = frozenset(
    # on the answer: hints to the upstream, what it should keep of the exchange, and our own field
    ("max_cost", "prompt_cache_options", "seed", "store")
)
_REFUSED = {
    # field: the values that ask for nothing, and what to do about all others
    "audio": ((), "Ask for text only."),
    "frequency_penalty": ((b"0", b"0.0"), "Leave it out."),
    "logit_bias": ((b"{}",), "Leave it out."),
    "modalities": ((b'["text"]',), "Ask for text only."),
    "moderation": ((), "Leave it out, or use /v1/moderations."),
    "n": ((b"1",), "Send one request for each answer."),
    "prediction": ((), "Leave it out."),
    "presence_penalty": ((b"0", b"0.0"), "Leave it out."),
    "web_search_options": ((), "Leave it out, or give the model a function tool that searches."),
}

_decode_flag = msgspec.json.Decoder(bool).decode
_decode_float = msgspec.json.Decoder(float).decode
_decode_int = msgspec.json.Decoder(int).decode
_decode_stops = msgspec.json.Decoder(str | list[str]).decode


def to_asked(request: ChatRequest) -> Asked:
    """Read all that a request asks.

    Raises:
        Problem: 400, naming what is wrong, or what has no neutral form.
    """
    fields = read_fields(msgspec.json.encode(request.fields))  # not nested too deeply for what follows
    _refuse_unsayable(fields)
    tools = read_tools(fields)
    newer = _read(fields, "max_completion_tokens", _decode_int)
    return Asked(
        model=request.model,
        items=read_items(fields["messages"]),
        stream=request.stream,
        tools=tools,
        choice=read_choice(fields) if tools else None,  # as `tools: []`, which is the same as none
        parallel_calls=_read_parallel_calls(fields) if tools else None,
        format=read_format(fields),
        effort=read_text(fields, "reasoning_effort"),
        verbosity=read_text(fields, "verbosity"),
        output_cap=newer if newer is not None else _read(fields, "max_tokens", _decode_int),
        temperature=_read(fields, "temperature", _decode_float),
        top_p=_read(fields, "top_p", _decode_float),
        stop=read_stops(fields),
        logprobs=_read(fields, "logprobs", _decode_flag) is True,
        top_logprobs=_read(fields, "top_logprobs", _decode_int),
        service_tier=read_text(fields, "service_tier"),
        metadata=_read(fields, "metadata", Raw),
        user=read_text(fields, "user"),
        safety_identifier=read_text(fields, "safety_identifier"),
        cache_key=read_text(fields, "prompt_cache_key"),
        cache_retention=read_text(fields, "prompt_cache_retention"),
        wants_usage=request.wants_usage,
    )


def read_stops(fields: Fields) -> tuple[str, ...]:
    """Read `stop`, for the upstream or for the gateway to enforce; an empty string asks for nothing.

    Raises:
        Problem: 400, not a string or a list of at most MOST_STOPS strings.
    """
    stops = _read(fields, "stop", _decode_stops)
    if stops is None:
        return ()
    if isinstance(stops, str):
        stops = [stops]
    if len(stops) > MOST_STOPS:
        raise problems.invalid_value(
            "stop", f"expected at most {MOST_STOPS} sequences, but got {len(stops)}."
        )
    return tuple(stop for stop in stops if stop)


def asks_for_functions(fields: Fields) -> bool:
    """Whether the client calls its tools `functions`, as was done before there were tools, and reads no others."""
    return fields.get("functions", NULL) != NULL and fields.get("tools", NULL) == NULL


def write_asked(asked: Asked, model: str, output_cap: int | None) -> bytes:
    """Write the body for an upstream that speaks Chat; of a stream it is to report the usage.

    Args:
        asked: what is asked.
        model: the upstream's name for the model.
        output_cap: the most output tokens that were paid for; a lower cap of the client's holds.

    Raises:
        Problem: 400, Chat cannot say it.
    """
    caps = [cap for cap in (output_cap, asked.output_cap) if cap is not None]
    body: dict[str, object] = {
        "model": model,
        "messages": write_messages(asked.items),
        "max_completion_tokens": min(caps, default=None),
        "reasoning_effort": asked.effort,
        "verbosity": asked.verbosity,
        "response_format": None if asked.format is None else write_format(asked.format),
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "stop": asked.stop or None,
        "logprobs": asked.logprobs or None,
        "top_logprobs": asked.top_logprobs if asked.logprobs else None,
        "service_tier": asked.service_tier,
        "metadata": asked.metadata,
        "user": asked.user,
        "safety_identifier": asked.safety_identifier,
        "prompt_cache_key": asked.cache_key,
        "prompt_cache_retention": asked.cache_retention,
    }
    if asked.tools:
        body["tools"] = [write_tool(tool) for tool in asked.tools]
        body["tool_choice"] = None if asked.choice is None else write_choice(asked.choice)
        body["parallel_tool_calls"] = asked.parallel_calls
    if asked.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None})


def _read(fields: Fields, name: str, decode: Callable[[Raw], T]) -> T | None:
    raw = fields.get(name)
    return None if raw is None or raw == NULL else decode_part(name, raw, decode)


def _read_parallel_calls(fields: Fields) -> bool | None:
    """Whether several tools may be called at once; who reads `function_call` can take one alone."""
    return False if asks_for_functions(fields) else _read(fields, "parallel_tool_calls", _decode_flag)


def _refuse_unsayable(fields: Fields) -> None:
    for name, raw in fields.items():
        if name in _CARRIED or name in _WITHOUT_EFFECT or raw == NULL:
            continue
        if name not in _REFUSED:
            raise unknown_parameter(name[:100])
        harmless, explanation = _REFUSED[name]
        if bytes(raw) not in harmless:
            raise unsupported(name, explanation)
