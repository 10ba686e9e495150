"""Make a value that is valid against a JSON Schema: always the same one for the same schema.

A reference that leads back to itself is followed once on each path: the smallest value of a recursive schema never
needs more, so this ends, and `anyOf`, optional properties and empty arrays are the ways out.
"""

from collections.abc import Hashable, Iterator

import msgspec

from runapi.upstream.sandbox.schema_checks import (
    Budget,
    SchemaFault,
    fits,
    key_of,
    listed,
    required_names,
    resolve,
    shown,
    size,
    tuple_items,
)
from runapi.upstream.sandbox.schema_merge import Schema, merge
from runapi.upstream.sandbox.schema_scalars import make_integer, make_number, make_text

_MOST_ITEMS = 1_000
_MOST_TRIES = 30
_CLOSE_TRIES = 4  # of other values, where one that was made is forbidden by what stands beside it

_KINDS_BY_KEYWORD = (
    ("object", ("properties", "required", "additionalProperties", "minProperties", "patternProperties")),
    ("array", ("items", "prefixItems", "minItems", "contains", "uniqueItems")),
    ("string", ("minLength", "maxLength", "pattern", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)


def make_value(schema: object, *, optional: bool = True) -> object:
    """Make a value for `schema`.

    Args:
        schema: decoded JSON. `pattern` is fulfilled where it is simple; `if`, `dependent...` and the like are not read.
        optional: whether properties that are not required are written too.

    Raises:
        SchemaFault: no value was found.
    """
    maker = _Maker(schema, optional, Budget())
    try:
        value = maker.make(schema, "", 0, frozenset())
        if not fits(value, schema, schema, Budget()):
            raise SchemaFault("no value that fits all of it was found")
    except RecursionError:
        raise SchemaFault("it is too deep") from None
    return value


class _Group(msgspec.Struct, frozen=True):
    """The branches of one `anyOf` (at least one must fit) or `oneOf` (exactly one)."""

    branches: list[object]
    exactly_one: bool


class _Flat(msgspec.Struct, frozen=True):
    """A schema without references and `allOf`: plain keywords, and the groups of choices beside them."""

    plain: Schema
    choices: tuple[_Group, ...]
    path: frozenset[str]  # the references that led here


class _Maker(msgspec.Struct, frozen=True):
    root: object
    optional: bool
    budget: Budget

    def make(self, schema: object, hint: str, variant: int, path: frozenset[str]) -> object:
        self.budget.spend(0)
        return self._make_flat(self._flatten(schema, path), hint, variant)

    def _flatten(self, schema: object, path: frozenset[str]) -> _Flat:
        """Follow the reference, join all of `allOf`, and set the groups of choices apart."""
        self.budget.spend(0)
        self.budget.spend_on(schema)
        if schema is True:
            return _Flat({}, (), path)
        if not isinstance(schema, dict):
            raise SchemaFault(f"{shown(schema)} allows no value, or is no schema")
        plain = {
            key: value for key, value in schema.items() if key not in {"$ref", "allOf", "anyOf", "oneOf"}
        }
        choices = tuple(
            _Group(branches, key == "oneOf")
            for key in ("anyOf", "oneOf")
            if (branches := listed(schema, key))
        )
        parts = listed(schema, "allOf")
        if "$ref" in schema:
            ref = str(schema["$ref"])
            if ref in path:
                raise SchemaFault(f"{ref!r} needs itself without end")
            parts = [resolve(ref, self.root), *parts]
            path |= {ref}
        joined = path
        for part in parts:
            flat = self._flatten(part, path)
            self.budget.spend_on(plain)
            plain, choices, joined = merge(plain, flat.plain), choices + flat.choices, joined | flat.path
        return _Flat(plain, choices, joined)

    def _make_flat(self, flat: _Flat, hint: str, variant: int) -> object:
        if not flat.choices:
            return self._make_plain(flat, hint, variant)
        group, *others = flat.choices
        branches = group.branches
        fault = SchemaFault("none of its choices allows a value")
        for at in range(len(branches)):
            try:
                chosen = self._flatten(branches[(at + variant) % len(branches)], flat.path)
                self.budget.spend_on(flat.plain)
                joined = _Flat(
                    merge(flat.plain, chosen.plain), (*chosen.choices, *others), flat.path | chosen.path
                )
                for attempt in range(variant, variant + (_CLOSE_TRIES if group.exactly_one else 1)):
                    value = self._make_flat(joined, hint, attempt)
                    if not group.exactly_one or self._fits_one(value, branches):
                        return value
            except SchemaFault as found:
                if self.budget.steps < 0:
                    raise
                fault = found
        raise fault

    def _fits_one(self, value: object, branches: list[object]) -> bool:
        return sum(fits(value, branch, self.root, self.budget) for branch in branches) == 1

    def _make_plain(self, flat: _Flat, hint: str, variant: int) -> object:
        fault = SchemaFault("nothing fits all of it")
        for attempt in range(variant, variant + (_CLOSE_TRIES if "not" in flat.plain else 1)):
            for value in self._candidates(flat, hint, attempt):
                if isinstance(value, SchemaFault):
                    fault = value
                elif "not" not in flat.plain or not fits(value, flat.plain["not"], self.root, self.budget):
                    return value
        raise fault

    def _candidates(self, flat: _Flat, hint: str, variant: int) -> Iterator[object]:
        """Give the fixed values, or one value of each allowed type; a fault in place of a type without a value."""
        plain = flat.plain
        if "const" in plain or "enum" in plain:
            choices = [plain["const"]] if "const" in plain else listed(plain, "enum")
            yield from self._fitting(choices, plain, variant)
            return
        kinds = plain.get("type") or _guess_kind(plain)
        kinds = kinds if isinstance(kinds, list) else [kinds]
        for kind in sorted(kinds, key=lambda kind: kind == "null"):
            try:
                yield self._make_kind(kind, flat, hint, variant)
            except SchemaFault as fault:
                yield fault

    def _fitting(self, choices: list[object], plain: Schema, variant: int) -> Iterator[object]:
        """Give the choices that fit the rest, from that of `variant` on; each is tried only when it is asked for."""
        rest = {
            key: value for key, value in plain.items() if key != ("const" if "const" in plain else "enum")
        }
        found = False
        for at in range(len(choices)):
            value = choices[(variant + at) % len(choices)]
            if fits(value, rest, self.root, self.budget):
                found = True
                yield value
        if not found:
            raise SchemaFault("no value of 'enum' or 'const' fits the rest")

    def _make_kind(self, kind: object, flat: _Flat, hint: str, variant: int) -> object:
        match kind:
            case "null":
                return None
            case "boolean":
                return variant % 2 == 0
            case "integer":
                return make_integer(flat.plain, variant)
            case "number":
                return make_number(flat.plain, variant)
            case "string":
                return make_text(flat.plain, hint, variant)
            case "array":
                return self._make_array(flat, hint, variant)
            case "object":
                return self._make_object(flat, variant)
            case _:
                raise SchemaFault(f"{shown(kind)} is not a type")

    def _make_object(self, flat: _Flat, variant: int) -> dict[str, object]:
        plain = flat.plain
        known, rest = plain.get("properties", {}), plain.get("additionalProperties", True)
        if not isinstance(known, dict):
            raise SchemaFault("'properties' must be an object")
        made = {
            name: self.make(known.get(name, rest), name, variant, flat.path) for name in required_names(plain)
        }
        most = size(plain, "maxProperties", _MOST_ITEMS)
        if self.optional:
            for name, part in known.items():
                if name not in made and len(made) < most:
                    self._try_property(made, name, part, variant, flat.path)
        least = size(plain, "minProperties", 0)
        if least > _MOST_ITEMS:
            raise SchemaFault(f"{least} properties are more than are made here")
        names = iter([*known, *(f"key_{at}" for at in range(1, least + 1))])
        while len(made) < least and (name := next(names, None)) is not None:
            if name not in made:
                made[name] = self.make(known.get(name, rest), name, variant, flat.path)
        return {name: made[name] for name in [*known, *made] if name in made}

    def _try_property(
        self, made: dict[str, object], name: str, schema: object, variant: int, path: frozenset[str]
    ) -> None:
        try:
            made[name] = self.make(schema, name, variant, path)
        except SchemaFault:
            if self.budget.steps < 0:
                raise

    def _make_array(self, flat: _Flat, hint: str, variant: int) -> list[object]:
        plain = flat.plain
        first, rest = tuple_items(plain)
        least = max(size(plain, "minItems", 0), len(first), 1 if "contains" in plain else 0)
        most = size(plain, "maxItems", _MOST_ITEMS)
        if least > _MOST_ITEMS:
            raise SchemaFault(f"{least} items are more than are made here")
        schemas = [*first, *[rest] * (max(least, 1) - len(first))][:most]
        if "contains" in plain and schemas:
            schemas[-1] = {"allOf": [schemas[-1], plain["contains"]]}
        made: list[object] = []
        known: set[Hashable] = set()
        for at, schema in enumerate(schemas):
            try:
                made.append(self._make_item(schema, known, hint, variant + at, flat))
            except SchemaFault:
                if at >= size(plain, "minItems", 0) and "contains" not in plain and self.budget.steps >= 0:
                    break
                raise
        return made

    def _make_item(
        self, schema: object, others: set[Hashable], hint: str, variant: int, flat: _Flat
    ) -> object:
        if flat.plain.get("uniqueItems") is not True:
            return self.make(schema, hint, variant, flat.path)
        for attempt in range(variant, variant + _MOST_TRIES):
            item = self.make(schema, hint, attempt, flat.path)
            if key_of(item) not in others:
                others.add(key_of(item))
                return item
        raise SchemaFault("not enough different items were found")


def _guess_kind(plain: Schema) -> str:
    return next((kind for kind, words in _KINDS_BY_KEYWORD if any(word in plain for word in words)), "string")
