"""The ways in which requests are written."""

from enum import StrEnum


class Dialect(StrEnum):
    """A way in which a request is written, by a client or to an upstream."""

    CHAT = "openai_chat"
    RESPONSES = "openai_responses"
    ANTHROPIC = "anthropic"


ENDPOINTS = {
    Dialect.CHAT: "/v1/chat/completions",
    Dialect.RESPONSES: "/v1/responses",
    Dialect.ANTHROPIC: "/v1/messages",
}
"""The names of the dialects in a model's `endpoints`."""
