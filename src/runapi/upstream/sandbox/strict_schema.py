"""What strict mode demands of a JSON Schema: each object in it is closed, and has every property required."""

from collections.abc import Iterator

from runapi.core.problems import Problem

_MAPS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")

Path = tuple[str, ...]


def check_strict(schema: object, place: str, param: str, code: str) -> None:
    """Check a schema that is to be kept to strictly.

    Args:
        schema: decoded JSON.
        place: what it is the schema of, for the message.
        param: where it stands in the request.
        code: of the refusal.

    Raises:
        Problem: 400, in OpenAI's words.
    """
    for path, found in _objects_in(schema):
        fault = _fault(found)
        if fault is not None:
            text = f"Invalid schema for {place}: In context={path[:20]}, {fault}."
            raise Problem(400, text[:1_000], param=param, code=code)


def _fault(schema: dict[str, object]) -> str | None:
    if schema.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false"
    properties, required = schema.get("properties"), schema.get("required")
    names = properties if isinstance(properties, dict) else {}
    given = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
    missing = next((name for name in names if name not in given), None)
    if missing is None:
        return None
    return (
        "'required' is required to be supplied and to be an array including every key in properties. "
        f"Missing '{missing[:100]}'"
    )


def _objects_in(schema: object) -> Iterator[tuple[Path, dict[str, object]]]:
    """The schemas of objects, outermost first, each with the way to it."""
    waiting: list[tuple[Path, object]] = [((), schema)]
    for path, part in waiting:
        if not isinstance(part, dict):
            continue
        if _describes_object(part):
            yield path, part
        for key, inner in part.items():
            if key in _MAPS and isinstance(inner, dict):
                waiting.extend(((*path, key, name), one) for name, one in inner.items())
            elif key in _LISTS and isinstance(inner, list):
                waiting.extend(((*path, key, str(at)), one) for at, one in enumerate(inner))
            elif key == "items":
                waiting.append(((*path, key), inner))


def _describes_object(schema: dict[str, object]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema
