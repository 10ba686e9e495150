"""OpenCode's `opencode.json`. It calls /v1/responses, for that way reasoning goes on from turn to turn."""

from runapi.wire.client_config.json_edit import put, put_members
from runapi.wire.client_config.json_value import Json, write_json
from runapi.wire.client_config.offer import PROVIDER, OfferedModel
from runapi.wire.client_config.wanted import Wanted

PACKAGE = "@ai-sdk/openai"
SCHEMA = "https://opencode.ai/config.json"


def opencode_config(wanted: Wanted) -> dict[str, Json]:
    """The whole configuration of a fresh OpenCode."""
    return {
        "$schema": SCHEMA,
        "provider": {PROVIDER: _provider(wanted)},
        "model": f"{PROVIDER}/{wanted.model}",
        "small_model": f"{PROVIDER}/{wanted.offer.cheapest()}",
    }


def opencode_text(wanted: Wanted) -> str:
    """`opencode_config` as the text of a file."""
    return write_json(opencode_config(wanted)) + "\n"


def connect_opencode(old: str, wanted: Wanted) -> str:
    """The new text of the file; everything that is not about us stays.

    Raises:
        ConfigFault: the old text cannot be changed.
    """
    if not old.strip():
        return opencode_text(wanted)
    text = put_members(old, ("provider", PROVIDER), _provider(wanted))
    config = opencode_config(wanted)
    text = put(text, ("model",), config["model"])
    return put(text, ("small_model",), config["small_model"])


def _provider(wanted: Wanted) -> dict[str, Json]:
    return {
        "npm": PACKAGE,
        "name": "RunAPI",
        "options": {
            "baseURL": wanted.offer.base_url,
            "apiKey": wanted.key or f"{{env:{wanted.variable}}}",
        },
        "models": {model.id: _model(model) for model in wanted.offer.models},
    }


def _model(model: OfferedModel) -> dict[str, Json]:
    cost: dict[str, Json] = {}
    if model.price is not None:
        rates = model.price
        cost = {"cost": {"input": rates.input, "output": rates.output, "cache_read": rates.cached}}
    return {
        "name": model.id,
        "reasoning": model.is_reasoning,
        "tool_call": True,
        "attachment": "image" in model.input_modalities,
        "limit": {"context": model.working_tokens, "output": model.max_output_tokens},
        **cost,
    }
