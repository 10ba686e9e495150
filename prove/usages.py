"""Every shape in which an upstream may report what a request consumed, true or not, and what it then means."""

import json
from collections.abc import Callable
from random import Random

import msgspec

from prove.calculator import Tokens
from prove.traffic import write_usage

MOST_PROMPT = 1_500  # tokens that the plain request of the proof can have
CAP = 2_000  # of output, where it asks for one
LONG = 272_000
_MOST_LONG, _MOST_OUTPUT = 900_000, 128_000
_TOO_MANY = 10_000_001  # no model counts so far


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One report, and what has to come of it."""

    text: str | None  # JSON; None: there is none
    tokens: (
        Tokens | None
    )  # as they are to be priced; None: it is not believed, and the gateway counts for itself
    is_open: bool = False  # the request holds a document, which may have any size
    is_beyond: bool = False  # it is more than what the request was allowed


def _counted(prompt: int, completion: int, **parts: int) -> Report:
    tokens = Tokens(
        prompt=prompt,
        completion=completion,
        cached=parts.get("cached", 0),
        cache_write=parts.get("cache_write", 0),
    )
    return Report(
        text=write_usage(prompt, completion, **parts),
        tokens=tokens,
        is_open=prompt > MOST_PROMPT or completion > CAP,
    )


def _few(chance: Random) -> tuple[int, int]:
    return chance.randint(1, MOST_PROMPT), chance.randint(1, CAP)


def _bare(chance: Random) -> Report:
    prompt, completion = _few(chance)
    text = json.dumps({"completion_tokens": completion, "prompt_tokens": prompt})
    return Report(text=text, tokens=Tokens(prompt=prompt, completion=completion))


def _cached(chance: Random) -> Report:
    prompt, completion = _few(chance)
    return _counted(prompt, completion, cached=chance.randint(1, prompt))


def _all_cached(chance: Random) -> Report:
    prompt, completion = _few(chance)
    return _counted(prompt, completion, cached=prompt)


def _written(chance: Random) -> Report:
    prompt, completion = _few(chance)
    return _counted(prompt, completion, cache_write=chance.randint(1, prompt))


def _cached_and_written(chance: Random) -> Report:
    prompt, completion = chance.randint(2, MOST_PROMPT), chance.randint(1, CAP)
    cached = chance.randint(1, prompt - 1)
    return _counted(prompt, completion, cached=cached, cache_write=chance.randint(1, prompt - cached))


def _reasoning(chance: Random) -> Report:
    prompt, completion = _few(chance)
    return _counted(prompt, completion, reasoning=chance.randint(1, completion))


def _reasoning_beyond(chance: Random) -> Report:
    prompt, completion = _few(chance)
    return _counted(prompt, completion, reasoning=completion + chance.randint(1, 1_000))


def _single(chance: Random) -> Report:
    return _counted(1, 0) if chance.random() < 0.5 else _counted(0, 1)


def _zero(_chance: Random) -> Report:
    return _counted(0, 0)


def _threshold(chance: Random) -> Report:
    prompt = LONG + chance.choice([-1, 0, 1])
    return _counted(
        prompt, chance.randint(1, CAP), cached=chance.choice([0, prompt, chance.randint(1, prompt)])
    )


def _long(chance: Random) -> Report:
    prompt = chance.randint(LONG + 1, _MOST_LONG)
    return _counted(
        prompt, chance.randint(1, _MOST_OUTPUT), cached=chance.choice([0, chance.randint(1, prompt)])
    )


def _long_written(chance: Random) -> Report:
    prompt = chance.randint(LONG + 1, _MOST_LONG)
    cached = chance.randint(1, prompt - 1)
    return _counted(
        prompt, chance.randint(1, CAP), cached=cached, cache_write=chance.randint(1, prompt - cached)
    )


def _cached_beyond(chance: Random) -> Report:
    prompt, completion = _few(chance)
    return _counted(prompt, completion, cached=prompt + chance.randint(1, 1_000))


def _written_beyond(chance: Random) -> Report:
    prompt, completion = chance.randint(2, MOST_PROMPT), chance.randint(1, CAP)
    return _counted(prompt, completion, cached=prompt // 2, cache_write=prompt + chance.randint(1, 1_000))


def _own_cost(chance: Random) -> Report:
    """An upstream that names a cost of its own, and more that nobody knows."""
    report = _cached(chance)
    fields = json.loads(report.text or "") | {"cost": 0.123456, "cost_details": {"cost": None}, "unit": "tök"}
    return msgspec.structs.replace(report, text=json.dumps(fields, ensure_ascii=False))


def _spaced(chance: Random) -> Report:
    """The same in another hand."""
    report = _cached(chance)
    return msgspec.structs.replace(report, text=json.dumps(json.loads(report.text or ""), indent=3))


def _too_long_an_answer(chance: Random) -> Report:
    prompt = chance.randint(1, MOST_PROMPT)
    completion = chance.randint(50 * CAP, 100 * CAP)
    tokens = Tokens(prompt=prompt, completion=completion)
    return Report(text=write_usage(prompt, completion), tokens=tokens, is_beyond=True)


def _missing(_chance: Random) -> Report:
    return Report(text=None, tokens=None)


def _garbage(chance: Random) -> Report:
    prompt, completion = _few(chance)
    good = json.loads(write_usage(prompt, completion))
    wrong = chance.choice([-prompt, str(prompt), None, [prompt], True, prompt + 0.5, _TOO_MANY, 10**30])
    texts: list[object] = [
        *("null", "[]", "{}", "17", '"many"', '{"total_tokens": 5}'),
        json.dumps(good | {"prompt_tokens": wrong}),
        json.dumps(good | {"completion_tokens": wrong}),
        json.dumps(good | {"prompt_tokens_details": {"cached_tokens": -1}}),
        json.dumps(good | {"completion_tokens_details": "few"}),
    ]
    return Report(text=str(chance.choice(texts)), tokens=None)


SHAPES: dict[str, Callable[[Random], Report]] = {
    draw.__name__.strip("_").replace("_", " "): draw
    for draw in (
        *(
            _bare,
            _cached,
            _all_cached,
            _written,
            _cached_and_written,
            _reasoning,
            _reasoning_beyond,
            _single,
            _zero,
        ),
        *(_threshold, _long, _long_written, _cached_beyond, _written_beyond, _own_cost, _spaced),
        *(_too_long_an_answer, _missing, _garbage),
    )
}
