"""How much a model takes: what is longer is refused, as OpenAI refuses it, and long before it would be read to its end."""

from collections.abc import Iterator, Mapping

import msgspec

from runapi.core.problems import Problem
from runapi.wire.tokens import count_text

Limits = Mapping[str, int]
"""The most input tokens of each model; one that is not in it takes any number."""

NO_LIMITS: Limits = {}

_SLICE_CHARACTERS = 200_000
_LOST_A_SLICE = 4  # a text that is cut has some tokens more
_LONG_BODY = 8  # bytes for each token that a model takes: ordinary text has half of that
_CODE = "context_length_exceeded"


class _Named(msgspec.Struct):
    model: str = ""


def check_body(body: bytes, limits: Limits) -> int | None:
    """Find out of a very long body alone that its model cannot take it, having counted no more than that takes.

    Returns:
        The most tokens that the model takes, if the body holds more for sure.
    """
    if not limits or len(body) <= _LONG_BODY * min(limits.values()):
        return None
    try:
        most = limits.get(msgspec.json.decode(body, type=_Named).model)
        if most is None or len(body) <= _LONG_BODY * most:
            return None
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # the planner says what is wrong with it
    prompts = fields.get("prompt")
    parts = prompts if isinstance(prompts, list) else [fields]  # each prompt is a request of its own
    return most if any(_has_more(part, most) for part in parts) else None


def has_more(text: str, most: int) -> bool:
    """Whether a text has more than `most` tokens for sure, having counted no more than that takes."""
    return len(text) > _LONG_BODY * most and _has_more(text, most)


def messages_too_long(most: int, got: int | None) -> Problem:
    """The refusal of Chat Completions and of older APIs; `got` is None where nobody counted to the end."""
    found = f"more than {most}" if got is None else str(got)
    return Problem(
        400,
        f"This model's maximum context length is {most} tokens. However, your messages resulted in {found} tokens. "
        "Please reduce the length of the messages.",
        param="messages",
        code=_CODE,
    )


def input_too_long() -> Problem:
    """The refusal of Responses."""
    return Problem(
        400,
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        param="input",
        code=_CODE,
    )


def prompt_too_long(most: int, got: int | None) -> Problem:
    """The refusal of legacy Completions."""
    found = f"more than {most}" if got is None else str(got)
    return Problem(
        400,
        f"This model's maximum context length is {most} tokens, however you requested {found} tokens in your prompt. "
        "Please reduce your prompt.",
        code=_CODE,
    )


def _has_more(value: object, most: int) -> bool:
    left = most
    for text in _texts(value):
        for start in range(0, len(text), _SLICE_CHARACTERS):
            left -= max(count_text(text[start : start + _SLICE_CHARACTERS]) - _LOST_A_SLICE, 0)
            if left < 0:
                return True
    return False


def _texts(value: object) -> Iterator[str]:
    """All texts in a JSON value that are counted as they stand: what an image or a file holds is not."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, list):
            waiting.extend(part)
        elif isinstance(part, dict):
            waiting.extend(part[key] for key in _COUNTED if key in part)


_COUNTED = ("messages", "input", "instructions", "prompt", "content", "output", "text")
