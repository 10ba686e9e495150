"""A Messages request as the neutral form says it, and the other way round."""

from hashlib import sha256

import msgspec

from runapi.core import problems
from runapi.wire.anthropic.effort import read_effort
from runapi.wire.anthropic.read_messages import read_messages, read_system
from runapi.wire.anthropic.read_tools import read_choice, read_format, read_tools
from runapi.wire.anthropic.request import MessagesRequest, Thinking
from runapi.wire.anthropic.write_ask import left_out, upstream_headers, write_asked
from runapi.wire.neutral import Asked
from runapi.wire.openai_chat.request import is_null
from runapi.wire.refusals import unsupported

__all__ = ["dropped", "left_out", "to_asked", "upstream_headers", "write_asked"]

_MOST_IDENTIFIER = 64  # of OpenAI's safety_identifier
_MOST_CACHE_KEY = 64
_OLD_SESSION = "_session_"
_WITHOUT_EQUAL = ("top_k", "context_management", "container", "inference_geo", "speed", "fallbacks")


class _UserId(msgspec.Struct):
    session_id: str | None = None
    account_uuid: str | None = None
    device_id: str | None = None


_decode_user_id = msgspec.json.Decoder(_UserId).decode


def to_asked(request: MessagesRequest) -> Asked:
    """Say in the neutral form what a request asks that `read_messages_request` or `read_count_request` accepted.

    Raises:
        Problem: 400, naming what no other dialect can say.
    """
    known = request.known
    if known.calls_servers:
        raise unsupported("mcp_servers", "Anthropic alone calls them for you. Give the model tools instead.")
    if known.max_tokens == 0:
        raise problems.invalid_value("max_tokens", "expected at least 1, but got 0 instead.")
    raw_tools = request.fields.get("tools")
    tools = () if raw_tools is None or is_null(raw_tools) else read_tools(raw_tools)
    choice, parallel = read_choice(known)
    thinking, config, metadata = known.thinking, known.output_config, known.metadata
    caller = _read_user_id(None if metadata is None else metadata.user_id)
    return Asked(
        model=request.model,
        items=(*read_system(known.system), *read_messages(known.messages)),
        stream=request.stream,
        tools=tools,
        choice=choice if tools else None,
        parallel_calls=parallel if tools else None,
        format=read_format(known),
        effort=read_effort(
            None if thinking is None else thinking.type,
            None if thinking is None or thinking.type != "enabled" else thinking.budget_tokens,
            None if config is None else config.effort,
        ),
        summary="auto" if request.thinking is Thinking.SHOWN else None,
        output_cap=known.max_tokens,
        temperature=known.temperature,
        top_p=known.top_p,
        stop=tuple(known.stop_sequences or ()),
        service_tier="default" if known.service_tier == "standard_only" else None,
        safety_identifier=_identifier(caller.user),
        cache_key=_cache_key(caller.session),
    )


def dropped(request: MessagesRequest) -> tuple[str, ...]:
    """The parameters that `to_asked` leaves out although they ask for something: the client should be told."""
    return tuple(
        name for name in _WITHOUT_EQUAL if name in request.fields and not is_null(request.fields[name])
    )


class _Caller(msgspec.Struct):
    """Who sends a request, and in which session."""

    user: str | None = None
    session: str | None = None


def _read_user_id(user_id: str | None) -> _Caller:
    """Read a user's id: as it is, or as Claude Code writes it, with the session in it.

    The requests of a session share the beginning of their prompts, and those of a user their user.
    """
    if not user_id:
        return _Caller()
    if user_id.startswith("{"):
        try:
            named = _decode_user_id(user_id)
        except (msgspec.DecodeError, RecursionError):
            return _Caller(user_id)
        return _Caller(named.account_uuid or named.device_id or user_id, named.session_id)
    user, _, session = user_id.partition(_OLD_SESSION)
    return _Caller(user or user_id, session)


def _identifier(user: str | None) -> str | None:
    """Tell users apart by no more than OpenAI takes; a longer name goes as its digest."""
    if not user:
        return None
    return user if len(user) <= _MOST_IDENTIFIER else sha256(user.encode()).hexdigest()


def _cache_key(session: str | None) -> str | None:
    return session if session and len(session) <= _MOST_CACHE_KEY else None
