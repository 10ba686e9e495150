"""What Anthropic sells dearer than any price known here, where the tokens alone do not show it."""

import re
from collections.abc import Iterator, Mapping, MutableMapping

import msgspec

from runapi.core.catalog import Model
from runapi.core.problems import Problem, bad_json
from runapi.wire.openai_chat.request import Fields
from runapi.wire.refusals import unsupported

_BETAS = "anthropic-beta"
_LONG_CONTEXT = "context-1m-"
_PLAIN_CONTEXT = 200_000  # tokens: a longer input needs the beta, and is dearer
_PLAIN_TTLS = (None, "5m")
_MAY_NAME_A_TTL = re.compile(rb'"ttl"|\\u00[2-7]')  # or says it with escapes, as nobody writes a plain letter
_NOT_ANTHROPICS = frozenset(("input", "input_schema"))  # what the client's own tools are given


def take_out_dear_betas(headers: MutableMapping[str, str], model: Model) -> tuple[str, ...]:
    """Take the beta for long inputs out of what goes upstream, where the model is sold without them.

    Returns:
        The header's name, if something of it is left out.
    """
    if model.max_input_tokens > _PLAIN_CONTEXT or _LONG_CONTEXT not in headers.get(_BETAS, "").lower():
        return ()
    betas = [beta.strip() for beta in headers.pop(_BETAS).split(",")]
    kept = [beta for beta in betas if not beta.lower().startswith(_LONG_CONTEXT)]
    if kept:
        headers[_BETAS] = ",".join(kept)
    return (_BETAS,)


def refuse_dear_cache(fields: Fields) -> None:
    """Refuse a cache that is kept for longer than the one whose price is known.

    Raises:
        Problem: 400, naming the place.
    """
    for name, raw in fields.items():
        if _MAY_NAME_A_TTL.search(raw):
            try:
                value = msgspec.json.decode(raw)
            except ValueError:  # what JSON allows and nobody can read, such as a number of 5,000 digits
                raise bad_json() from None
            ahead: list[tuple[str, object]] = [(name, value)]
            while ahead:
                param, value = ahead.pop()
                _check(param, value)
                ahead.extend(_inside(param, value))


def _inside(param: str, value: object) -> Iterator[tuple[str, object]]:
    match value:
        case list(items):
            yield from ((f"{param}[{index}]", item) for index, item in enumerate(items))
        case dict(members):
            yield from (
                (f"{param}.{name}", member)
                for name, member in members.items()
                if name not in _NOT_ANTHROPICS and isinstance(member, dict | list)
            )


def _check(param: str, value: object) -> None:
    if param == "cache_control":
        _check_control(param, value)
    elif isinstance(value, Mapping):
        _check_control(f"{param}.cache_control", value.get("cache_control"))


def _check_control(param: str, control: object) -> None:
    if isinstance(control, Mapping) and control.get("ttl") not in _PLAIN_TTLS:
        raise _no_price(f"{param}.ttl")


def _no_price(param: str) -> Problem:
    return unsupported(param, "No price is known for a cache that is kept longer than '5m'. Leave it out.")
