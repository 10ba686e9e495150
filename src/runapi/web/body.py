"""Read the body of a request that is a small JSON object of texts."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from runapi.core import frame_problems, problems
from runapi.core.account_problems import unknown_parameter
from runapi.web.call import Call
from runapi.web.services import Services

MOST_BYTES = 64 * 1024
_JSON = (b"application/json", b"text/plain")  # the latter is what a browser sends without asking first
_LONGEST_SHOWN = 60
_KINDS = {ord('"'): "a string", ord("["): "an array", ord("{"): "an object", ord("n"): "null"}
_FLAGS = b"tf"

_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


async def read_texts(services: Services, call: Call, names: Sequence[str]) -> dict[str, str]:
    """Read a JSON object that has exactly these fields, all of them strings.

    Raises:
        Problem: 400, 408, 413 or 415.
    """
    check_content_type(call)
    fields = _read_object(await call.read_body(MOST_BYTES, services.body_deadline()))
    for name in fields:
        if name not in names:
            raise unknown_parameter(name[:_LONGEST_SHOWN], names)
    for name in names:
        if name not in fields:
            raise problems.missing_parameter(name)
    return {name: _read_text(name, fields[name]) for name in names}


def check_content_type(call: Call) -> None:
    """Refuse a body that is said to be no JSON.

    Raises:
        Problem: 415.
    """
    content_type = call.headers.get(b"content-type", b"application/json")
    if content_type not in _JSON and content_type.lower().partition(b";")[0].strip() not in _JSON:
        raise frame_problems.wrong_content_type(content_type[:80].decode("latin-1"))


def max_costs(call: Call) -> list[str]:
    """The headers that bound what a request may cost, as they were sent."""
    both = (call.headers.get(b"x-runapi-max-cost"), call.headers.get(b"max_cost"))
    return [value.decode("latin-1") for value in both if value is not None]


def _read_object(body: bytes) -> dict[str, Raw]:
    try:
        body.decode()  # parts that are skipped must be UTF-8 as well
        return _decode_fields(body)
    except msgspec.ValidationError:
        raise problems.not_an_object(_kind(body.lstrip())) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise problems.bad_json() from None


def _read_text(name: str, raw: Raw) -> str:
    try:
        return _decode_text(raw)
    except msgspec.ValidationError:
        raise problems.invalid_type(name, "a string", _kind(bytes(raw))) from None
    except msgspec.DecodeError:
        raise problems.bad_json() from None


def _kind(json: bytes) -> str:
    return "a boolean" if json[:1] and json[0] in _FLAGS else _KINDS.get(json[0] if json else 0, "a number")
