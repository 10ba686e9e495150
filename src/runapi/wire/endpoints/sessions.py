"""The names of sessions, by which an upstream finds again what it has cached of a prompt."""

from hashlib import sha256

from runapi.wire.endpoints.way import Caller

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


def session_of(caller: Caller, key: str | None) -> str | None:
    """Name a caller's session to an upstream: by the request's own key for it, or else by its headers."""
    named = (value.decode("latin-1") for name in _HEADERS if (value := caller.headers.get(name)))
    key = key or next(named, None)
    return None if not key else apart(caller, key)


def apart(caller: Caller, key: str) -> str:
    """Make of a name one that no other account has: all share the upstream's account."""
    return sha256(f"{caller.account_id}:{key}".encode(errors="replace")).hexdigest()[:_DIGITS]
