"""The words with which OpenAI refuses, on whichever API: what the strict scripted upstream says."""

from fakes.replies import SNAPSHOTS, error
from fakes.steps import Script

EFFORTS = ("none", "low", "medium", "high", "xhigh")
EFFORTS_OF = {"gpt-5.3-codex": ("low", "medium", "high", "xhigh")}
DEFAULT_EFFORTS = {"gpt-5.5": "medium", "gpt-5.3-codex": "medium"}  # the others: none
RETENTIONS_OF = {"gpt-5.5": ("24h",)}
MOST_CALL_ID_CHARACTERS = 64


def bad(message: str, param: str | None = None, code: str | None = None) -> Script:
    return error(400, message, type="invalid_request_error", param=param, code=code)


def unsupported_parameter(param: str, advice: str = "") -> Script:
    message = f"Unsupported parameter: '{param}' is not supported with this model.{advice}"
    return bad(message, param, "unsupported_parameter")


def missing(param: str) -> Script:
    return bad(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def unknown(param: str) -> Script:
    return bad(f"Unknown parameter: '{param}'.", param, "unknown_parameter")


def invalid_value(param: str, value: object, supported: tuple[str, ...]) -> Script:
    text = f"Invalid value: '{value}'. Supported values are: {listed(supported)}."
    return bad(text, param, "invalid_value")


def listed(words: tuple[str, ...]) -> str:
    """Words as OpenAI lists them: 'a', 'b', and 'c'."""
    quoted = [f"'{word}'" for word in words]
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}" if len(quoted) > 2 else " and ".join(quoted)


def public_name(body: dict[str, object]) -> str:
    """The model without its date."""
    model = str(body.get("model"))
    return next((name for name, dated in SNAPSHOTS.items() if dated == model), model)


def refuse_retention(body: dict[str, object]) -> Script | None:
    """What these models say to the parameters of the prompt cache."""
    if body.get("prompt_cache_options") is not None:
        return unsupported_parameter("prompt_cache_options")
    asked, allowed = body.get("prompt_cache_retention"), RETENTIONS_OF.get(public_name(body))
    if asked is None or allowed is None or asked in allowed:
        return None
    text = (
        f"Unsupported value: 'prompt_cache_retention' does not support '{asked}' with this model. "
        f"Supported values are: {listed(allowed)}."
    )
    return bad(text, "prompt_cache_retention", "unsupported_value")


def refuse_schema(schema: object, place: str, param: str, code: str) -> Script | None:
    """What strict mode demands of each object in a schema: closed, and every property required."""
    for found in _objects_in(schema):
        properties = found.get("properties")
        names = set(properties) if isinstance(properties, dict) else set()
        if found.get("additionalProperties") is not False:
            fault = "'additionalProperties' is required to be supplied and to be false"
        elif names - set(found.get("required") or ()):
            fault = (
                "'required' is required to be supplied and to be an array including every key in properties"
            )
        else:
            continue
        return bad(f"Invalid schema for {place}: In context=(), {fault}.", param, code)
    return None


def _objects_in(schema: object) -> list[dict]:
    if isinstance(schema, list):
        return [found for part in schema for found in _objects_in(part)]
    if not isinstance(schema, dict):
        return []
    properties = schema.get("properties")
    parts = list(properties.values()) if isinstance(properties, dict) else []
    for key in ("$defs", "definitions"):
        parts += list(schema.get(key, {}).values())
    parts += [schema.get(key) for key in ("items", "anyOf", "allOf", "oneOf")]
    inside = [found for part in parts for found in _objects_in(part)]
    is_object = schema.get("type") == "object" or isinstance(properties, dict)
    return [schema, *inside] if is_object else inside
