"""Count the input tokens of a Chat request, with no network (see `wire/tokens.py`)."""

import msgspec

from runapi.wire.openai_chat.request import NULL, ChatRequest
from runapi.wire.tokens import count_chat_input, count_text


def count_input(request: ChatRequest) -> int:
    """Count the tokens of a request's messages and tools; long ones take long."""
    messages, tools = request.fields["messages"], request.fields.get("tools", NULL)
    try:
        return count_chat_input(msgspec.json.decode(messages), msgspec.json.decode(tools))
    except (
        msgspec.DecodeError,
        RecursionError,
    ):  # a number of 5,000 digits; the upstream took it all the same
        return count_text(bytes(messages).decode()) + count_text(bytes(tools).decode())
