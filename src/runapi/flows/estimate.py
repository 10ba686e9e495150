"""Count tokens here, where an upstream did not say how many there were."""

import asyncio
from collections.abc import Callable

from runapi.core.usage import Usage
from runapi.wire.tokens import count_text


async def estimate_usage(count_input: Callable[[], int], text: str, text_length: int) -> Usage:
    """Count a request's input and the answer's text, in a thread of its own: long texts take long.

    Args:
        count_input: counts the input.
        text: the answer, or its beginning.
        text_length: characters of the whole answer; the rest is taken to be as dense as the beginning.
    """
    return await asyncio.to_thread(_count, count_input, text, text_length)


def _count(count_input: Callable[[], int], text: str, text_length: int) -> Usage:
    return Usage(input=count_input(), output=count_output(text, text_length))


def count_output(text: str, text_length: int) -> int:
    """Count an answer's tokens; what is longer than `text` is taken to be as dense."""
    output = count_text(text)
    return -(-output * text_length // len(text)) if text_length > len(text) else output
