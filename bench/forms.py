"""The protocols in which streams are asked for, and what of each the load generator counts."""

from enum import StrEnum

import msgspec


class Form(StrEnum):
    """How a client asks for a stream, and so what the gateway has to do with it."""

    CHAT = "chat"  # passed on as it is
    BRIDGE = "bridge"  # Chat, with a tool beside reasoning: the upstream is asked on /v1/responses
    MESSAGES = "messages"  # Anthropic's, likewise


class Marks(msgspec.Struct, frozen=True):
    """What a whole stream must have."""

    path: str
    extra_events: int  # beside those with content
    content: bytes  # stands in front of a text
    end: bytes


_CHAT = Marks("/v1/chat/completions", 3, b'"content":"', b"data: [DONE]\n\n")  # role, finish, usage
MARKS = {
    Form.CHAT: _CHAT,
    Form.BRIDGE: _CHAT,
    Form.MESSAGES: Marks(
        "/v1/messages",
        5,  # the message's beginning, delta and end; the block's beginning and end
        b'"text":"',
        b'data: {"type":"message_stop"}\n\n',
    ),
}
