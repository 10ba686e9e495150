"""Count tokens here, where an upstream did not say how many there were."""

import asyncio

import msgspec

from runapi.core.usage import Usage
from runapi.wire.openai_chat.request import NULL, ChatRequest
from runapi.wire.tokens import count_chat_input, count_text


async def estimate_usage(request: ChatRequest, text: str, text_length: int) -> Usage:
    """Count a request's input and the answer's text, in a thread of its own: long texts take long.

    Args:
        request: as the client sent it.
        text: the answer, or its beginning.
        text_length: characters of the whole answer; the rest is taken to be as dense as the beginning.
    """
    return await asyncio.to_thread(_count, request, text, text_length)


def _count(request: ChatRequest, text: str, text_length: int) -> Usage:
    return Usage(input=count_input(request), output=count_output(text, text_length))


def count_output(text: str, text_length: int) -> int:
    """Count an answer's tokens; what is longer than `text` is taken to be as dense."""
    output = count_text(text)
    return -(-output * text_length // len(text)) if text_length > len(text) else output


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
