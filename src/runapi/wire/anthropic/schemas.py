"""Whether a JSON schema is one that OpenAI takes as strict: Anthropic keeps to any schema, OpenAI only to these."""

import msgspec
from msgspec import Raw

_DEEPEST = 64
_REFUSED = frozenset(
    (
        *("allOf", "default", "dependentRequired", "dependentSchemas", "else", "if", "not", "oneOf"),
        *("patternProperties", "prefixItems", "propertyNames", "then", "unevaluatedProperties"),
    )
)
_SAY_A_TYPE = frozenset(("$ref", "anyOf", "const", "enum", "type"))


def is_strict(schema: Raw) -> bool:
    """Whether `schema` keeps to the part of JSON Schema that OpenAI can hold a model to; in doubt it does not."""
    try:
        decoded = msgspec.json.decode(schema)
    except (msgspec.DecodeError, RecursionError):
        return False
    return isinstance(decoded, dict) and decoded.get("type") == "object" and _is_strict(decoded, 0)


def _is_strict(schema: object, depth: int) -> bool:
    if depth > _DEEPEST:
        return False
    if isinstance(schema, list):
        return all(_is_strict(part, depth + 1) for part in schema)
    if not isinstance(schema, dict):
        return True
    if not _REFUSED.isdisjoint(schema) or (_describes_object(schema) and not _is_closed(schema)):
        return False
    return all(_is_strict(part, depth + 1) for part in schema.values())


def _is_closed(schema: dict[str, object]) -> bool:
    """Whether an object has these properties, each of a type, and no others."""
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        return False
    return (
        schema.get("additionalProperties") is False
        and set(properties) == {str(name) for name in required}
        and all(isinstance(part, dict) and not _SAY_A_TYPE.isdisjoint(part) for part in properties.values())
    )


def _describes_object(schema: dict[str, object]) -> bool:
    """Whether it is the schema of an object, and not a map of schemas or a value that looks like one."""
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind)
