"""Whether a value fits a JSON Schema, for the keywords that `schema_values` writes values for.

Unknown keywords and `pattern` count as fulfilled: a customer's expression is never run (see `pattern_text`).
"""

from collections.abc import Callable, Hashable
from fractions import Fraction

import msgspec

_MOST_STEPS = 20_000
_DEEPEST = 100
_PARTS_A_STEP = 50
_LONGEST_REFERENCE = 1_000
_MOST_SHOWN = 100
_LISTS_OF_SCHEMAS = (
    "properties",
    "$defs",
    "required",
    "allOf",
    "anyOf",
    "oneOf",
    "prefixItems",
    "items",
    "type",
)
_VALUES = ("enum", "const")  # compared to their depths


class SchemaFault(ValueError):  # noqa: N818 - the customer's schema is at fault
    """No value can be made for this schema; the text says why, for the customer."""


class Budget(msgspec.Struct):
    """What may be spent on one schema, so that none keeps the server busy."""

    steps: int = _MOST_STEPS

    def spend(self, depth: int) -> None:
        self.steps -= 1
        if self.steps < 0 or depth > _DEEPEST:
            raise SchemaFault("it is too large, too deep or refers to itself without end")

    def spend_on(self, schema: object) -> None:
        """Spend what it costs to go through one schema, those in it left out: little for an ordinary one."""
        if isinstance(schema, dict):
            self.steps -= _weigh(schema) // _PARTS_A_STEP
            self.spend(0)


def _weigh(schema: dict[str, object]) -> int:
    weight = len(schema) + sum(_count_parts(schema[key]) for key in _VALUES if key in schema)
    for key in (*_LISTS_OF_SCHEMAS, "pattern"):
        part = schema.get(key)
        if isinstance(part, list | dict | str):
            weight += len(part)
    return weight


def _count_parts(value: object) -> int:
    """Count a value and all that is in it."""
    found, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        found += 1
        if isinstance(part, list):
            waiting.extend(part)
        elif isinstance(part, dict):
            waiting.extend(part.values())
    return found


def shown(value: object) -> str:
    """A value of a schema as a message shows it: never at length."""
    if isinstance(value, list):
        return "an array"
    if isinstance(value, dict):
        return "an object"
    return repr(value[:_MOST_SHOWN] if isinstance(value, str) else value)[: 2 * _MOST_SHOWN]


def resolve(ref: object, root: object) -> object:
    """Follow a reference inside `root`, such as "#/$defs/node"."""
    if not isinstance(ref, str) or not ref.startswith("#"):
        raise SchemaFault(f"the reference {shown(ref)} does not point into the schema itself")
    if len(ref) > _LONGEST_REFERENCE:
        raise SchemaFault(f"the reference {shown(ref)} is too long")
    found = root
    for part in ref[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and len(key) < 6 and int(key) < len(found):
            found = found[int(key)]
        else:
            raise SchemaFault(f"the reference {ref!r} points to nothing")
    return found


def exact(number: object) -> Fraction:
    """A JSON number as the fraction that its decimal text means."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise SchemaFault(f"{shown(number)} stands where a number must stand")
    try:
        return Fraction(number) if isinstance(number, int) else Fraction(repr(number))
    except (ValueError, OverflowError):
        raise SchemaFault(f"{shown(number)} is not a number") from None


def equal(one: object, other: object) -> bool:
    """Whether two JSON values are the same: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    return one == other


def key_of(value: object) -> Hashable:
    """The same for two JSON values exactly if they are `equal`: to be found in a set."""
    if isinstance(value, list):
        return ("list", *map(key_of, value))
    if isinstance(value, dict):
        return "dict", frozenset((key, key_of(item)) for key, item in value.items())
    return isinstance(value, bool), value


def has_type(value: object, name: object) -> bool:
    match name:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return not isinstance(value, bool) and (
                isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            )
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return False


def fits(value: object, schema: object, root: object, budget: Budget, depth: int = 0) -> bool:
    """Check `value` against `schema`; references are followed inside `root`.

    Raises:
        SchemaFault: the schema itself is wrong, or the budget is spent.
    """
    budget.spend(depth)
    budget.spend_on(schema)
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, dict):
        raise SchemaFault(f"{shown(schema)} stands where a schema must stand")

    def inner(value: object, schema: object) -> bool:
        return fits(value, schema, root, budget, depth + 1)

    return (
        ("$ref" not in schema or inner(value, resolve(schema["$ref"], root)))
        and _fits_choices(value, schema, inner)
        and _fits_itself(value, schema)
        and (not isinstance(value, dict) or _fits_object(value, schema, inner))
        and (not isinstance(value, list) or _fits_array(value, schema, inner))
    )


Check = Callable[[object, object], bool]


def _fits_choices(value: object, schema: dict[str, object], inner: Check) -> bool:
    all_of, any_of, one_of = (listed(schema, key) for key in ("allOf", "anyOf", "oneOf"))
    return (
        all(inner(value, part) for part in all_of)
        and (not any_of or any(inner(value, part) for part in any_of))
        and (not one_of or sum(inner(value, part) for part in one_of) == 1)
        and ("not" not in schema or not inner(value, schema["not"]))
    )


def listed(schema: dict[str, object], key: str) -> list[object]:
    """The list under `key`; empty if there is none."""
    value = schema.get(key, [])
    if not isinstance(value, list):
        raise SchemaFault(f"{key!r} must be an array")
    return value


def required_names(schema: dict[str, object]) -> list[str]:
    names = listed(schema, "required")
    if not all(isinstance(name, str) for name in names):
        raise SchemaFault("'required' must be an array of strings")
    return list(dict.fromkeys(str(name) for name in names))


def size(schema: dict[str, object], key: str, default: int) -> int:
    """The whole number >= 0 under `key`."""
    value = exact(schema.get(key, default))
    if value < 0:
        raise SchemaFault(f"{key!r} must not be negative")
    return int(value)


def _fits_itself(value: object, schema: dict[str, object]) -> bool:
    kinds = schema.get("type")
    if kinds is not None and not any(
        has_type(value, kind) for kind in (kinds if isinstance(kinds, list) else [kinds])
    ):
        return False
    if "const" in schema and not equal(value, schema["const"]):
        return False
    if "enum" in schema and not any(equal(value, choice) for choice in listed(schema, "enum")):
        return False
    if isinstance(value, str):
        return size(schema, "minLength", 0) <= len(value) <= size(schema, "maxLength", len(value))
    return not has_type(value, "number") or _fits_number(exact(value), schema)


def _fits_number(number: Fraction, schema: dict[str, object]) -> bool:
    step = exact(schema.get("multipleOf", 0))
    return (
        ("minimum" not in schema or number >= exact(schema["minimum"]))
        and ("maximum" not in schema or number <= exact(schema["maximum"]))
        and ("exclusiveMinimum" not in schema or number > exact(schema["exclusiveMinimum"]))
        and ("exclusiveMaximum" not in schema or number < exact(schema["exclusiveMaximum"]))
        and (step <= 0 or (number / step).denominator == 1)
    )


def _fits_object(value: dict[str, object], schema: dict[str, object], inner: Check) -> bool:
    known = schema.get("properties", {})
    if not isinstance(known, dict):
        raise SchemaFault("'properties' must be an object")
    extra = [item for key, item in value.items() if key not in known and "patternProperties" not in schema]
    rest = schema.get("additionalProperties", True)
    return (
        all(name in value for name in required_names(schema))
        and size(schema, "minProperties", 0) <= len(value) <= size(schema, "maxProperties", len(value))
        and all(inner(value[key], part) for key, part in known.items() if key in value)
        and (rest is True or all(inner(item, rest) for item in extra))
    )


def _fits_array(value: list[object], schema: dict[str, object], inner: Check) -> bool:
    first, rest = tuple_items(schema)
    return (
        size(schema, "minItems", 0) <= len(value) <= size(schema, "maxItems", len(value))
        and all(inner(item, part) for item, part in zip(value, first, strict=False))
        and all(inner(item, rest) for item in value[len(first) :])
        and (schema.get("uniqueItems") is not True or not has_twins(value))
        and ("contains" not in schema or any(inner(item, schema["contains"]) for item in value))
    )


def tuple_items(schema: dict[str, object]) -> tuple[list[object], object]:
    """The schemas of the first items and that of all further ones, in the words of draft 2020-12 or of draft 7."""
    if isinstance(schema.get("items"), list):
        return listed(schema, "items"), schema.get("additionalItems", True)
    return listed(schema, "prefixItems"), schema.get("items", True)


def has_twins(items: list[object]) -> bool:
    return len(set(map(key_of, items))) < len(items)
