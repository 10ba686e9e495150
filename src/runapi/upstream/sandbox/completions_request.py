"""Read a legacy Completions request into one `Turn` per prompt; refuse what OpenAI refuses."""

import hashlib

import msgspec

from runapi.core.problems import Problem, empty_array, invalid_type, invalid_value
from runapi.upstream.sandbox.directives import NONE, has_directives, read_directives
from runapi.upstream.sandbox.fields import (
    Fields,
    check_sampling,
    decode,
    read_flag,
    read_model,
    read_stops,
    read_stream,
    read_text,
    read_whole,
    type_name,
)
from runapi.upstream.sandbox.turns import Turn
from runapi.wire.tokens import count_text, join_tokens

MOST_CHOICES = 128

_USUAL_CAP = 16
_MOST_LOGPROBS = 5
_MOST_BEST_OF = 20
_PROMPT = "one of a string, array of strings or array of tokens"


class CompletionsRequest(msgspec.Struct, frozen=True):
    """A request as it was read. Each turn asks for as many answers as are made; `shown` of them are given."""

    turns: tuple[Turn, ...]
    prompts: tuple[str, ...]
    shown: int
    model: str
    stream: bool
    include_usage: bool
    echo: bool
    logprobs: int | None


def read_request(body: bytes) -> CompletionsRequest:
    """Read a body.

    Raises:
        Problem: 400, it is no good request.
        DirectiveFault: a directive in it cannot be understood.
    """
    fields = decode(body)
    model = read_model(fields)
    prompts = _prompts(fields.get("prompt"))
    stream, options = read_stream(fields)
    check_sampling(fields)
    shown, made = _counts(fields, stream=stream)
    if len(prompts) * made > MOST_CHOICES:
        raise invalid_value("prompt", f"the sandbox writes at most {MOST_CHOICES} completions a request.")
    cap = read_whole(fields, "max_tokens", 0)
    cap = _USUAL_CAP if cap is None else cap
    return CompletionsRequest(
        turns=tuple(_turn(fields, prompt, made, cap) for prompt in prompts),
        prompts=tuple(prompts),
        shown=shown,
        model=model,
        stream=stream,
        include_usage=read_flag(options, "include_usage"),
        echo=_echo(fields, cap),
        logprobs=read_whole(fields, "logprobs", 0, _MOST_LOGPROBS),
    )


def _turn(fields: Fields, prompt: str, count: int, cap: int) -> Turn:
    suffix = read_text(fields, "suffix") or ""
    return Turn(
        seed=hashlib.blake2b(prompt.encode(), digest_size=16).digest(),
        text=prompt,
        directives=read_directives(prompt) if has_directives(prompt) else NONE,
        cap=cap,
        stop=read_stops(fields),
        count=count,
        input_tokens=count_text(prompt) + count_text(suffix),
    )


def _counts(fields: Fields, *, stream: bool) -> tuple[int, int]:
    """How many answers are given, and of how many they are the best."""
    shown = read_whole(fields, "n", 1, MOST_CHOICES) or 1
    made = read_whole(fields, "best_of", 0, _MOST_BEST_OF) or shown
    if made < shown:
        raise Problem(
            400,
            "You requested that the server return more choices than it will generate (HINT: you must set 'n' (currently "
            f"{shown}) to be at most 'best_of' (currently {made}), or omit either parameter if you don't specifically "
            "want to use them.)",
            param="best_of",
        )
    if stream and made > shown:
        raise Problem(400, "Results cannot be streamed where 'best_of' is greater than 'n'.", param="best_of")
    return shown, made


def _echo(fields: Fields, cap: int) -> bool:
    echo = read_flag(fields, "echo")
    if cap == 0 and not echo:
        raise invalid_value("max_tokens", "0 is only allowed together with 'echo'.")
    if echo and fields.get("logprobs") is not None:
        text = "Setting 'echo' and 'logprobs' at the same time is not supported for this model."
        raise Problem(400, text, param="logprobs")
    return echo


# ---- prompts ---------------------------------------------------------------------------------------------


def _prompts(value: object) -> list[str]:
    if value is None:
        return [""]
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise invalid_type("prompt", _PROMPT, type_name(value))
    if not value:
        raise empty_array("prompt")
    if all(isinstance(one, int) and not isinstance(one, bool) for one in value):
        return [_spelled(value, "prompt")]
    return [_prompt(one, f"prompt[{at}]") for at, one in enumerate(value)]


def _prompt(value: object, param: str) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise invalid_type(param, "one of a string or array of tokens", type_name(value))
    if not value:
        raise empty_array(param)
    return _spelled(value, param)


def _spelled(tokens: list[object], param: str) -> str:
    numbers = [token for token in tokens if isinstance(token, int) and not isinstance(token, bool)]
    text = join_tokens(numbers) if len(numbers) == len(tokens) else None
    if text is None:
        raise invalid_value(param, "it holds something that is no token.")
    return text
