"""Read the plain values of a request's JSON; refuse wrong ones in OpenAI's words, where they are known."""

import re
from collections.abc import Mapping

import msgspec

from runapi.core.problems import Problem, bad_json, invalid_type, missing_parameter, not_an_object

Fields = dict[str, object]

LARGEST = 2**53

_MOST_STOPS = 4
_SAMPLING = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}
_TIERS = ("auto", "default", "flex", "scale", "priority", "fast")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TYPE_NAMES: Mapping[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    type(None): "null",
}


def type_name(value: object) -> str:
    """The JSON type of `value`, as OpenAI's messages call it."""
    return _TYPE_NAMES.get(type(value), "something else")


def decode(body: bytes) -> Fields:
    """Decode a body that must be a JSON object.

    Raises:
        Problem: 400, it is not.
    """
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise bad_json() from None
    if not isinstance(fields, dict):
        raise not_an_object(type_name(fields))
    return fields


def read_model(fields: Fields) -> str:
    model = fields.get("model")
    if model is None:
        raise missing_parameter("model")
    if not isinstance(model, str):
        raise invalid_type("model", "a string", type_name(model))
    return model


def read_flag(fields: Fields, name: str, *, absent: bool = False) -> bool:
    value = fields.get(name)
    if value is None:
        return absent
    if not isinstance(value, bool):
        raise invalid_type(name, "a boolean", type_name(value))
    return value


def read_text(fields: Fields, name: str, param: str | None = None) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid_type(param or name, "a string", type_name(value))
    return value


def read_object(fields: Fields, name: str, param: str | None = None) -> Fields:
    """The object under `name`; an empty one if there is none."""
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid_type(param or name, "an object", type_name(value))
    return value


def need_object(value: object, param: str) -> Fields:
    """The object that must stand at `param`."""
    if not isinstance(value, dict):
        raise invalid_type(param, "an object", type_name(value))
    return value


def read_list(fields: Fields, name: str, param: str | None = None) -> list[object]:
    """The array under `name`; an empty one if there is none."""
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid_type(param or name, "an array", type_name(value))
    return value


def read_word(fields: Fields, name: str, words: tuple[str, ...], param: str | None = None) -> str | None:
    """The value under `name`, which is one of `words`."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or value not in words:
        raise unsupported_value(param or name, value, words)
    return value


def need_word(fields: Fields, name: str, words: tuple[str, ...], param: str) -> str:
    """The value that must stand under `name`, which is one of `words`."""
    word = read_word(fields, name, words, param)
    if word is None:
        raise missing_parameter(param)
    return word


def read_whole(fields: Fields, name: str, least: int, most: int = LARGEST) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_type(name, "an integer", type_name(value))
    _check_range(name, "integer", value, least, most)
    return value


def read_number(fields: Fields, name: str, least: int, most: int) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_type(name, "a decimal", type_name(value))
    _check_range(name, "decimal", value, least, most)
    return value


def check_sampling(fields: Fields) -> None:
    """Check the numbers by which an answer is drawn; the sandbox draws none."""
    for name, (least, most) in _SAMPLING.items():
        read_number(fields, name, least, most)


def read_stream(fields: Fields) -> tuple[bool, Fields]:
    """Whether a stream is wanted, and its options."""
    stream = read_flag(fields, "stream")
    options = read_object(fields, "stream_options")
    if options and not stream:
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Problem(400, text, param="stream_options")
    return stream, options


def read_stops(fields: Fields) -> tuple[str, ...]:
    """The sequences that end an answer."""
    value = fields.get("stop")
    stops = [value] if isinstance(value, str) else value
    if stops is None:
        return ()
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise invalid_type("stop", "one of a string or array of strings", type_name(value))
    if len(stops) > _MOST_STOPS:
        raise too_long("stop", _MOST_STOPS, len(stops))
    return tuple(stops)


def read_name(fields: Fields, param: str) -> str:
    """The name of a tool or schema: letters, digits, `_` and `-`."""
    name = fields.get("name")
    if name is None:
        raise missing_parameter(f"{param}.name")
    if not isinstance(name, str):
        raise invalid_type(f"{param}.name", "a string", type_name(name))
    if not _NAME.fullmatch(name):
        raise Problem(
            400,
            f"Invalid '{param}.name': string does not match pattern. Expected a string of 1 to 64 characters that "
            "matches the pattern '^[a-zA-Z0-9_-]+$'.",
            param=f"{param}.name",
            code="invalid_value",
        )
    return name


def read_tier(fields: Fields) -> str:
    """The service tier that will serve: `fast` is called `priority` in answers."""
    match read_word(fields, "service_tier", _TIERS):
        case "fast" | "priority":
            return "priority"
        case "flex":
            return "flex"
        case _:
            return "default"


def unsupported_value(param: str, value: object, supported: tuple[str, ...]) -> Problem:
    """The refusal of a value that is not in a closed list."""
    if not isinstance(value, str):
        return invalid_type(param, f"one of {_listed(supported)}", type_name(value))
    return Problem(
        400,
        f"Invalid value: '{value[:200]}'. Supported values are: {_listed(supported)}.",
        param=param,
        code="invalid_value",
    )


def too_long(param: str, most: int, got: int) -> Problem:
    """The refusal of an array with too many items."""
    return Problem(
        400,
        f"Invalid '{param}': array too long. Expected an array with maximum length {most}, but got an array with "
        f"length {got} instead.",
        param=param,
        code="array_above_max_length",
    )


def _listed(words: tuple[str, ...]) -> str:
    quoted = [f"'{word}'" for word in words]
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}" if len(quoted) > 2 else " and ".join(quoted)


def _check_range(name: str, kind: str, value: float, least: int, most: int) -> None:
    if value < least:
        side, code, sign, bound = "below minimum", "below_min", ">=", least
    elif value > most:
        side, code, sign, bound = "above maximum", "above_max", "<=", most
    else:
        return
    raise Problem(
        400,
        f"Invalid '{name}': {kind} {side} value. Expected a value {sign} {bound}, but got {value!s:.40} instead.",
        param=name,
        code=f"{kind}_{code}_value",
    )
