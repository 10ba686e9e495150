"""OpenAI's published specification as a judge: each `check_...` passes in silence or says what is wrong.

What we send is held to more than the schema asks: a key that the schema does not list is a fault. Two additions are
known and wanted: `usage.cost`, and custom tool calls in streams (the API streams them like function calls, while the
schema lists function calls only).
"""

import functools
from pathlib import Path

import jsonschema
import jsonschema.validators
import msgspec

_FILE = Path(__file__).with_name("openai-openapi.json")
_MAP_OF_SCHEMAS = ("properties", "patternProperties", "$defs")


def check_reply(obj: object) -> None:
    """A whole answer of POST /v1/chat/completions."""
    _check("CreateChatCompletionResponse", obj)


def check_chunk(obj: object) -> None:
    """One chunk of a streamed answer; heartbeats too."""
    _check("CreateChatCompletionStreamResponse", obj)


def check_error(obj: object) -> None:
    """The body of any refusal, and the error event inside a stream: all four keys."""
    _check("ErrorResponse", obj)


def check_model(obj: object) -> None:
    _check("Model", obj)


def check_model_list(obj: object) -> None:
    _check("ListModelsResponse", obj)


def check_request(obj: object) -> None:
    """A body for POST /v1/chat/completions. Keys that the schema does not list are let through."""
    _check("CreateChatCompletionRequest", obj, closed=False)


def _check(name: str, obj: object, *, closed: bool = True) -> None:
    error = jsonschema.exceptions.best_match(_validator(name, closed=closed).iter_errors(obj))
    if error is not None:
        raise AssertionError(f"not a {name}: {error.json_path}: {error.message[:2000]}")


@functools.cache
def _schemas() -> dict:
    return msgspec.json.decode(_FILE.read_bytes())["components"]["schemas"]


@functools.cache
def _validator(name: str, *, closed: bool) -> jsonschema.protocols.Validator:
    schema = _inline({"$ref": f"#/components/schemas/{name}"}, (), closed=closed)
    return jsonschema.validators.Draft202012Validator(schema)


def _inline(schema: object, path: tuple[str, ...], *, closed: bool) -> object:
    """Write out every reference (none of those used here is recursive) and turn `nullable` into JSON Schema."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        assert name not in path, f"{name} is recursive"
        inner = _inline(_schemas()[name], (*path, name), closed=closed)
        if closed:
            inner = _added(name, inner)
        return _nullable(inner, schema)
    flat = {}
    for key, value in schema.items():
        if key in _MAP_OF_SCHEMAS:
            flat[key] = {name: _inline(part, path, closed=closed) for name, part in value.items()}
        elif key in ("allOf", "anyOf", "oneOf", "prefixItems"):
            flat[key] = [_inline(part, path, closed=closed) for part in value]
        elif key in ("items", "additionalProperties", "not"):
            flat[key] = _inline(value, path, closed=closed)
        elif key not in ("nullable", "description", "example", "examples", "x-oaiMeta", "discriminator"):
            flat[key] = value
    if closed and "properties" in flat:
        flat.setdefault("additionalProperties", False)
    return _nullable(flat, schema)


def _nullable(flat: object, schema: dict) -> object:
    return {"anyOf": [flat, {"type": "null"}]} if schema.get("nullable") else flat


def _added(name: str, schema: dict) -> dict:
    match name:
        case "CompletionUsage":
            return {
                **schema,
                "properties": {**schema["properties"], "cost": {"type": "number", "minimum": 0}},
            }
        case "ChatCompletionMessageToolCallChunk":
            custom = {
                "type": "object",
                "properties": {"name": {"type": "string"}, "input": {"type": "string"}},
                "additionalProperties": False,
            }
            kind = {"type": "string", "enum": ["function", "custom"]}
            return {**schema, "properties": {**schema["properties"], "type": kind, "custom": custom}}
        case _:
            return schema
