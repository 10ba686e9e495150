"""Speak the moderations API as OpenAI does. Nothing is judged: scores look like chance, and are all very low.

A text with the `refuse` directive is flagged, so that a program can be tried on both.
"""

import hashlib

import msgspec

from runapi.core.problems import empty_array, invalid_type, invalid_value, missing_parameter
from runapi.upstream.sandbox.answers import letters
from runapi.upstream.sandbox.context import Limits
from runapi.upstream.sandbox.directives import NONE, Directives, read_directives
from runapi.upstream.sandbox.fields import (
    decode,
    need_object,
    read_object,
    read_text,
    type_name,
    unsupported_value,
)
from runapi.upstream.sandbox.plans import Plan, accept, obey_status, refusing, send_whole

Object = dict[str, object]

MOST_INPUTS = 1_000

_USUAL_MODEL = "omni-moderation-latest"
_OF_TEXT = ("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent")
_OF_BOTH = (
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "violence",
    "violence/graphic",
)
_CATEGORIES = (*_OF_TEXT, *_OF_BOTH, "sexual/minors")
_FLAGGED = "harassment"
_FLAGGED_SCORE = 0.98
_LOWEST_SCORE = 1e-6


class _Input(msgspec.Struct, frozen=True):
    text: str
    has_image: bool
    directives: Directives


@refusing("input")
def plan(body: bytes, request_id: str, _created: int, _limits: Limits) -> Plan:
    """Plan the reply to `body`."""
    fields = decode(body)
    inputs = _inputs(fields.get("input"))
    model = read_text(fields, "model") or _USUAL_MODEL
    directives = next((one.directives for one in inputs if one.directives.status), inputs[0].directives)
    obey_status(directives)
    reply = {
        "id": "modr-" + letters(request_id.encode(), "moderation", 24),
        "model": model,
        "results": [_judge(one) for one in inputs],
    }
    return accept(send_whole(directives, msgspec.json.encode(reply)), request_id)


def _judge(asked: _Input) -> Object:
    flagged = {_FLAGGED} if asked.directives.refuse else set()
    kinds = ["text", "image"] if asked.has_image else ["text"]
    return {
        "flagged": bool(flagged),
        "categories": {name: name in flagged for name in _CATEGORIES},
        "category_scores": {
            name: _FLAGGED_SCORE if name in flagged else _score(asked.text, name) for name in _CATEGORIES
        },
        "category_applied_input_types": {
            name: kinds if name in _OF_BOTH else ["text"] for name in _CATEGORIES
        },
    }


def _score(text: str, category: str) -> float:
    digest = hashlib.blake2b(f"{category}\0{text}".encode(), digest_size=2).digest()
    return int.from_bytes(digest, "big") % 999 * _LOWEST_SCORE + _LOWEST_SCORE


# ---- the request -----------------------------------------------------------------------------------------


def _inputs(value: object) -> list[_Input]:
    if value is None:
        raise missing_parameter("input")
    if isinstance(value, str):
        return [_input(value)]
    if not isinstance(value, list):
        raise invalid_type("input", "one of a string, array of strings or array of objects", type_name(value))
    if not value:
        raise empty_array("input")
    if len(value) > MOST_INPUTS:
        raise invalid_value("input", f"the sandbox judges at most {MOST_INPUTS} inputs a request.")
    if isinstance(value[0], str):
        return [_input(_string(one, f"input[{at}]")) for at, one in enumerate(value)]
    parts = [_part(one, f"input[{at}]") for at, one in enumerate(value)]
    text = "\n".join(part for part in parts if part is not None)
    return [_input(text, has_image=None in parts)]


def _input(text: str, *, has_image: bool = False) -> _Input:
    return _Input(text, has_image, read_directives(text) if text else NONE)


def _string(value: object, param: str) -> str:
    if not isinstance(value, str):
        raise invalid_type(param, "a string", type_name(value))
    return value


def _part(value: object, param: str) -> str | None:
    """The text of a part; None for an image. Parts are judged together, as one."""
    fields = need_object(value, param)
    match fields.get("type"):
        case "text":
            text = read_text(fields, "text", f"{param}.text")
            if text is None:
                raise missing_parameter(f"{param}.text")
            return text
        case "image_url":
            image = read_object(fields, "image_url", f"{param}.image_url")
            if read_text(image, "url", f"{param}.image_url.url") is None:
                raise missing_parameter(f"{param}.image_url.url")
            return None
        case kind:
            raise unsupported_value(f"{param}.type", kind, ("text", "image_url"))
