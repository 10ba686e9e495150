"""The names of sessions and users at an upstream, where all customers share one account."""

from hashlib import sha256
from typing import TypeVar

import msgspec
from msgspec import Raw

from runapi.wire.endpoints.way import Caller
from runapi.wire.normalise import UpstreamRequest
from runapi.wire.older_request import OlderRequest
from runapi.wire.openai_chat.request import Fields, is_null, read_text

_HEADERS = (
    # of Codex, OpenCode and Claude Code (clients.md 1.16): what shares the beginning of its prompts
    b"session-id",
    b"session_id",
    b"x-session-id",
    b"x-session-affinity",
    b"x-claude-code-session-id",
    b"thread-id",
)
_DIGITS = 32
_NAMES = ("prompt_cache_key", "safety_identifier", "user")
"""Fields by which an upstream tells its users apart: whom it blocks is blocked in all requests with the same name."""

WithFields = TypeVar("WithFields", UpstreamRequest, OlderRequest)


def session_of(caller: Caller, key: str | None) -> str | None:
    """Name a caller's session to an upstream: by the request's own key for it, or else by its headers."""
    named = (value.decode("latin-1") for name in _HEADERS if (value := caller.headers.get(name)))
    key = key or next(named, None)
    return None if not key else apart(caller, key)


def apart(caller: Caller, key: str) -> str:
    """Make of a name one that no other account has: all share the upstream's account."""
    return sha256(f"{caller.account_id}:{key}".encode(errors="replace")).hexdigest()[:_DIGITS]


def with_names_apart(request: WithFields, caller: Caller) -> WithFields:
    """Give a request's names for its user and session the form that no other account has.

    Raises:
        Problem: 400, one of them is no string.
    """
    given = {name: text for name in _NAMES if (text := read_text(request.fields, name)) is not None}
    if not given:
        return request
    names = {name: Raw(msgspec.json.encode(apart(caller, text))) for name, text in given.items()}
    return msgspec.structs.replace(request, fields=request.fields | names)


def with_user_id_apart(fields: Fields, caller: Caller) -> Fields:
    """Do the same for the fields of a Messages request, which names its user in `metadata`."""
    raw = fields.get("metadata")
    if raw is None or is_null(raw):
        return fields
    metadata = msgspec.json.decode(raw, type=Fields)
    user_id = read_text(metadata, "user_id")
    if user_id is None:
        return fields
    metadata["user_id"] = Raw(msgspec.json.encode(apart(caller, user_id)))
    return fields | {"metadata": Raw(msgspec.json.encode(metadata))}
