"""OpenAI's published specification as a judge: each `check_...` passes in silence or says what is wrong.

What we send is held to more than the schema asks: a key that the schema does not list is a fault. A few additions are
known and wanted, see `_added`: `usage.cost`, and what the API sends while the schema forgets it.
"""

import functools
import hashlib
from pathlib import Path

import jsonschema
import jsonschema.validators
import msgspec

_FILE = Path(__file__).with_name("openai-openapi.json")
_passed: set[bytes] = set()
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


def check_response(obj: object) -> None:
    """A whole answer of POST /v1/responses."""
    _check("Response", obj)


def check_response_event(obj: object) -> None:
    """The JSON of one event of a streamed answer of POST /v1/responses."""
    kind = obj.get("type") if isinstance(obj, dict) else None
    assert kind in _response_events(), f"no event of the specification: {kind!r}"
    _check(_response_events()[kind], obj)


def check_response_request(obj: object) -> None:
    """A body for POST /v1/responses. Keys that the schema does not list are let through."""
    _check("CreateResponse", obj, closed=False)


def check_input_tokens(obj: object) -> None:
    """An answer of POST /v1/responses/input_tokens."""
    _check("TokenCountsResource", obj)


def check_embeddings(obj: object) -> None:
    """An answer of POST /v1/embeddings; vectors are lists of numbers, or base64 text."""
    _check("CreateEmbeddingResponse", obj)


def check_completion(obj: object) -> None:
    """A whole answer of POST /v1/completions."""
    _check("CreateCompletionResponse", obj)


def check_completion_chunk(obj: dict) -> None:
    """One chunk of a streamed answer: until the end is known, its reason and the usage are null."""
    choices = [{**choice, "finish_reason": choice["finish_reason"] or "stop"} for choice in obj["choices"]]
    check_completion({key: value for key, value in obj.items() if value is not None} | {"choices": choices})


def check_moderation(obj: object) -> None:
    """An answer of POST /v1/moderations."""
    _check("CreateModerationResponse", obj)


def _check(name: str, obj: object, *, closed: bool = True) -> None:
    # Many tests send the same object again and again, and to judge a large one takes milliseconds.
    told = hashlib.blake2b(repr((name, closed, obj)).encode(errors="surrogatepass"), digest_size=16).digest()
    if told in _passed:
        return
    errors = list(_validator(name, closed=closed).iter_errors(obj))
    causes = [
        error for error in errors if error.validator != "unevaluatedProperties"
    ]  # which may only follow
    error = jsonschema.exceptions.best_match(causes or errors)
    if error is not None:
        raise AssertionError(f"not a {name}: {error.json_path}: {error.message[:2000]}")
    _passed.add(told)


@functools.cache
def _schemas() -> dict:
    return msgspec.json.decode(_FILE.read_bytes())["components"]["schemas"]


@functools.cache
def _validator(name: str, *, closed: bool) -> jsonschema.protocols.Validator:
    schema = _inline({"$ref": f"#/components/schemas/{name}"}, (), closed=closed)
    return jsonschema.validators.Draft202012Validator(schema)


@functools.cache
def _response_events() -> dict[str, str]:
    """Which schema describes which type of event."""
    names = [part["$ref"].split("/")[-1] for part in _schemas()["ResponseStreamEvent"]["anyOf"]]
    return {_schemas()[name]["properties"]["type"]["enum"][0]: name for name in names}


def _inline(schema: object, path: tuple[str, ...], *, closed: bool, is_part: bool = False) -> object:
    """Write out every reference and turn `nullable` into JSON Schema.

    A schema inside itself is not looked into again. What `allOf` joins (`is_part`) is closed where it is joined.
    """
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        if name in path:
            return True
        inner = _inline(_schemas()[name], (*path, name), closed=closed, is_part=is_part)
        if closed:
            inner = _added(name, inner)
        return _nullable(inner, schema)
    flat = _inline_keywords(schema, path, closed=closed)
    return _nullable(_close(flat) if closed and not is_part else flat, schema)


def _inline_keywords(schema: dict, path: tuple[str, ...], *, closed: bool) -> dict:
    flat = {}
    for key, value in schema.items():
        if key in _MAP_OF_SCHEMAS:
            flat[key] = {name: _inline(part, path, closed=closed) for name, part in value.items()}
        elif key in ("allOf", "anyOf", "oneOf", "prefixItems"):
            # Several kinds of a request's items are alike but for what they may have beside it.
            kept = "anyOf" if key == "oneOf" and not closed and "anyOf" not in schema else key
            flat[kept] = [_inline(part, path, closed=closed, is_part=key == "allOf") for part in value]
        elif key in ("items", "additionalProperties", "not"):
            flat[key] = _inline(value, path, closed=closed)
        elif key not in ("nullable", "description", "example", "examples", "x-oaiMeta", "discriminator"):
            flat[key] = value
    return flat


def _close(schema: dict) -> dict:
    if "allOf" in schema:
        return {"unevaluatedProperties": False, **schema}
    return {"additionalProperties": False, **schema} if "properties" in schema else schema


def _nullable(flat: object, schema: dict) -> object:
    return {"anyOf": [flat, {"type": "null"}]} if schema.get("nullable") else flat


def _added(name: str, schema: dict) -> dict:
    """Add what is sent all the same: by us (`cost`), or by OpenAI beyond its own schema."""
    match name:
        case "CompletionUsage" | "ResponseUsage":
            return _with(schema, cost={"type": "number", "minimum": 0})
        case "ChatCompletionMessageToolCallChunk":  # custom calls are streamed as function calls are
            custom = {
                "type": "object",
                "properties": {"name": {"type": "string"}, "input": {"type": "string"}},
                "additionalProperties": False,
            }
            return _with(schema, type={"type": "string", "enum": ["function", "custom"]}, custom=custom)
        case "CustomToolCall":
            return _with(schema, status={"enum": ["in_progress", "completed", "incomplete"]})
        case "ChatCompletionStreamResponseDelta" | "CreateEmbeddingResponse" | "Embedding":
            return _with(schema, **_loosened(name, schema["properties"]))
        case delta if delta.startswith("Response") and delta.endswith("DeltaEvent"):
            return _with(schema, obfuscation={"type": "string"})
        case "Response":
            return {**schema, "allOf": [_or_null(part, "usage", "user") for part in schema["allOf"]]} | {
                "properties": {
                    "store": {"type": "boolean"},
                    "presence_penalty": {"type": "number"},
                    "frequency_penalty": {"type": "number"},
                }
            }
        case _:
            return schema


def _loosened(name: str, properties: dict) -> dict[str, object]:
    """The properties that may be more than the schema says."""
    match name:
        case "Embedding":
            return {"embedding": {"anyOf": [properties["embedding"], {"type": "string"}]}}
        case "CreateEmbeddingResponse":
            return {"usage": _with(properties["usage"], cost={"type": "number", "minimum": 0})}
        case _:  # the annotations of a whole answer, which models that search stream as well
            message = _schemas()["ChatCompletionResponseMessage"]["properties"]
            annotation = _inline(message["annotations"]["items"], (), closed=True)
            return {"annotations": {"type": "array", "items": annotation}}


def _with(schema: dict, **properties: object) -> dict:
    return {**schema, "properties": {**schema["properties"], **properties}}


def _or_null(schema: dict, *names: str) -> dict:
    """Let these properties, where the schema has them, be null: `usage` is until the answer ends, `user` if unknown."""
    found = {name: part for name, part in schema.get("properties", {}).items() if name in names}
    return _with(schema, **{name: {"anyOf": [part, {"type": "null"}]} for name, part in found.items()})
