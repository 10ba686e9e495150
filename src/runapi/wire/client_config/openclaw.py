"""OpenClaw's `openclaw.json`: what the site shows and what `runapi connect openclaw` writes."""

from collections.abc import Mapping

from runapi.wire.client_config.json_edit import append, put, put_members, value_at
from runapi.wire.client_config.json_value import Json, write_json
from runapi.wire.client_config.offer import PROVIDER, OfferedModel
from runapi.wire.client_config.wanted import Wanted

TIMEOUT_S = 600  # a model may think for minutes before its first word
KNOWN_MODALITIES = ("text", "image", "audio", "video")  # OpenClaw refuses a file that names others

_PROVIDER = ("models", "providers", PROVIDER)
_MODEL = ("agents", "defaults", "model")
_ALLOWED = ("agents", "defaults", "modelPolicy", "allow")


def openclaw_config(wanted: Wanted) -> dict[str, Json]:
    """The whole configuration of a fresh OpenClaw."""
    return {
        "models": {"mode": "merge", "providers": {PROVIDER: _provider(wanted)}},
        "agents": {"defaults": {"model": _choice(wanted)}},
    }


def openclaw_text(wanted: Wanted) -> str:
    """`openclaw_config` as the text of a file."""
    return write_json(openclaw_config(wanted)) + "\n"


def openclaw_commands(wanted: Wanted) -> str:
    """The same as commands for a shell: what is not about us stays, but for comments, which OpenClaw strips."""
    config = openclaw_config(wanted)
    provider = write_json(_provider(wanted))
    choice = write_json(config["agents"]["defaults"]["model"])  # type: ignore[index,call-overload]
    return (
        f"openclaw config set {'.'.join(_PROVIDER)} '{provider}' --strict-json --merge\n"
        f"openclaw config set {'.'.join(_MODEL)} '{choice}' --strict-json --replace\n"
        "openclaw config validate\n"
    )


def connect_openclaw(old: str, wanted: Wanted) -> str:
    """The new text of the file; everything that is not about us stays.

    Raises:
        ConfigFault: the old text cannot be changed.
    """
    if not old.strip():
        return openclaw_text(wanted)
    text = old
    if value_at(text, ("models", "mode")) is None:
        text = put(text, ("models", "mode"), "merge")
    text = put_members(text, _PROVIDER, _provider(wanted))
    return _allow(_choose(text, wanted), wanted)


def _choose(text: str, wanted: Wanted) -> str:
    """Make our model the first one; the fallbacks that somebody chose stay."""
    choice = _choice(wanted)
    if not isinstance(value_at(text, _MODEL), Mapping):  # nothing, or one model's name
        return put(text, _MODEL, choice)
    text = put(text, (*_MODEL, "primary"), choice["primary"])
    kept = value_at(text, (*_MODEL, "fallbacks"))
    if "fallbacks" in choice and (not isinstance(kept, list) or not kept or choice["primary"] in kept):
        text = put(text, (*_MODEL, "fallbacks"), choice["fallbacks"])
    return text


def _allow(text: str, wanted: Wanted) -> str:
    """Where only some models may be chosen, allow ours."""
    allowed = value_at(text, _ALLOWED)
    if not isinstance(allowed, list) or not allowed:
        return text
    if f"{PROVIDER}/*" in allowed or f"{PROVIDER}/{wanted.model}" in allowed:
        return text
    return append(text, _ALLOWED, f"{PROVIDER}/*")


def _provider(wanted: Wanted) -> dict[str, Json]:
    private: dict[str, Json] = {"request": {"allowPrivateNetwork": True}} if wanted.is_private_name else {}
    return {
        "baseUrl": wanted.offer.base_url,
        "apiKey": wanted.key or f"${{{wanted.variable}}}",
        "api": "openai-completions",
        **private,
        "timeoutSeconds": TIMEOUT_S,
        "models": [_model(model) for model in wanted.offer.models],
    }


def _model(model: OfferedModel) -> dict[str, Json]:
    cost: dict[str, Json] = {}
    if model.price is not None:
        rates = model.price
        cost = {
            "cost": {"input": rates.input, "output": rates.output, "cacheRead": rates.cached, "cacheWrite": 0}
        }
    return {
        "id": model.id,
        "name": model.id,
        "reasoning": model.is_reasoning,
        "input": [kind for kind in KNOWN_MODALITIES if kind in model.input_modalities],
        "contextWindow": model.context_window,
        "contextTokens": model.working_tokens,
        "maxTokens": model.max_output_tokens,
        **cost,
        "compat": _compat(model),
    }


def _compat(model: OfferedModel) -> dict[str, Json]:
    efforts: dict[str, Json] = {}
    if model.is_reasoning:
        efforts = {"supportsReasoningEffort": True, "supportedReasoningEfforts": list(model.efforts)}
    return {
        "supportsUsageInStreaming": True,
        **efforts,
        "supportsPromptCacheKey": True,
        "supportsJsonSchemaResponseFormat": True,
    }


def _choice(wanted: Wanted) -> dict[str, Json]:
    choice: dict[str, Json] = {"primary": f"{PROVIDER}/{wanted.model}"}
    other = wanted.offer.beside(wanted.model)
    if other is not None:
        choice["fallbacks"] = [f"{PROVIDER}/{other}"]
    return choice
