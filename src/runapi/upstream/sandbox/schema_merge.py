"""Several JSON Schemas that must all be fulfilled, as one."""

import math
from collections.abc import Callable, Mapping

from runapi.upstream.sandbox.schema_checks import (
    SchemaFault,
    equal,
    exact,
    key_of,
    listed,
    required_names,
    shown,
)

Schema = dict[str, object]


def merge(one: Schema, other: Schema) -> Schema:
    """Write the schema of the values that fit both. Keywords without a rule here keep what `one` says.

    Raises:
        SchemaFault: nothing fits both.
    """
    merged = {**other, **one}
    for key in one.keys() & other.keys():
        rule = _RULES.get(key)
        if rule is not None:
            merged[key] = rule(one[key], other[key])
    return merged


def _both(one: object, other: object) -> object:
    return one if one == other else {"allOf": [one, other]}


def _all_properties(one: object, other: object) -> object:
    if not isinstance(one, dict) or not isinstance(other, dict):
        raise SchemaFault("'properties' must be an object")
    return {**one, **{name: _both(one[name], part) if name in one else part for name, part in other.items()}}


def _all_names(one: object, other: object) -> object:
    return required_names(
        {"required": [*listed({"names": one}, "names"), *listed({"names": other}, "names")]}
    )


def _common_choices(one: object, other: object) -> object:
    second = set(map(key_of, listed({"enum": other}, "enum")))
    return [value for value in listed({"enum": one}, "enum") if key_of(value) in second]


def _common_types(one: object, other: object) -> object:
    first, second = (kinds if isinstance(kinds, list) else [kinds] for kinds in (one, other))
    common = [kind for kind in first if kind in second or (kind == "integer" and "number" in second)] + [
        kind for kind in second if kind == "integer" and kind not in first and "number" in first
    ]
    if not common:
        raise SchemaFault(f"nothing is both {first} and {second}")
    return common


def _same(one: object, other: object) -> object:
    if not equal(one, other):
        raise SchemaFault(f"nothing is both {shown(one)} and {shown(other)}")
    return one


def _common_multiple(one: object, other: object) -> object:
    first, second = exact(one), exact(other)
    if first.denominator == second.denominator == 1:
        return math.lcm(first.numerator, second.numerator)
    return one


def _larger(one: object, other: object) -> object:
    return one if exact(one) >= exact(other) else other


def _smaller(one: object, other: object) -> object:
    return one if exact(one) <= exact(other) else other


_RULES: Mapping[str, Callable[[object, object], object]] = {
    "properties": _all_properties,
    "required": _all_names,
    "enum": _common_choices,
    "type": _common_types,
    "const": _same,
    "pattern": _same,  # two different ones may have a text in common, but it is not looked for
    "format": _same,
    "multipleOf": _common_multiple,
    "items": _both,
    "additionalProperties": _both,
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), _larger),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), _smaller),
}
