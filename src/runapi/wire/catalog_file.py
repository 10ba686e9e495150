"""Read the catalogue: the package's own, and the operator's file that overrides single fields of it and adds models.

The form is `models:` -> model id -> the fields of `core.catalog.Model`; docs/operate/models.md shows it to operators.
"""

import functools
import importlib.resources
import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

import msgspec

from runapi.core.catalog import EFFORTS, Catalog, Model, ModelStatus
from runapi.core.money import usd_per_1m
from runapi.core.pricing import PriceTable, Rates
from runapi.core.usage import MOST_TOKENS
from runapi.wire.yaml_file import Entry, YamlFile, suggestion

PACKAGE_FILE = "models.yaml"
ENDPOINTS = (
    *("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/batch"),
    *("/v1/embeddings", "/v1/completions", "/v1/moderations"),
)
TOOL_KINDS = ("function", "custom")
VERBOSITY = ("low", "medium", "high")
MODALITIES = ("text", "image", "pdf", "audio", "video")
RATE_NAMES = tuple(Rates.__struct_fields__)
TIERS = ("standard", "long", "flex", "flex_long", "priority")
TIERS_AND_THRESHOLD = tuple(PriceTable.__struct_fields__)

_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}")
_Reader = Callable[[YamlFile, Entry], object]
_Values = dict[str, object]


def _count(file: YamlFile, entry: Entry) -> int | None:
    return file.whole(entry, MOST_TOKENS)


def _choice(known: Collection[str]) -> _Reader:
    return lambda file, entry: file.choice(entry, known)


def _words(known: Collection[str] | None = None) -> _Reader:
    return lambda file, entry: file.words(entry, known)


_PLAIN_FIELDS: Mapping[str, _Reader] = {
    "owned_by": YamlFile.filled_text,
    "released": YamlFile.day,
    "status": _choice(tuple(ModelStatus)),
    "shutdown_date": YamlFile.day,
    "successor": YamlFile.filled_text,
    "snapshot": YamlFile.filled_text,
    "context_window": _count,
    "max_input_tokens": _count,
    "max_output_tokens": _count,
    "efforts": _words(EFFORTS),
    "default_effort": YamlFile.filled_text,
    "verbosity": _words(VERBOSITY),
    "input_modalities": _words(MODALITIES),
    "endpoints": _words(ENDPOINTS),
    "refused": _words(),
    "refused_when_reasoning": _words(),
    "chat_refuses_when_reasoning": _words(TOOL_KINDS),
    "knowledge_cutoff": YamlFile.day,
    "source": YamlFile.filled_text,
    "note": YamlFile.text,
}
_TABLES = ("official", "ours")
_FIELDS = (*_PLAIN_FIELDS, *_TABLES)
_CLEARABLE = ("shutdown_date", "successor", "snapshot", "default_effort", "knowledge_cutoff")
_REQUIRED = tuple(
    field.name
    for field in msgspec.structs.fields(Model)
    if field.required and field.name not in ("id", "ours")  # without `ours`, half of official
)


class CatalogFault(ValueError):  # noqa: N818 - one or more faults of a file, in the words of this project
    """A catalogue file that must not be used; its text has one fault per line, each `source:line: path: what`."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@functools.cache
def package_catalog() -> Catalog:
    """The catalogue that ships with this package, read once."""
    file = importlib.resources.files("runapi.data").joinpath(PACKAGE_FILE)
    return read_catalog(file.read_text("utf-8"), PACKAGE_FILE)


def read_catalog(text: str, source: str, ground: Catalog | None = None) -> Catalog:
    """Read a catalogue file, over the models of `ground` if given. Pure: the caller has read the file.

    With `ground`, a model of it keeps every field that the file does not give, down to single rates; a new model
    needs all required fields. A new model without `ours` is sold at exactly half of its official price.

    Raises:
        CatalogFault: naming every fault of the file with its line; nothing of a faulty file is used.
    """
    file = YamlFile(text, source)
    models = dict(ground.models) if ground is not None else {}
    entries = _model_entries(file, is_needed=ground is None)
    known = {*models, *entries}
    for model_id, entry in entries.items():
        model = _read_model(file, entry, model_id, models.get(model_id), known)
        if model is not None:
            models[model_id] = model
    if file.faults:
        raise CatalogFault(file.faults.lines())
    return Catalog(MappingProxyType(models))


def _model_entries(file: YamlFile, *, is_needed: bool) -> dict[str, Entry]:
    """The models of the file by id. A file without any is a fault only where it `is_needed`."""
    root = file.root()
    if file.faults:
        return {}
    top = {} if root is None or root.is_null else file.mapping(root, ("models",))
    models = top.get("models")
    if models is None or models.is_null:
        if is_needed and not file.faults:
            file.faults.add(1, "models", "the file has no models")
        return {}
    # The id alone is the path of a model: "gpt-5.5.ours" says more than "models.gpt-5.5.ours".
    entries = file.mapping(Entry("", models.line, models.node))
    for model_id, entry in entries.items():
        if not _MODEL_ID.fullmatch(model_id):
            file.faults.add(
                entry.line, repr(model_id[:128]), "not a model id: letters, digits and . _ : / @ - only"
            )
    return entries


def _read_model(
    file: YamlFile, entry: Entry, model_id: str, ground: Model | None, known: Collection[str]
) -> Model | None:
    """Read one model over `ground`; None where it has faults. `known` are the ids that a successor may have."""
    before = len(file.faults)
    given = file.mapping(entry, _FIELDS)
    values: _Values = {"id": model_id} if ground is None else msgspec.structs.asdict(ground)
    if ground is None:
        _note_missing(file, entry, given, _REQUIRED)
    for name, field in given.items():
        if name in _TABLES:
            values[name] = _read_table(file, field, getattr(ground, name, None))
        elif field.is_null and name in _CLEARABLE:
            values[name] = None
        else:
            values[name] = _PLAIN_FIELDS[name](file, field)
    _check_limits(file, entry, given, values)
    _check_words(file, entry, given, values)
    _check_successor(file, given.get("successor"), values, known)
    official = values.get("official")
    if "ours" not in values and isinstance(official, PriceTable):
        values["ours"] = _half(file, given["official"], official)
    return msgspec.convert(values, Model) if len(file.faults) == before else None


def _read_table(file: YamlFile, entry: Entry, ground: PriceTable | None) -> PriceTable | None:
    """Read the rates of one seller over `ground`; None where they have faults."""
    before = len(file.faults)
    given = file.mapping(entry, TIERS_AND_THRESHOLD)
    values: _Values = {} if ground is None else msgspec.structs.asdict(ground)
    for name, field in given.items():
        if field.is_null and name != "standard":
            values[name] = None
        elif name == "long_threshold":
            values[name] = _count(file, field)
        else:
            values[name] = _read_rates(file, field, getattr(ground, name, None))
    if ground is None:
        _note_missing(file, entry, given, ("standard",))
    if len(file.faults) > before:
        return None
    table = msgspec.convert(values, PriceTable)
    _check_long(file, entry, table)
    return table if len(file.faults) == before else None


def _read_rates(file: YamlFile, entry: Entry, ground: Rates | None) -> Rates | None:
    """Read one tier's rates over `ground`; None where they have faults.

    `cached` and `cache_write` are those of `input` unless given, and stay so when only `input` is overridden.
    """
    before = len(file.faults)
    given = file.mapping(entry, RATE_NAMES)
    prices = {name: file.price(field) for name, field in given.items()}
    if ground is None:
        _note_missing(file, entry, given, ("input", "output"))
    else:
        own = {name: price for name, price in msgspec.structs.asdict(ground).items() if price != ground.input}
        prices = {"input": ground.input, "output": ground.output, **own, **prices}
    if len(file.faults) > before:
        return None
    return msgspec.convert({"cached": prices["input"], "cache_write": prices["input"], **prices}, Rates)


def _half(file: YamlFile, entry: Entry, official: PriceTable) -> PriceTable:
    """Exactly half of every official rate; an odd one, whose half no price can name, is a fault."""
    for tier, tier_entry in file.mapping(entry, TIERS_AND_THRESHOLD).items():
        rates = getattr(official, tier)
        for name, rate_entry in file.mapping(tier_entry).items() if isinstance(rates, Rates) else ():
            price = getattr(rates, name)
            if price % 2:
                what = (
                    f"half of {usd_per_1m(price)} is finer than 6 decimal places: give 'ours' for this model"
                )
                file.faults.add(rate_entry.line, rate_entry.path, what)
    values = msgspec.structs.asdict(official)
    for tier in TIERS:
        if values[tier] is not None:
            values[tier] = Rates(*(price // 2 for price in msgspec.structs.astuple(values[tier])))
    return PriceTable(**values)


def _note_missing(file: YamlFile, entry: Entry, given: Collection[str], needed: Collection[str]) -> None:
    for name in needed:
        if name not in given:
            file.faults.add(entry.line, f"{entry.path}.{name}", "missing, and required")


def _check_long(file: YamlFile, entry: Entry, table: PriceTable) -> None:
    """Refuse tables in which the price of some long request would be a guess."""
    if (table.long is None) != (table.long_threshold is None):
        file.faults.add(
            entry.line, entry.path, "'long' and 'long_threshold' go together: give both or neither"
        )
    elif (table.flex_long is None) != (table.flex is None or table.long is None):
        file.faults.add(
            entry.line,
            entry.path,
            "'flex_long' is needed where both 'flex' and 'long' are given, and only there",
        )


# What fields say together. `values` lacks the fields that are missing, and has None for those that could not be read.


def _check_limits(file: YamlFile, entry: Entry, given: Mapping[str, Entry], values: _Values) -> None:
    window = values.get("context_window")
    for name in ("max_input_tokens", "max_output_tokens"):
        cap = values.get(name)
        if isinstance(window, int) and isinstance(cap, int) and cap > window:
            place = given.get(name) or given.get("context_window", entry)
            file.faults.add(
                place.line, f"{entry.path}.{name}", f"{cap} is more than the context_window, {window}"
            )


def _check_words(file: YamlFile, entry: Entry, given: Mapping[str, Entry], values: _Values) -> None:
    efforts, effort = values.get("efforts", ()), values.get("default_effort")
    place = given.get("default_effort") or given.get("efforts", entry)
    path = f"{entry.path}.default_effort"
    if isinstance(efforts, tuple) and isinstance(effort, str) and effort not in efforts:
        what = f"'{effort}' is not among the efforts of this model{suggestion(effort, efforts)}"
        file.faults.add(place.line, path, what)
    elif efforts and effort is None and ("default_effort" not in given or given["default_effort"].is_null):
        # Unstated, nobody could tell whether a request that names no effort reasons, and so what it refuses.
        file.faults.add(place.line, path, "missing, and required for a model that has efforts")
    for name in ("endpoints", "input_modalities"):
        if name in given and values[name] == ():
            file.faults.add(given[name].line, given[name].path, "must name at least one")


def _check_successor(file: YamlFile, entry: Entry | None, values: _Values, known: Collection[str]) -> None:
    successor = values.get("successor")
    if entry is None or not isinstance(successor, str):
        return
    if successor == values["id"]:
        file.faults.add(entry.line, entry.path, "a model cannot succeed itself")
    elif successor not in known:
        what = f"unknown model '{successor}'{suggestion(successor, sorted(known))}"
        file.faults.add(entry.line, entry.path, what)
